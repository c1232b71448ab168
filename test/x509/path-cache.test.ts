import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Certificate } from '../../src/x509/certificate.ts';
import { anchorsOf } from '../../src/x509/file/trust-store.ts';
import { MalformedCertificateError } from '../../src/x509/malformed-certificate.ts';
import { type PathVerdict, validatePath } from '../../src/x509/path/path.ts';
import { PathCache } from '../../src/x509/path/path-cache.ts';
import { signatureProblem } from '../../src/x509/path/path-rules.ts';
import { type CertificateRecipe, commonName, NOW } from '../support/certificate-recipe.ts';
import { EK_USAGE, keyPair, type Minted, mintAuthority, mintEkChain, minted } from '../support/pki.ts';

const [ROOT, CA] = ['Test TPM Root CA', 'Test TPM Intermediate CA'];
const chain = mintEkChain();
const root = { issuer: ROOT, key: keyPair('p256', 'root') };
const otherRoot = { issuer: ROOT, key: keyPair('p256', 'other root') };
const caKey = keyPair('p256', 'intermediate');
const caOf = (signer: typeof root, recipe: CertificateRecipe = {}, key = caKey): Minted =>
  mintAuthority(CA, key, signer, { authorityKeyId: null, ...recipe });

/** The last bit of the signature changed: the same words, another certificate. */
function forged({ der }: Minted): Minted {
  const bytes = Uint8Array.from(der);
  return minted(bytes.with(-1, (bytes.at(-1) ?? 0) ^ 1));
}

const LATER = new Date('2027-01-01T00:00:00Z');
const sound = caOf(root);
/** All under one name and most with one key: what was found of one is not true of its neighbour. */
const INTERMEDIATES: readonly Minted[] = [
  sound,
  forged(sound),
  caOf(root, { notAfter: new Date('2026-01-01T00:00:00Z') }),
  caOf(root, { notBefore: LATER }),
  caOf(root, { hash: 'sha1' }),
  caOf(root, { keyUsage: ['cRLSign'] }),
  caOf(root, { basicConstraints: { ca: true, pathLength: 0 } }),
  caOf(otherRoot),
  caOf(otherRoot, { issuer: commonName('Nobody') }),
  caOf(root, {}, keyPair('p256', 'other intermediate')),
  caOf({ issuer: CA, key: caKey }, { subject: commonName('Below') }),
];
const leafOf = (leaf: CertificateRecipe): Minted => mintEkChain({ leaf }).leaf;
const LEAVES: readonly Minted[] = [
  chain.leaf,
  forged(chain.leaf),
  leafOf({ notAfter: new Date('2026-01-01T00:00:00Z') }),
  leafOf({ issuer: commonName('Below') }),
  leafOf({ hash: 'sha1' }),
  leafOf({ extKeyUsage: ['2.23.133.8.3'] }),
];
const rootCertificate = (key: typeof root): Certificate => mintAuthority(ROOT, key.key, key).certificate;
const ANCHORS = [[rootCertificate(root)], [rootCertificate(otherRoot)], [sound.certificate], []].map(anchorsOf);

interface Question {
  readonly leaf: number;
  readonly intermediates: readonly number[];
  readonly anchors: number;
  readonly now: Date;
  readonly allowSha1: boolean;
  readonly allowExpiredLeaf: boolean;
  readonly allowNotYetValid: boolean;
}

const index = (list: readonly unknown[]): fc.Arbitrary<number> => fc.nat({ max: list.length - 1 });
const question: fc.Arbitrary<Question> = fc.record({
  leaf: index(LEAVES),
  intermediates: fc.array(index(INTERMEDIATES), { maxLength: 4 }),
  anchors: index(ANCHORS),
  now: fc.constantFrom(NOW, LATER, new Date('2025-01-01T00:00:00Z')),
  allowSha1: fc.boolean(),
  allowExpiredLeaf: fc.boolean(),
  allowNotYetValid: fc.boolean(),
});

/** Certificates are read as the judge reads them: from the bytes of a message, by the cache where there is one. */
function ask({ leaf, intermediates, anchors, ...rest }: Question, cache?: PathCache): PathVerdict {
  const reader = cache ?? new PathCache();
  const read = (list: readonly Minted[], i: number): Certificate => reader.certificate((list[i] as Minted).der.slice());
  return validatePath({
    ...rest,
    leaf: read(LEAVES, leaf),
    intermediates: intermediates.map((i) => read(INTERMEDIATES, i)),
    anchors: ANCHORS[anchors] as (typeof ANCHORS)[number],
    requireEku: EK_USAGE,
    cache,
  });
}

