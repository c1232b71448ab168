import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { publicKeyHash, publicKeyOf } from '../../src/tpm/public-key.ts';
import { type Judged, KnownMachines } from '../../src/verifier/known-machines.ts';
import { type BundleRules, type DenySubject, MODES } from '../../src/verifier/policy.ts';
import { begin, finish, type Pending, type Policy } from '../../src/verifier/verify.ts';
import { anchorsOf } from '../../src/x509/file/trust-store.ts';
import { type Forger, forger } from '../support/forger.ts';
import { keyPair, mintAuthority, mintEkChain } from '../support/pki.ts';
import { bundle, testPolicy } from '../support/policy.ts';
import { type SoftwareDevice, softwareDevice } from '../support/software-device.ts';

const day = (n: number): Date => new Date(Date.UTC(2026, 0, 1 + n));
const HONEST = mintEkChain();
/** A second certificate of the root, whose time is another one: which of two paths holds changes with the day. */
const SECOND_ROOT = mintAuthority(
  'Test TPM Root CA',
  keyPair('p256', 'root'),
  { issuer: 'Test TPM Root CA', key: keyPair('p256', 'root') },
  { notBefore: day(4), notAfter: day(12) },
);

const ANCHORS = anchorsOf([HONEST.root.certificate, SECOND_ROOT.certificate]);
const policyOf = (rules: Partial<BundleRules> = {}, changes: Partial<Policy> = {}): Policy =>
  testPolicy({ bundles: [bundle(ANCHORS, rules)], ...changes });
const POLICY = policyOf();

const limited = (from: number, until: number) => ({ notBefore: day(from), notAfter: day(until) });
const DEVICES: readonly SoftwareDevice[] = [
  softwareDevice({ label: 'steady' }),
  softwareDevice({ label: 'leaf ends', chain: { leaf: limited(0, 6) } }),
  softwareDevice({ label: 'leaf begins', chain: { leaf: limited(5, 20) } }),
  softwareDevice({ label: 'CA ends', chain: { intermediate: limited(2, 9) } }),
];
const FORGERS: readonly Forger[] = [
  ...DEVICES.map((device) => forger(device)),
  // Never admitted.
  forger({ ...softwareDevice({ label: 'thief' }), certificates: softwareDevice({ label: 'steady' }).certificates }),
  // Admitted by the list alone.
  forger({ ...softwareDevice({ label: 'steady' }), certificates: [] }),
];
const HASHES = DEVICES.map(({ ek }) => {
  const key = publicKeyOf(ek.publicArea);
  return key === undefined ? '' : publicKeyHash(key);
});

/** What came of an attestation, without what is random in it. */
function attest({ payload, answer }: Forger, policy: Policy, now: Date, known?: KnownMachines): unknown {
  const begun = begin(payload, policy, randomBytes, now, known);
  return begun.outcome === 'rejected' ? begun.verdict : finish(begun.pending, answer(begun.challenge), now);
}

describe('whether a machine is known', () => {
  test('never changes the verdict, whatever happened before and whenever it is asked', () => {
    const visit = fc.record({
      forger: fc.nat({ max: FORGERS.length - 1 }),
      /** Days, and one moment beside them: ends and beginnings are where it matters. */
      at: fc.tuple(fc.nat({ max: 14 }), fc.integer({ min: -1, max: 1 })),
      listed: fc.option(fc.nat({ max: HASHES.length - 1 }), { nil: undefined, freq: 3 }),
      denied: fc.option(fc.nat({ max: HASHES.length - 1 }), { nil: undefined, freq: 3 }),
    });
    const visits = fc.array(visit, { minLength: 2, maxLength: 25 });
    const rules = fc.record({ allowExpiredLeaf: fc.boolean(), allowNotYetValid: fc.boolean() });
    const policies = fc.record({ mode: fc.constantFrom(...MODES), enforce: fc.boolean() });
    let remembered = 0;
    fc.assert(
      fc.property(visits, rules, policies, fc.integer({ min: 1, max: 6 }), (history, rule, changes, most) => {
        let listed: string | undefined;
        let denied: string | undefined;
        const isListed = (hash: string): boolean => hash === listed;
        const isDenied = ({ pubHash }: DenySubject): boolean => pubHash === denied;
        const policy = policyOf(rule, { ...changes, isListed, isDenied });
        const known = new KnownMachines(policy, most);
        for (const { forger: index, at, listed: entry, denied: keptOut } of history) {
          const now = new Date(day(at[0]).getTime() + at[1]);
          listed = entry === undefined ? undefined : HASHES[entry];
          denied = keptOut === undefined ? undefined : HASHES[keptOut];
          const machine = FORGERS[index];
          if (machine === undefined) throw new RangeError('no such machine');
          expect(attest(machine, policy, now, known)).toEqual(attest(machine, policy, now));
          expect(known.size).toBeLessThanOrEqual(most);
          remembered += known.size;
        }
      }),
      { numRuns: 60 },
    );
    expect(remembered).toBeGreaterThan(0);
  });

  test('is of no account under another policy, though every word of it were the same', () => {
    const { judged, hash } = provedBy(POLICY);
    const known = new KnownMachines(POLICY);
    known.remember(hash, POLICY, judged);
    expect(known.recall(hash, POLICY, day(1))).toEqual(judged);
    expect(known.recall(hash, { ...POLICY }, day(1))).toBeUndefined();
    known.remember('other', { ...POLICY }, judged);
    expect(known.size).toBe(1);
  });

  test('is found out by an answer, not by a claim', () => {
    const known = new KnownMachines(POLICY);
    const [honest] = FORGERS;
    if (honest === undefined) throw new RangeError('no such machine');
    const begun = begin(honest.payload, POLICY, randomBytes, day(1), known);
    expect([begun.outcome, known.size]).toEqual(['challenged', 0]);
    const pending = begun.outcome === 'challenged' ? begun.pending : undefined;
    expect(pending && finish(pending, new Uint8Array(), day(1)).verdict).toBe('untrusted');
    expect(known.size).toBe(0);
    attest(honest, POLICY, day(1), known);
    expect(known.size).toBe(1);
  });
});

test('the longest unseen makes room', () => {
  const { judged } = provedBy(POLICY);
  const known = new KnownMachines(POLICY, 2);
  for (const name of ['a', 'b', 'a', 'c']) known.remember(name, POLICY, judged);
  const kept = ['a', 'b', 'c'].filter((name) => known.recall(name, POLICY, day(1)) !== undefined);
  expect(kept).toEqual(['a', 'c']);
});

function provedBy(policy: Policy): { readonly judged: Judged; readonly hash: string } {
  const [honest] = FORGERS;
  const begun = honest === undefined ? undefined : begin(honest.payload, policy, randomBytes, day(1));
  if (begun?.outcome !== 'challenged') throw new Error('the honest machine is refused');
  const { ek, ak, requirement, version, payloadHash }: Pending = begun.pending;
  return { judged: { ek, ak, requirement, version }, hash: payloadHash };
}
