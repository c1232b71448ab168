/** Honest machines that were never seen, more of them than a server meets in a boot storm: the longest turn, and latencies. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { PluginHost } from '../src/testing/plugin-host/plugin-host.ts';
import { type Forger, forger } from '../test/support/forger.ts';
import { keyPair, mintEkChain, pem } from '../test/support/pki.ts';
import { eccAk, rsaAk, softwareDevice } from '../test/support/software-device.ts';
import type { Row } from './row.ts';
import { attest, startWatched } from './watched-server.ts';

const PER_SECOND = 300;
const SECONDS = 10;
/** Until everything is compiled. */
const WARM_UP_SECONDS = 5;
/** RSA keys take long to make: so many machines share each. */
const RSA_KEYS = 16;
/** More would wait for this process, which answers for all machines, and come at once. */
const MOST_AT_ONCE = 32;
const MOST_MS = 20;

export async function measure({
  root,
  folder,
}: {
  readonly root: URL;
  readonly folder: string;
}): Promise<readonly Row[]> {
  const caPath = join(folder, 'load-ca.pem');
  writeFileSync(caPath, pem(mintEkChain().root.der, mintEkChain({ keyAlgorithm: 'rsa2048' }).root.der));
  const machines = Array.from({ length: PER_SECOND * (WARM_UP_SECONDS + SECONDS) }, (_, i) => machine(i));
  const { host, longestTurn } = await startWatched(
    root,
    folder,
    `ca_path = ${JSON.stringify(caPath)}\nek_templates = ["L-1", "L-2"]`,
  );
  try {
    // That of the start has nothing to do with machines.
    await longestTurn();
    const cold = await storm(host, machines.splice(0, PER_SECOND * WARM_UP_SECONDS));
    const start = await longestTurn();
    const warm = await storm(host, machines);
    const { turn, garbage } = await longestTurn();
    const target = (value: number): { readonly note?: string } =>
      value > MOST_MS ? { note: `target ${MOST_MS} ms` } : {};
    const row = (name: string, value: number, unit: string): Row => ({
      ...{ name: `new machines: ${name}`, value, best: value, unit, ratio: null, of: null },
    });
    return [
      row('admitted', warm.latencies.length / warm.seconds, 'per second'),
      row('refused', cold.refused + warm.refused, 'of all'),
      { ...row('longest turn', turn, 'ms'), ...target(turn) },
      row('longest turn: collections of garbage in it, by the clock', garbage, 'ms'),
      row(`longest turn in the first ${WARM_UP_SECONDS} s of the server`, start.turn, 'ms'),
      row('p50', quantile(warm.latencies, 0.5), 'ms'),
      row('p99', quantile(warm.latencies, 0.99), 'ms'),
    ];
  } finally {
    await host.stop();
  }
}

/** Half with RSA keys under RSA CAs, of these half with an RSA AK, too; half with ECC keys. Each has its own certificate. */
function machine(i: number): Forger {
  const serial = Uint8Array.of(1, i >> 16, (i >> 8) & 0xff, i & 0xff);
  const label = `load ${i}`;
  if (i % 2 === 0) return forger(softwareDevice({ label, ek: 'L-2', chain: { leaf: { serial } } }));
  const key = keyPair('rsa2048', `load EK ${i % RSA_KEYS}`);
  const ak = i % 4 === 1 ? rsaAk({ key: keyPair('rsa2048', `load AK ${i % RSA_KEYS}`) }) : eccAk({ label });
  return forger(softwareDevice({ label, key, ak, chain: { keyAlgorithm: 'rsa2048', leaf: { serial } } }));
}

interface Storm {
  /** Milliseconds, ascending. */
  readonly latencies: readonly number[];
  readonly refused: number;
  readonly seconds: number;
}

/** Each machine attests at its time, or when it can. */
async function storm(host: PluginHost<'server'>, machines: readonly Forger[]): Promise<Storm> {
  const latencies: number[] = [];
  const under = new Set<Promise<void>>();
  const began = performance.now();
  for (const [i, one] of machines.entries()) {
    const due = began + (i * 1000) / PER_SECOND;
    while (performance.now() < due || under.size >= MOST_AT_ONCE) await delay(1);
    const started = performance.now();
    const attempt = attest(host, one).then((isAdmitted) => {
      if (isAdmitted) latencies.push(performance.now() - started);
      under.delete(attempt);
    });
    under.add(attempt);
  }
  await Promise.all(under);
  const seconds = (performance.now() - began) / 1000;
  return { latencies: latencies.sort((a, b) => a - b), refused: machines.length - latencies.length, seconds };
}

function quantile(times: readonly number[], part: number): number {
  return times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? Number.NaN;
}
