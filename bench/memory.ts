/**
 * Measures the resident memory of each plugin after many attestations, when its code is loaded and its caches are full.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadPolicy } from '../src/policy/policy-files.ts';
import { readServerSettings } from '../src/policy/server-settings.ts';
import type { PluginKind } from '../src/spire/plugin/attestation-stream.ts';
import { type PluginHost, startPlugin } from '../src/testing/plugin-host/plugin-host.ts';
import { startSoftwareTpm } from '../src/testing/software-tpm.ts';
import { begin } from '../src/verifier/verify.ts';
import { forger } from '../test/support/forger.ts';
import { mintEkChain, pem } from '../test/support/pki.ts';
import { eccAk, softwareDevice, TRUST_DOMAIN } from '../test/support/software-device.ts';
import type { Row } from './row.ts';

const ATTESTATIONS = 2000;
/** Number of different machines among them. */
const NEW_MACHINES = 500;
const MOST_MIB = 60;
const KIB = 1024;

export async function measureMemory(root: URL, folder: string): Promise<readonly Row[]> {
  const row = (name: string, value: number): Row => ({
    name: `${name}: resident after ${ATTESTATIONS} attestations`,
    ...{ value, best: value, unit: 'MiB', ratio: null, of: null },
    ...(value > MOST_MIB ? { note: `target ${MOST_MIB} MiB` } : {}),
  });
  return [
    row('the agent plugin', await residentAgent(root)),
    row('the server plugin', await residentServer(root, folder)),
  ];
}

/** Starts the plugin on this Node.js, with the environment that the first line of the executable sets. */
function start<Kind extends PluginKind>(kind: Kind, root: URL): Promise<PluginHost<Kind>> {
  const file = fileURLToPath(new URL(`dist/bin/tpm-attestor-${kind}.cjs`, root));
  const env = { ...process.env, MALLOC_ARENA_MAX: '1' };
  return startPlugin({ kind, command: process.execPath, args: [file], env });
}

async function residentServer(root: URL, folder: string): Promise<number> {
  const caPath = join(folder, 'memory-ca.pem');
  writeFileSync(caPath, pem(mintEkChain().root.der));
  const host = await start('server', root);
  try {
    await host.configure(`ca_path = ${JSON.stringify(caPath)}\nek_templates = ["L-1", "L-2"]`, TRUST_DOMAIN);
    for (let i = 0; i < ATTESTATIONS; i++) {
      const label = `memory ${i % NEW_MACHINES}`;
      // A machine that comes again has a new AK, so the server judges all of its evidence again.
      const machine = forger(softwareDevice({ label, ek: 'L-2', ak: eccAk({ label: `memory AK ${i}` }) }));
      const stream = host.openAttestation();
      stream.sendPayload(machine.payload);
      const challenge = await stream.next();
      if (challenge.kind !== 'challenge') throw new Error('the server plugin made no challenge');
      stream.sendChallengeResponse(machine.answer(challenge.bytes));
      await stream.next();
      await stream.close();
    }
    return residentMiB(host);
  } finally {
    await host.stop();
  }
}

async function residentAgent(root: URL): Promise<number> {
  const tpm = await startSoftwareTpm({ templates: ['L-1'] });
  const host = await start('agent', root);
  try {
    const hcl = `ca_path = "${tpm.caPath}"\nallow_software_tpm = true`;
    const { policy } = loadPolicy(readServerSettings(TRUST_DOMAIN, hcl));
    await host.configure(`tcti = "${tpm.tcti}"`, TRUST_DOMAIN);
    for (let i = 0; i < ATTESTATIONS; i++) {
      const stream = host.openAttestation();
      const payload = await stream.next();
      if (payload.kind !== 'payload') throw new Error('the agent plugin sent no payload');
      const begun = begin(payload.bytes, policy, randomBytes, new Date());
      if (begun.outcome === 'rejected') throw new Error(JSON.stringify(begun.verdict));
      stream.sendChallenge(begun.challenge);
      await stream.next();
      await stream.close();
    }
    return residentMiB(host);
  } finally {
    await host.stop();
    await tpm.stop();
  }
}

function residentMiB({ pid }: PluginHost<'agent' | 'server'>): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / KIB;
}
