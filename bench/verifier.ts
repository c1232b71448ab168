/**
 * Times the verifier with attestations of new machines, whose CAs are new as well, and of known machines. Compares with
 * the raw operations, and with go-attestation and crypto/x509.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { KnownMachines } from '../src/verifier/known-machines.ts';
import { begin, finish, type Pending, type Policy } from '../src/verifier/verify.ts';
import { PathCache } from '../src/x509/path/path-cache.ts';
import { allocatedPerCall } from './allocation.ts';
import { type Evidence, makeEvidence, type Recipe } from './evidence.ts';
import { askGoPeer, buildGoPeer, writeVector } from './go-peer.ts';
import { rawOperations } from './raw-operations.ts';
import { type Row, type Target, withRatios } from './row.ts';
import { Stopwatch, type Timing } from './stopwatch.ts';

const ROUNDS = 15;
const MOST_KIB = 40;

/** Reasons for a missed target. */
const AROUND = 'reading, checks and garbage collection around the raw operations';
const ECC = 'OpenSSL below 3.5 multiplies every imported P-256 key by the order of its curve, which Go does not';
const ECDH = 'the ECDH with the endorsement key, new for every challenge, is more than the budget';
const CURVE = 'OpenSSL has no assembly for P-384';

type Unrelated = Parameters<typeof withRatios>[0][number];

const KEYS = [
  { ek: 'rsa', ak: 'rsa' },
  { ek: 'rsa', ak: 'ecc' },
  { ek: 'ecc', ak: 'ecc' },
] as const;
const CHAINS = ['configured', 'sent'] as const;

/** All kinds of keys below the CAs of swtpm; then one kind below each other kind of CA of TPM vendors. */
const RECIPES: readonly Recipe[] = CHAINS.flatMap((chain): readonly Recipe[] => [
  ...KEYS.map((keys) => ({ ...keys, authorities: ['rsa3072', 'rsa3072'] as const, chain })),
  { ek: 'rsa', ak: 'rsa', authorities: ['rsa2048', 'rsa4096'], chain },
  { ek: 'rsa', ak: 'ecc', authorities: ['p256', 'p256'], chain },
  { ek: 'ecc', ak: 'ecc', authorities: ['p384', 'p384'], chain },
]);

export async function measure({
  root,
  folder,
}: {
  readonly root: URL;
  readonly folder: string;
}): Promise<readonly Row[]> {
  const go = await buildGoPeer(root, folder, 'go-attestation');
  const rows: Row[] = [];
  for (const recipe of RECIPES) rows.push(...(await measureRecipe(recipe, folder, go)));
  return rows;
}

async function measureRecipe(
  recipe: Recipe,
  folder: string,
  go: { readonly path: string } | string,
): Promise<readonly Row[]> {
  const evidence = makeEvidence(recipe);
  const vector = join(folder, 'evidence.json');
  writeVector(vector, evidence);
  const own = ours(evidence);
  const watch = new Stopwatch({ ...own, ...named('raw', rawOperations(evidence)) });
  for (let round = 0; round < ROUNDS; round++) {
    watch.round();
    if (typeof go === 'string') continue;
    for (const [name, figure] of Object.entries(await askGoPeer(go.path, vector))) watch.note(`go ${name}`, figure);
  }
  return rowsOf(recipe, watch, allocatedPerCall(own.first), typeof go === 'string' ? go : undefined);
}

function rowsOf(recipe: Recipe, watch: Stopwatch, allocated: number, withoutGo: string | undefined): readonly Row[] {
  const { ek, ak, authorities, chain } = recipe;
  const of = `${ek.toUpperCase()} EK, ${ak.toUpperCase()} AK, ${authorities.join(' under ')} ${chain}`;
  const row = (title: string, timing: string, against: string | null = null, target?: Target): Unrelated => {
    const missing = withoutGo !== undefined && timing.startsWith('go ');
    return {
      name: `${of}: ${title}`,
      ...(missing ? { value: null, best: null, note: withoutGo } : watch.timing(timing)),
      unit: 'µs',
      of: against === null ? null : `${of}: ${against}`,
      target,
    };
  };
  const raw = 'raw operations of a first attestation';
  const rawKnown = 'raw operations of a known machine';
  const rawSignature = 'raw signature of the quote, 1.3 times, and 60 µs';
  const peer = 'go-attestation + crypto/x509';
  const budget = ({ value, best }: Timing): Timing => ({ value: value * 1.3 + 60, best: best * 1.3 + 60 });
  const slow = authorities[0] === 'p384' ? CURVE : ak === 'ecc' ? ECC : AROUND;
  const rows: readonly Unrelated[] = [
    row(raw, 'raw first'),
    row(peer, 'go first'),
    row('first attestation', 'first', raw, { most: 1.5, otherwise: AROUND }),
    row('first attestation, by the Go peer', 'first', peer, { most: 1.3, otherwise: slow }),
    // The server has the CAs in memory, because machines of the same make have sent them before.
    ...(chain === 'sent' ? [row('first attestation of a known make, by the Go peer', 'known make', peer)] : []),
    row(rawKnown, 'raw repeat'),
    { ...row(rawSignature, 'raw signature'), ...budget(watch.timing('raw signature')) },
    row('known machine', 'repeat', rawKnown),
    row('known machine, by the budget', 'repeat', rawSignature, {
      most: 1,
      otherwise: ek === 'ecc' ? ECDH : AROUND,
    }),
  ];
  const memory = { name: `${of}: first attestation, allocated`, value: allocated, best: allocated, unit: 'KiB' };
  return [
    ...withRatios(rows),
    { ...memory, ratio: null, of: null, ...(allocated > MOST_KIB ? { note: `target ${MOST_KIB} KiB` } : {}) },
    perSecond(`${of}: first attestations`, watch.timing('first')),
    perSecond(`${of}: attestations of known machines`, watch.timing('repeat')),
  ];
}

function perSecond(name: string, { value, best }: Timing): Row {
  return { name, value: 1e6 / value, best: 1e6 / best, unit: '/s', ratio: null, of: null };
}

function ours({ payload, policy, now, pending, response }: Evidence) {
  const known = new KnownMachines(policy);
  known.remember(pending.payloadHash, policy, pending);
  const beginning = (under: Policy, acquaintances?: KnownMachines): void => {
    const begun = begin(payload, under, randomBytes, now, acquaintances);
    if (begun.outcome !== 'challenged') throw new Error('no challenge was made');
  };
  const finishing = (answered: Pending): void => {
    if (finish(answered, response, now).verdict !== 'trusted') throw new Error('the evidence is not trusted');
  };
  const stranger: Pending = { ...pending, known: undefined };
  const acquaintance: Pending = { ...pending, known };
  return {
    first: () => {
      beginning({ ...policy, cache: new PathCache() });
      finishing(stranger);
    },
    'known make': () => {
      beginning(policy);
      finishing(stranger);
    },
    repeat: () => {
      beginning(policy, known);
      finishing(acquaintance);
    },
  };
}

function named(prefix: string, actions: object): Readonly<Record<string, () => void>> {
  return Object.fromEntries(Object.entries(actions).map(([name, action]) => [`${prefix} ${name}`, action]));
}
