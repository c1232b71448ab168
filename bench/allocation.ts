/** Measures what one call allocates, with V8's sampling, which also counts objects that are collected meanwhile. */
import { type HeapProfiler, Session } from 'node:inspector';

const CALLS = 500;
const SAMPLE_BYTES = 1024;
const KIB = 1024;

/** KiB on V8's heap, without the memory of OpenSSL and of large buffers. */
export function allocatedPerCall(action: () => void): number {
  const session = new Session();
  session.connect();
  try {
    let profile: HeapProfiler.SamplingHeapProfile | undefined;
    const whole = { includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true };
    session.post('HeapProfiler.startSampling', { samplingInterval: SAMPLE_BYTES, ...whole });
    for (let i = 0; i < CALLS; i++) action();
    session.post('HeapProfiler.stopSampling', (_, answer) => {
      profile = answer?.profile;
    });
    if (profile === undefined) throw new Error('V8 returned no allocation profile');
    return bytesIn(profile.head) / CALLS / KIB;
  } finally {
    session.disconnect();
  }
}

function bytesIn({ selfSize, children }: HeapProfiler.SamplingHeapProfileNode): number {
  return children.reduce((sum, child) => sum + bytesIn(child), selfSize);
}