/** All of it, certificates by their bytes. */
const told = (verdict: PathVerdict): unknown => ({
  ...verdict,
  chain: verdict.chain.map(({ fingerprint }) => fingerprint),
});

test('whatever was remembered before, the verdict is that of one who remembers nothing', () => {
  let accepted = 0;
  fc.assert(
    fc.property(fc.array(question, { minLength: 1, maxLength: 12 }), fc.constantFrom(1, 2, 512), (questions, most) => {
      const cache = new PathCache(most);
      for (const one of questions) {
        const fresh = ask(one);
        expect(told(ask(one, cache))).toEqual(told(fresh));
        if (fresh.ok) accepted++;
        expect(cache.size).toBeLessThanOrEqual(most);
      }
    }),
    { numRuns: 400 },
  );
  // Else there was nothing to remember.
  expect(accepted).toBeGreaterThan(100);
});

describe('of an accepted path', () => {
  const honest: Question = {
    ...{ leaf: 0, intermediates: [0], anchors: 0, now: NOW },
    ...{ allowSha1: false, allowExpiredLeaf: false, allowNotYetValid: false },
  };
  const forgedCa: Question = { ...honest, intermediates: [1] };

  test('the CAs below the anchor are remembered with who signed them, and the leaf is not', () => {
    const cache = new PathCache();
    expect(ask(honest, cache).ok).toBe(true);
    const [anchor] = ANCHORS[0]?.certificates ?? [];
    if (anchor === undefined) throw new Error('no anchor');
    expect(cache.size).toBe(1);
    expect(cache.isSigned(sound.certificate, anchor)).toBe(true);
    expect(cache.isSigned(chain.leaf.certificate, sound.certificate)).toBe(false);
    expect(cache.isSigned(anchor, sound.certificate)).toBe(false);
    expect(cache.isSigned(forged(sound).certificate, anchor)).toBe(false);
    expect(cache.isSigned(sound.certificate, rootCertificate(otherRoot))).toBe(false);
  });

  test('a CA is read once, and not as a view of the message it came in', () => {
    const cache = new PathCache();
    ask(honest, cache);
    const message = new Uint8Array(sound.der.length + 1000);
    message.set(sound.der, 500);
    const der = message.subarray(500, 500 + sound.der.length);
    const known = cache.certificate(der);
    expect(cache.certificate(der)).toBe(known);
    expect(known.der.buffer.byteLength).toBe(sound.der.length);
    expect(cache.certificate(chain.leaf.der)).not.toBe(cache.certificate(chain.leaf.der));
    expect(() => cache.certificate(der.subarray(1))).toThrow(MalformedCertificateError);
  });

  test('a signature is not verified again, and a forged one is found out all the same', () => {
    const cache = new PathCache();
    const [anchor] = ANCHORS[0]?.certificates ?? [];
    if (anchor === undefined) throw new Error('no anchor');
    ask(honest, cache);
    expect(ask(forgedCa, cache)).toMatchObject({ ok: false, problems: [{ code: 'bad_signature' }] });
    // What remembering saves is the signature alone.
    expect(signatureProblem(forged(sound).certificate, anchor, {}, false)?.code).toBe('bad_signature');
    expect(signatureProblem(forged(sound).certificate, anchor, {}, true)).toBeUndefined();
  });
});

test('a path that is refused leaves nothing behind', () => {
  const cache = new PathCache();
  const strict = { allowSha1: false, allowExpiredLeaf: false, allowNotYetValid: false };
  for (const [leaf] of LEAVES.entries())
    for (const anchors of [1, 3]) ask({ leaf, intermediates: [0, 1, 2, 3, 4, 5], anchors, now: NOW, ...strict }, cache);
  // Sound up to the anchor, and not the leaf.
  ask({ leaf: 2, intermediates: [0], anchors: 0, now: NOW, ...strict }, cache);
  expect(cache.size).toBe(0);
});

test('the longest unseen makes room', () => {
  const cache = new PathCache(2);
  const [anchor] = ANCHORS[0]?.certificates ?? [];
  const cas = [0, 1, 2].map((i) => caOf(root, { serial: Uint8Array.of(i + 1) }).certificate);
  const [first, second, third] = cas as [Certificate, Certificate, Certificate];
  if (anchor === undefined) throw new Error('no anchor');
  const remember = (ca: Certificate): void => cache.remember([chain.leaf.certificate, ca, anchor]);
  for (const ca of [first, second, first, third]) remember(ca);
  expect(cas.map((ca) => cache.isSigned(ca, anchor))).toEqual([true, false, true]);
});
