/**
 * Times the costliest payloads that an attacker can send. Measures how a flood of them affects honest machines, through
 * a genuine spire-server with its rate limit on.
 */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { inSlices } from '../src/files/steps.ts';
import { tpmAttestor } from '../src/testing/spire-plugin-block.ts';
import { SpireServer } from '../src/testing/spire-server.ts';
import { beginInSteps } from '../src/verifier/verify.ts';
import { type AnchorSet, anchorsOf } from '../src/x509/file/trust-store.ts';
import { AttestAgentClient } from '../test/support/attest-agent.ts';
import { costlyChains } from '../test/support/costly-chains.ts';
import { type Forger, forger } from '../test/support/forger.ts';
import {
  type Issuer,
  type KeyAlgorithm,
  keyPair,
  mintAuthority,
  mintEkChain,
  pem,
  spkiOf,
} from '../test/support/pki.ts';
import { bundle, testPolicy } from '../test/support/policy.ts';
import { eccAk, publicHalf, softwareDevice } from '../test/support/software-device.ts';
import { type Row, withRatios } from './row.ts';

const ROUNDS = 9;
const MOST_MS = 15;
const PHASE_MS = 12_000;
/** SPIRE accepts one attestation per second from each address. */
const FLOOD = { addresses: 40, perSecond: 20 };
const HONEST = { machines: 8, everyMs: 1200 };

export async function measure({ folder }: { readonly folder: string }): Promise<readonly Row[]> {
  return [...(await payloadRows()), ...(await floodRows(folder))];
}

interface Costly {
  readonly name: string;
  readonly payload: Uint8Array;
}

const anchorOf = (algorithm: KeyAlgorithm): Issuer => ({
  issuer: `Flooded ${algorithm} Root CA`,
  key: keyPair(algorithm, 'flooded'),
});
const certificateOf = (anchor: Issuer) => mintAuthority(anchor.issuer, anchor.key, anchor);

/** @param algorithm key of the anchor @param own keys of the sender */
function costlyPayloads(algorithm: KeyAlgorithm, own: KeyAlgorithm = algorithm): readonly Costly[] {
  const device = softwareDevice();
  const ek = spkiOf(publicHalf(device.ek.privateKey));
  return costlyChains(ek, anchorOf(algorithm), own).map(({ name, certificates }) => ({
    name,
    payload: forger({ ...device, certificates }).payload,
  }));
}

/** Processor time for one payload, in milliseconds. */
interface Cost {
  readonly whole: number;
  /** Longest time without a turn of the event loop for other work. */
  readonly block: number;
}

async function costOf(payload: Uint8Array, anchors: AnchorSet): Promise<readonly Cost[]> {
  const policy = testPolicy({ mode: 'certificate', bundles: [bundle(anchors)] });
  return inTurn(ROUNDS, async () => {
    const began = process.cpuUsage();
    let [block, since, isOver] = [0, began, false];
    const judged = inSlices(beginInSteps(payload, policy, randomBytes, new Date()), new AbortController().signal);
    void judged.finally(() => {
      isOver = true;
    });
    do {
      await turn();
      block = Math.max(block, milliseconds(process.cpuUsage(since)));
      since = process.cpuUsage();
    } while (!isOver);
    return { whole: milliseconds(process.cpuUsage(began)), block };
  });
}

const milliseconds = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1000;

async function payloadRows(): Promise<readonly Row[]> {
  const honest = await costOf(forger(softwareDevice()).payload, mintEkChain().anchors);
  const found: { readonly name: string; readonly costs: readonly Cost[] }[] = [];
  for (const algorithm of ['p384', 'p521'] as const) {
    const anchors = anchorsOf([certificateOf(anchorOf(algorithm)).certificate]);
    for (const { name, payload } of costlyPayloads(algorithm))
      found.push({ name: `${algorithm}: ${name}`, costs: await costOf(payload, anchors) });
  }
  const sorted = (costs: readonly Cost[], of: keyof Cost) => costs.map((cost) => cost[of]).sort((a, b) => a - b);
  const middle = (costs: readonly Cost[], of: keyof Cost) => sorted(costs, of)[ROUNDS >> 1] ?? Number.NaN;
  const row = (name: string, costs: readonly Cost[], of: keyof Cost) => ({
    name: `${name}: ${of === 'whole' ? 'processor time' : 'longest block'}`,
    value: middle(costs, of),
    best: sorted(costs, of)[0] ?? Number.NaN,
    unit: 'ms',
  });
  const HONEST = row('an honest payload', honest, 'whole');
  const target = { most: MOST_MS / HONEST.value, otherwise: `${MOST_MS} ms at most` };
  const dearest = (of: keyof Cost) =>
    found.toSorted((a, b) => middle(b.costs, of) - middle(a.costs, of)).map(({ name, costs }) => row(name, costs, of));
  return withRatios([
    { ...HONEST, of: null },
    ...dearest('block')
      .slice(0, 4)
      .map((one) => ({ ...one, of: HONEST.name, target })),
    ...dearest('whole')
      .slice(0, 2)
      .map((one) => ({ ...one, of: HONEST.name })),
  ]);
}

