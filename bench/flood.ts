/**
 * What a stranger's costliest payloads take, and what honest machines see of a flood of them through a genuine
 * spire-server with its rate limit on.
 */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { tpmAttestor } from '../src/cli/spire-plugin-block.ts';
import { SpireServer } from '../src/cli/spire-server.ts';
import { begin } from '../src/verifier/verify.ts';
import { anchorsOf } from '../src/x509/trust-store.ts';
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
/** One a second from each address is what SPIRE lets through. */
const FLOOD = { addresses: 40, perSecond: 20 };
const HONEST = { machines: 8, everyMs: 1200 };

export async function measure({ folder }: { readonly folder: string }): Promise<readonly Row[]> {
  return [...payloadRows(), ...(await floodRows(folder))];
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

/** @param algorithm of the anchor; `own` of the sender's keys */
function costlyPayloads(algorithm: KeyAlgorithm, own: KeyAlgorithm = algorithm): readonly Costly[] {
  const device = softwareDevice();
  const ek = spkiOf(publicHalf(device.ek.privateKey));
  return costlyChains(ek, anchorOf(algorithm), own).map(({ name, certificates }) => ({
    name,
    payload: forger({ ...device, certificates }).payload,
  }));
}

/** Milliseconds of processor time that one payload holds up the event loop. */
function payloadRows(): readonly Row[] {
  const cost = (payload: Uint8Array, anchors: ReturnType<typeof anchorsOf>): readonly number[] => {
    const policy = testPolicy({ mode: 'certificate', bundles: [bundle(anchors)] });
    const rounds = Array.from({ length: ROUNDS }, () => {
      const before = process.cpuUsage();
      begin(payload, policy, randomBytes, new Date());
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    });
    return rounds.sort((a, b) => a - b);
  };
  const honest = cost(forger(softwareDevice()).payload, mintEkChain().anchors);
  const found = (['p384', 'p521'] as const).flatMap((algorithm) => {
    const anchors = anchorsOf([certificateOf(anchorOf(algorithm)).certificate]);
    return costlyPayloads(algorithm).map(({ name, payload }) => ({
      name: `${algorithm}: ${name}`,
      rounds: cost(payload, anchors),
    }));
  });
  const middle = (rounds: readonly number[]): number => rounds[ROUNDS >> 1] ?? Number.NaN;
  const HONEST_ROW = 'one payload of an honest machine';
  const row = (name: string, rounds: readonly number[]) => ({
    name,
    value: middle(rounds),
    best: rounds[0] ?? Number.NaN,
    unit: 'ms',
  });
  const target = { most: MOST_MS / middle(honest), otherwise: `${MOST_MS} ms at most, on a quiet machine` };
  return withRatios([
    { ...row(HONEST_ROW, honest), of: null },
    ...found
      .toSorted((a, b) => middle(b.rounds) - middle(a.rounds))
      .slice(0, 4)
      .map(({ name, rounds }) => ({ ...row(name, rounds), of: HONEST_ROW, target })),
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
    if (layers === undefined || worst === undefined) throw new Error('the costly chains are others');
    // Everything compiled, every node created.
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

/** Honest machines attest with a new attestation key each time, so that none is a known one. */
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
      // SPIRE need not answer all of them.
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

/** A port of its own whose connections come to the server from an address of the loopback network. */
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
