/** Who cleans up behind a connection to the TPM, by its TCTI string. */
import { existsSync, realpathSync } from 'node:fs';

/**
 * `manager`: the kernel's resource manager or tpm2-abrmd frees what a connection loaded when it ends. `keeper`: nobody
 * does, so a process of ours talks to the TPM and outlives us. `nobody`: a simulator that one process has to itself.
 */
export type CleanUp = 'manager' | 'keeper' | 'nobody';

/** The one that tpm2-tss takes where the string names none. */
const DEFAULT_DEVICE = '/dev/tpmrm0';

export function cleanUpOf(tcti: string): CleanUp {
  const [, name, path = ''] = /^(?:pcap:)*(?:libtss2-tcti-)?([a-z]+)(?:\.so[^:]*)?(?::(.*))?$/s.exec(tcti) ?? [];
  if (name === 'tabrmd') return 'manager';
  if (name === 'swtpm') return 'keeper';
  if (name !== 'device') return 'nobody';
  return isManagedDevice(path === '' && existsSync(DEFAULT_DEVICE) ? DEFAULT_DEVICE : path) ? 'manager' : 'keeper';
}

function isManagedDevice(path: string): boolean {
  return /\/tpmrm\d+$/.test(realPath(path));
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
