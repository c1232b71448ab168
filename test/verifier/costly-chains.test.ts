/** What a stranger's certificates cost: counted, as a budget is, and never measured. */
import { expect, test } from 'vitest';
import { finished } from '../../src/bytes/pausable.ts';
import { judgeEkCertificate } from '../../src/verifier/ek-certificate.ts';
import { type Certificate, parseCertificate } from '../../src/x509/certificate.ts';
import { anchorsOf } from '../../src/x509/file/trust-store.ts';
import { MalformedCertificateError } from '../../src/x509/malformed-certificate.ts';
import { PathCache } from '../../src/x509/path/path-cache.ts';
import { crlsFrom } from '../../src/x509/path/revocation.ts';
import { SignatureChecks } from '../../src/x509/path/signature-checks.ts';
import { NOW } from '../support/certificate-recipe.ts';
import { costlyChains } from '../support/costly-chains.ts';
import {
  type Issuer,
  type KeyAlgorithm,
  keyPair,
  type Minted,
  mintAuthority,
  mintEkCertificate,
  spkiOf,
} from '../support/pki.ts';
import { bundle } from '../support/policy.ts';

/** Microseconds of the budget for one signature, as the product's table has them. */
const COST = { p256: 65, p384: 650, p521: 1250, rsa2048: 25 } as const;
type Priced = keyof typeof COST;

const ek = spkiOf(keyPair('p256', 'ek').publicKey);
const rootOf = (algorithm: KeyAlgorithm, label = 'priced root'): Issuer => ({
  issuer: 'Priced Root CA',
  key: keyPair(algorithm, label),
});
const rootCertificate = (root: Issuer, recipe = {}): Certificate =>
  mintAuthority(root.issuer, root.key, root, recipe).certificate;

function parsed(certificates: readonly Uint8Array[]): readonly Certificate[] {
  return certificates.flatMap((der) => {
    try {
      return [parseCertificate(der)];
    } catch (error) {
      if (error instanceof MalformedCertificateError) return [];
      throw error;
    }
  });
}

function judge(certificates: readonly Certificate[], anchors: readonly Certificate[], count = 1) {
  const [leaf, ...intermediates] = certificates as [Certificate, ...Certificate[]];
  const checks = new SignatureChecks();
  const before = checks.left;
  const bundles = Array.from({ length: count }, (_, i) =>
    bundle(anchorsOf(anchors), i + 1 < count ? { models: ['none'] } : {}, `b${i}`),
  );
  const policy = { bundles, crls: crlsFrom([]).crls, cache: new PathCache() };
  const verdict = finished(judgeEkCertificate({ leaf, intermediates, now: NOW, keyIsKnown: true }, policy, checks));
  const { left } = checks;
  return {
    verdict,
    codes: verdict.trusted ? [`ca:${verdict.certified.bundle}`] : verdict.problems.map(({ message }) => message),
    spent: before.search - left.search,
    told: before.telling - left.telling,
  };
}

test.each<Priced>(['p256', 'p384'])(
  'below an anchor of %s every costly chain is refused within the budget',
  (algorithm) => {
    const root = rootOf(algorithm);
    for (const { name, certificates } of costlyChains(ek, root, algorithm)) {
      const readable = parsed(certificates);
      if (readable.length === 0) continue;
      const { verdict, spent, told } = judge(readable, [rootCertificate(root)], 11);
      expect({ name, trusted: verdict.trusted }).toEqual({ name, trusted: false });
      expect(spent).toBeLessThanOrEqual(8000);
      expect(told).toBeLessThanOrEqual(1300);
    }
  },
);

test('CAs that no anchor signed cost the anchor’s key alone, whatever keys they have', () => {
  const root = rootOf('rsa2048');
  const spentOn = (part: string): number => {
    const chain = costlyChains(ek, root, 'p521').find(({ name }) => name.includes(part));
    return judge(parsed(chain?.certificates ?? []), [rootCertificate(root)]).spent;
  };
  // Those that name the anchor as their issuer: three, all ten, and none.
  expect(spentOn('three layers')).toBe(3 * COST.rsa2048);
  expect(spentOn('with the name of an anchor')).toBe(10 * COST.rsa2048);
  expect(spentOn('ends at no anchor')).toBe(0);
});

test('of CAs that an anchor did sign the rest of a crowd is checked as far as the budget goes', () => {
  const root = rootOf('p384');
  const chain = costlyChains(ek, root, 'p384').find(({ name }) => name.startsWith('four CAs of an anchor'));
  const { codes, spent } = judge(parsed(chain?.certificates ?? []), [rootCertificate(root)]);
  expect(codes).toContainEqual(expect.stringMatching(/^gave up/));
  expect(spent).toBeGreaterThan(8000 - COST.p384);
});

