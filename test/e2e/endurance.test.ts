import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startPlugin } from '../../src/testing/plugin-host/plugin-host.ts';
import { relayAttestation } from '../../src/testing/plugin-host/relay.ts';
import { startSwtpm } from '../support/swtpm.ts';

const ATTESTATIONS = 1000;
const FIRST_LOOK = 100;
/** 5 to 8 MiB is what code compiled on the way and the collector's rhythm take; a leak of 16 KiB a time is found. */
const TOLERANCE_KIB = 14 * 1024;

function executable(name: string): string {
  return fileURLToPath(new URL(`../../dist/bin/${name}.cjs`, import.meta.url));
}

/** Resident memory, KiB. */
async function residentKib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
}

test('1,000 attestations of one agent, one server plugin and one TPM leave neither handles nor memory behind', async () => {
  const tpm = await startSwtpm({ templates: ['L-1'], persistentEks: true });
  const agent = await startPlugin({ kind: 'agent', command: executable('tpm-attestor-agent') });
  const server = await startPlugin({ kind: 'server', command: executable('tpm-attestor-server') });
  try {
    await agent.configure(`tcti = "${tpm.tcti}"`, 'example.org');
    await server.configure(`ca_path = "${tpm.caPath}"\nallow_software_tpm = true`, 'example.org');
    const resident = async (): Promise<{ readonly agent: number; readonly server: number }> => ({
      agent: await residentKib(agent.pid),
      server: await residentKib(server.pid),
    });
    const ids = new Set<string>();
    let early = { agent: 0, server: 0 };
    for (let done = 1; done <= ATTESTATIONS; done++) {
      ids.add((await relayAttestation(agent, server)).agentId);
      if (done === FIRST_LOOK) early = await resident();
    }
    const late = await resident();
    console.log(
      `RSS in KiB after ${FIRST_LOOK}: ${JSON.stringify(early)}, after ${ATTESTATIONS}: ${JSON.stringify(late)}`,
    );
    expect(ids.size).toBe(1);
    expect(late.agent - early.agent).toBeLessThan(TOLERANCE_KIB);
    expect(late.server - early.server).toBeLessThan(TOLERANCE_KIB);
  } finally {
    await agent.stop();
    await server.stop();
  }
  for (const kind of ['handles-transient', 'handles-loaded-session', 'handles-saved-session'])
    expect((await tpm.tpm2('tpm2_getcap', [kind])).stdout.trim()).toBe('');
}, 300_000);