async function floodRows(folder: string): Promise<readonly Row[]> {
  const caPath = join(folder, 'flooded.pem');
  const anchor = anchorOf('p384');
  await writeFile(caPath, pem(mintEkChain().root.der, certificateOf(anchor).der));
  const server = await SpireServer.start({
    nodeAttestors: [tpmAttestor('server', `ca_path = ${JSON.stringify(caPath)}`)],
    limitsAttestations: true,
  });
  const trusted = await server.bundle();
  const gates: Gate[] = [];
  const client = async (address: string): Promise<AttestAgentClient> => {
    const gate = await Gate.from(address, server.port);
    gates.push(gate);
    return AttestAgentClient.to({ port: gate.port, folder: server.folder, bundle: async () => trusted });
  };
  try {
    const honest = await inTurn(HONEST.machines, (i) => client(`127.0.2.${i + 1}`));
    const strangers = await inTurn(FLOOD.addresses, (i) => client(`127.0.1.${i + 1}`));
    const [layers] = costlyPayloads('p384', 'p521');
    const [, , , worst] = costlyPayloads('p384');
    if (layers === undefined || worst === undefined) throw new Error('the list of costly chains has changed');
    // Warm up: V8 compiles the code, and SPIRE creates every node.
    await phase(honest, 'warm', 3);
    const quiet = await phase(honest, 'quiet');
    const rows = [rowsOf('quiet', quiet)];
    for (const [title, { payload }] of [
      ['flood of nine self-made CAs', layers],
      ['flood of the costliest payload', worst],
    ] as const) {
      const flood = startFlood(strangers, payload);
      const flooded = await phase(honest, title);
      await flood.stop();
      rows.push(rowsOf(`${title}, ${FLOOD.perSecond} a second`, flooded));
    }
    for (const one of [...honest, ...strangers]) one.close();
    return withRatios(rows.flat());
  } finally {
    for (const gate of gates) gate.close();
    await server.stop();
  }
}

async function inTurn<T>(count: number, make: (i: number) => Promise<T>): Promise<readonly T[]> {
  const made: T[] = [];
  for (let i = 0; i < count; i++) made.push(await make(i));
  return made;
}

interface Phase {
  readonly latencies: readonly number[];
  readonly refused: number;
}

/** Honest machines attest with a new AK each time, so that the server knows none of them. */
async function phase(
  clients: readonly AttestAgentClient[],
  title: string,
  rounds = PHASE_MS / HONEST.everyMs,
): Promise<Phase> {
  const latencies: number[] = [];
  let refused = 0;
  const machine = async (client: AttestAgentClient, i: number): Promise<void> => {
    await sleep((i * HONEST.everyMs) / clients.length);
    for (let round = 0; round < rounds; round++) {
      const next = sleep(HONEST.everyMs);
      const device: Forger = forger(
        softwareDevice({ label: `honest ${i}`, ak: eccAk({ label: `${title} ${i} ${round}` }) }),
      );
      const began = performance.now();
      await client.attest(device).then(
        () => latencies.push(performance.now() - began),
        () => {
          refused += 1;
        },
      );
      await next;
    }
  };
  await Promise.all(clients.map(machine));
  return { latencies: latencies.sort((a, b) => a - b), refused };
}

function startFlood(clients: readonly AttestAgentClient[], payload: Uint8Array) {
  const open = new Set<Promise<unknown>>();
  let sent = 0;
  const timer = setInterval(() => {
    const client = clients[sent % clients.length];
    sent += 1;
    const attempt = client?.attest({ payload, answer: () => new Uint8Array() }).catch(() => undefined);
    if (attempt === undefined) return;
    open.add(attempt);
    void attempt.finally(() => open.delete(attempt));
  }, 1000 / FLOOD.perSecond);
  return {
    get sent(): number {
      return sent;
    },
    async stop(): Promise<void> {
      clearInterval(timer);
      // SPIRE may leave some attempts without an answer.
      await Promise.race([Promise.all(open), sleep(10_000)]);
    },
  };
}

const QUIET_P99 = 'honest machines, quiet: p99';

function rowsOf(title: string, { latencies, refused }: Phase): Parameters<typeof withRatios>[0] {
  const at = (part: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * part))] ?? Number.NaN;
  const name = `honest machines, ${title}`;
  const admitted = (100 * latencies.length) / (latencies.length + refused);
  const one = (what: string, value: number, unit: string) => ({ name: `${name}: ${what}`, value, best: value, unit });
  return [
    { ...one('p50', at(0.5), 'ms'), of: null },
    { ...one('p99', at(0.99), 'ms'), of: QUIET_P99, target: { most: 5, otherwise: 'a flood is to be felt little' } },
    { ...one('admitted', admitted, '%'), of: null, ...(admitted < 95 ? { note: 'target 95 %' } : {}) },
  ];
}

/** A port that forwards connections to the server from a given loopback address. */
class Gate {
  readonly port: number;
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async from(localAddress: string, port: number): Promise<Gate> {
    const server = createServer((inside) => {
      const outside = connect({ host: '127.0.0.1', port, localAddress });
      for (const [one, other] of [
        [inside, outside],
        [outside, inside],
      ] as const) {
        one.pipe(other);
        one.on('error', () => other.destroy());
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a listening TCP socket has a port');
    return new Gate(server, address.port);
  }

  close(): void {
    this.#server.close();
  }
}