test('the work may pause before each check of a signature', () => {
  const root = rootOf('p384');
  const anchors = anchorsOf([rootCertificate(root)]);
  for (const { certificates } of costlyChains(ek, root, 'p384')) {
    const [leaf, ...intermediates] = parsed(certificates);
    if (leaf === undefined) continue;
    const checks = new SignatureChecks();
    const policy = { bundles: [bundle(anchors)], crls: crlsFrom([]).crls, cache: new PathCache() };
    const work = judgeEkCertificate({ leaf, intermediates, now: NOW, keyIsKnown: true }, policy, checks);
    const left = (): number => checks.left.search + checks.left.telling;
    for (let before = left(); work.next().done !== true; before = left())
      expect(before - left()).toBeLessThanOrEqual(COST.p384);
  }
});

/** A row of CAs with no key identifiers, as no real one is; leaf first, without the anchor. */
function row(root: Issuer, length: number, algorithm: KeyAlgorithm): readonly Minted[] {
  const anonymous = { authorityKeyId: null, subjectKeyId: null };
  const names = Array.from({ length }, (_, i): Issuer => ({ issuer: `CA ${i}`, key: keyPair(algorithm, `row ${i}`) }));
  const authorities = names.map(({ issuer, key }, i) => mintAuthority(issuer, key, names[i + 1] ?? root, anonymous));
  return [mintEkCertificate(names[0] ?? root, { publicKey: ek, ...anonymous }), ...authorities];
}

test.each<Priced>(['p256', 'p384', 'p521', 'rsa2048'])(
  'a chain of seven of %s is trusted by the last of eleven bundles with the same CAs',
  (algorithm) => {
    const root = rootOf(algorithm);
    const { codes, spent } = judge(
      row(root, 5, algorithm).map(({ certificate }) => certificate),
      [rootCertificate(root)],
      11,
    );
    expect(codes).toEqual(['ca:b10']);
    expect(Math.floor(spent / COST[algorithm])).toBeGreaterThanOrEqual(6);
  },
);

test('a chain of seven is trusted beside ten namesakes of its anchor, and a short one beside many is not', () => {
  const namesakes = (count: number): Certificate[] =>
    Array.from({ length: count }, (_, i) => rootCertificate(rootOf('p384', `namesake ${i}`), { subjectKeyId: null }));
  const root = rootOf('p384');
  const anchor = rootCertificate(root, { subjectKeyId: null });
  const below = (length: number, algorithm: KeyAlgorithm): readonly Certificate[] =>
    row(root, length, algorithm).map(({ certificate }) => certificate);
  expect(judge(below(5, 'p256'), [...namesakes(10), anchor]).codes).toEqual(['ca:b0']);
  expect(judge(below(0, 'p256'), [...namesakes(11), anchor]).codes).toEqual(['ca:b0']);
  expect(judge(below(0, 'p256'), [...namesakes(12), anchor]).codes).toEqual([expect.stringMatching(/^gave up/)]);
  // A key identifier names the one that is meant.
  const named = mintEkCertificate(root, { publicKey: ek }).certificate;
  expect(judge([named], [...namesakes(40), rootCertificate(root)]).codes).toEqual(['ca:b0']);
});

test('a sound chain is trusted whatever self-made CAs stand before and behind it', () => {
  const root = rootOf('p256');
  const anonymous = { authorityKeyId: null, subjectKeyId: null };
  const real: Issuer = { issuer: 'Real CA', key: keyPair('p256', 'real CA') };
  const leaf = mintEkCertificate(real, { publicKey: ek, ...anonymous }).certificate;
  const intermediate = mintAuthority(real.issuer, real.key, root, anonymous).certificate;
  const crowd = Array.from({ length: 8 }, (_, i) => {
    const key = keyPair('p521', `self-made ${i}`);
    return mintAuthority(real.issuer, key, { issuer: root.issuer, key }, anonymous).certificate;
  });
  const anchors = [rootCertificate(root)];
  expect(judge([leaf, ...crowd, intermediate], anchors).codes).toEqual(['ca:b0']);
  expect(judge([leaf, intermediate, ...crowd], anchors).codes).toEqual(['ca:b0']);
  expect(judge([leaf, ...crowd], anchors).verdict.trusted).toBe(false);
});
