/** Times attestations through a genuine spire-server. The machines answer at once, so that the server's time counts. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tpmAttestor } from '../src/testing/spire-plugin-block.ts';
import { SpireServer } from '../src/testing/spire-server.ts';
import { AttestAgentClient } from '../test/support/attest-agent.ts';
import { type Forger, forger } from '../test/support/forger.ts';
import { mintEkChain, pem } from '../test/support/pki.ts';
import { softwareDevice } from '../test/support/software-device.ts';
import { type Row, withRatios } from './row.ts';

const MACHINES = 16;
const ROUNDS = 60;
const NEW_MACHINES = 320;
const KIB = 1024;

export async function measure({ folder }: { readonly folder: string }): Promise<readonly Row[]> {
  const caPath = join(folder, 'ca.pem');
  await writeFile(caPath, pem(mintEkChain().root.der));
  const server = await SpireServer.start({
    nodeAttestors: [tpmAttestor('server', `ca_path = "${caPath}"\nek_templates = ["L-1", "L-2"]`)],
  });
  try {
    const client = await AttestAgentClient.to(server);
    const machines = Array.from({ length: MACHINES }, (_, i) => forger(softwareDevice({ label: `machine ${i}` })));
    // One after the other at first, because SPIRE cannot create the same node twice at the same time.
    for (const machine of machines) await client.attest(machine);
    // Each has its own EK and certificate, so that SPIRE creates a node and no cache helps.
    const strangers = Array.from({ length: NEW_MACHINES }, (_, i) =>
      forger(softwareDevice({ label: `stranger ${i}`, ek: 'L-2' })),
    );
    const fresh = sorted(await attested(client, strangers.splice(0, NEW_MACHINES / 2)));
    const lanes = Array.from({ length: MACHINES }, (_, lane) => strangers.filter((_, i) => i % MACHINES === lane));
    const startedAt = performance.now();
    const freshTogether = sorted((await Promise.all(lanes.map((lane) => attested(client, lane)))).flat());
    const freshPerSecond = freshTogether.length / ((performance.now() - startedAt) / 1000);
    const alone = await latencies(client, machines.slice(0, 1), ROUNDS * 4);
    const began = performance.now();
    const together = await latencies(client, machines, ROUNDS);
    const perSecond = together.length / ((performance.now() - began) / 1000);
    client.close();
    const started = server.process.log.records.find(({ message }) => message === 'plugin started');
    const [ofServer, ofPlugin] = await Promise.all([
      resident(server.process.pid),
      resident(Number(started?.fields['pid'])),
    ]);
    const one = (name: string, value: number, unit: string, of: string | null = null) => {
      return { name, value, best: value, unit, of };
    };
    const [p50, memory] = ['known machines, one at a time: p50', 'resident: spire-server'];
    return withRatios([
      one(p50, quantile(alone, 0.5), 'ms'),
      one('known machines, one at a time: p99', quantile(alone, 0.99), 'ms', p50),
      one('new machines, one at a time: p50', quantile(fresh, 0.5), 'ms', p50),
      one('new machines, one at a time: p99', quantile(fresh, 0.99), 'ms', p50),
      one(`known machines, ${MACHINES} at a time: p50`, quantile(together, 0.5), 'ms', p50),
      one(`known machines, ${MACHINES} at a time: p99`, quantile(together, 0.99), 'ms', p50),
      one(`new machines, ${MACHINES} at a time: p50`, quantile(freshTogether, 0.5), 'ms', p50),
      one(`new machines, ${MACHINES} at a time: p99`, quantile(freshTogether, 0.99), 'ms', p50),
      one(`known machines, ${MACHINES} at a time`, perSecond, 'per second'),
      one(`new machines, ${MACHINES} at a time`, freshPerSecond, 'per second'),
      one(memory, ofServer, 'MiB'),
      one('resident: the server plugin', ofPlugin, 'MiB', memory),
    ]);
  } finally {
    await server.stop();
  }
}

/** Milliseconds of each attestation. All machines attest at the same time, each many times. */
async function latencies(client: AttestAgentClient, machines: readonly Forger[], rounds: number): Promise<number[]> {
  const all = await Promise.all(
    machines.map((machine) =>
      attested(
        client,
        Array.from({ length: rounds }, () => machine),
      ),
    ),
  );
  return sorted(all.flat());
}

/** Milliseconds of each attestation, one after the other. */
async function attested(client: AttestAgentClient, machines: readonly Forger[]): Promise<number[]> {
  const own: number[] = [];
  for (const machine of machines) {
    const began = performance.now();
    await client.attest(machine);
    own.push(performance.now() - began);
  }
  return own;
}

function sorted(times: readonly number[]): number[] {
  return times.toSorted((a, b) => a - b);
}

function quantile(times: readonly number[], part: number): number {
  return times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? Number.NaN;
}

/** Resident memory of a process in MiB. */
async function resident(pid: number): Promise<number> {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / KIB;
}
