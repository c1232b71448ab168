/** Attestations through a genuine spire-server: machines that answer at once, so that the server's side is what counts. */
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
const KIB = 1024;

export async function measure({ folder }: { readonly folder: string }): Promise<readonly Row[]> {
  const caPath = join(folder, 'ca.pem');
  await writeFile(caPath, pem(mintEkChain().root.der));
  const server = await SpireServer.start({ nodeAttestors: [tpmAttestor('server', `ca_path = "${caPath}"`)] });
  try {
    const client = await AttestAgentClient.to(server);
    const machines = Array.from({ length: MACHINES }, (_, i) => forger(softwareDevice({ label: `machine ${i}` })));
    // One after the other at first: SPIRE does not create one node twice at once.
    for (const machine of machines) await client.attest(machine);
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
    const [p50, memory] = ['one at a time: p50', 'resident: spire-server'];
    return withRatios([
      one(p50, quantile(alone, 0.5), 'ms'),
      one('one at a time: p99', quantile(alone, 0.99), 'ms', p50),
      one(`${MACHINES} at a time: p50`, quantile(together, 0.5), 'ms', p50),
      one(`${MACHINES} at a time: p99`, quantile(together, 0.99), 'ms', p50),
      one(`${MACHINES} at a time`, perSecond, 'per second'),
      one(memory, ofServer, 'MiB'),
      one('resident: the server plugin', ofPlugin, 'MiB', memory),
    ]);
  } finally {
    await server.stop();
  }
}

/** Milliseconds of each attestation; every machine attests again and again, beside the others. */
async function latencies(client: AttestAgentClient, machines: readonly Forger[], rounds: number): Promise<number[]> {
  const all = await Promise.all(
    machines.map(async (machine) => {
      const own: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const began = performance.now();
        await client.attest(machine);
        own.push(performance.now() - began);
      }
      return own;
    }),
  );
  return all.flat().sort((a, b) => a - b);
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** MiB. */
async function resident(pid: number): Promise<number> {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / KIB;
}
