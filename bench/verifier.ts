/**
 * The verifier: attestations of machines seen for the first time and of known ones, beside their own raw operations and
 * beside go-attestation with crypto/x509.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { KnownMachines } from '../src/verifier/known-machines.ts';
import { begin, finish, type Pending } from '../src/verifier/verify.ts';
import { type Evidence, makeEvidence, type Recipe } from './evidence.ts';
import { askGoPeer, buildGoPeer, writeVector } from './go-peer.ts';
import { rawOperations } from './raw-operations.ts';
import { type Row, type Target, withRatios } from './row.ts';
import { Stopwatch, type Timing } from './stopwatch.ts';

const ROUNDS = 15;

/** Why a target is missed, where it is. */
const AROUND = 'reading, checks and garbage collection around the raw operations';
const ECC = 'OpenSSL multiplies every imported ECC key by the order of its curve, which Go does not';
const ECDH = 'the ECDH with the endorsement key, new for every challenge, is more than the budget';

type Unrelated = Parameters<typeof withRatios>[0][number];

const RECIPES: readonly Recipe[] = [
  { ek: 'rsa', ak: 'rsa', chain: 'configured' },
  { ek: 'rsa', ak: 'ecc', chain: 'configured' },
  { ek: 'ecc', ak: 'ecc', chain: 'configured' },
  { ek: 'rsa', ak: 'rsa', chain: 'sent' },
  { ek: 'rsa', ak: 'ecc', chain: 'sent' },
  { ek: 'ecc', ak: 'ecc', chain: 'sent' },
];

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
  const evidence = await makeEvidence(recipe);
  const vector = join(folder, `${recipe.ek}-${recipe.ak}-${recipe.chain}.json`);
  writeVector(vector, evidence);
  const watch = new Stopwatch({ ...ours(evidence), ...named('raw', rawOperations(evidence)) });
  for (let round = 0; round < ROUNDS; round++) {
    watch.round();
    if (typeof go === 'string') continue;
    for (const [name, figure] of Object.entries(await askGoPeer(go.path, vector))) watch.note(`go ${name}`, figure);
  }
  return rowsOf(recipe, watch, typeof go === 'string' ? go : undefined);
}

function rowsOf(recipe: Recipe, watch: Stopwatch, withoutGo: string | undefined): readonly Row[] {
  const of = `${recipe.ek.toUpperCase()} EK, ${recipe.ak.toUpperCase()} AK, issuer ${recipe.chain}`;
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
  const peerLess = 'go-attestation + crypto/x509, AK creation not looked at';
  const first = watch.timing('first');
  const repeat = watch.timing('repeat');
  const budget = ({ value, best }: Timing): Timing => ({ value: value * 1.3 + 60, best: best * 1.3 + 60 });
  const rows: readonly Unrelated[] = [
    row(raw, 'raw first'),
    row(peer, 'go all'),
    row(peerLess, 'go without_creation'),
    row('first attestation', 'first', raw, { most: 1.5, otherwise: AROUND }),
    row('first attestation, by the Go peer', 'first', peer, { most: 1, otherwise: recipe.ak === 'ecc' ? ECC : AROUND }),
    row('first attestation, by the Go peer without AK creation', 'first', peerLess),
    row('first attestation: begin', 'begin'),
    row('first attestation: finish', 'finish'),
    row(rawKnown, 'raw repeat'),
    { ...row(rawSignature, 'raw signature'), ...budget(watch.timing('raw signature')) },
    row('known machine', 'repeat', rawKnown),
    row('known machine, by the budget', 'repeat', rawSignature, {
      most: 1,
      otherwise: recipe.ek === 'ecc' ? ECDH : AROUND,
    }),
  ];
  return [
    ...withRatios(rows),
    perSecond(`${of}: first attestations`, first),
    perSecond(`${of}: attestations of known machines`, repeat),
  ];
}

function perSecond(name: string, { value, best }: Timing): Row {
  return { name, value: 1e6 / value, best: 1e6 / best, unit: '/s', ratio: null, of: null };
}

function ours({ payload, policy, pending, response }: Evidence): Readonly<Record<string, () => void>> {
  const now = new Date();
  const known = new KnownMachines(policy);
  known.remember(pending.payloadHash, policy, pending);
  const beginning = (acquaintances?: KnownMachines): void => {
    const begun = begin(payload, policy, randomBytes, now, acquaintances);
    if (begun.outcome !== 'challenged') throw new Error('no challenge was made');
  };
  const finishing = (answered: Pending): void => {
    if (finish(answered, response, now).verdict !== 'trusted') throw new Error('the evidence is not trusted');
  };
  const stranger: Pending = { ...pending, known: undefined };
  const acquaintance: Pending = { ...pending, known };
  return {
    begin: () => beginning(),
    finish: () => finishing(stranger),
    first: () => {
      beginning();
      finishing(stranger);
    },
    repeat: () => {
      beginning(known);
      finishing(acquaintance);
    },
  };
}

function named(prefix: string, actions: object): Readonly<Record<string, () => void>> {
  return Object.fromEntries(Object.entries(actions).map(([name, action]) => [`${prefix} ${name}`, action]));
}
