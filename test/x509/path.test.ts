import { Buffer } from 'node:buffer';
import { expect, test } from 'vitest';
import type { Certificate } from '../../src/x509/certificate.ts';
import { anchorsOf } from '../../src/x509/file/trust-store.ts';
import { type PathQuestion, type PathVerdict, validatePath } from '../../src/x509/path/path.ts';
import { steadyPeriod } from '../../src/x509/validity.ts';
import { commonName, type ExtensionRecipe, NOW, signatureAlgorithm } from '../support/certificate-recipe.ts';
import { derNull, integer, octetString, oid, sequence, tlv } from '../support/der-writer.ts';
import {
  EK_USAGE,
  type EkChain,
  type EkChainRecipe,
  type KeyPair,
  keyIdOf,
  keyPair,
  type Minted,
  mintAuthority,
  mintEkCertificate,
  mintEkChain,
  minted,
  spkiOf,
} from '../support/pki.ts';

const judge = (chain: EkChain, question: Partial<PathQuestion> = {}): PathVerdict =>
  validatePath({
    leaf: chain.leaf.certificate,
    intermediates: [chain.intermediate.certificate],
    anchors: chain.anchors,
    now: NOW,
    requireEku: EK_USAGE,
    ...question,
  });

const codes = (verdict: PathVerdict): string[] => (verdict.ok ? ['ok'] : verdict.problems.map(({ code }) => code));
const certificates = (...list: Minted[]): Certificate[] => list.map(({ certificate }) => certificate);

const unknownCritical: ExtensionRecipe = { oid: '1.3.6.1.4.1.99999.1', critical: true, value: derNull() };
const expiredEnd = new Date('2026-05-31T23:59:59Z');
const laterStart = new Date('2026-06-02T00:00:00Z');

test('a sound chain is trusted, and told leaf first and anchor last', () => {
  const chain = mintEkChain();
  expect(judge(chain)).toEqual({
    ok: true,
    chain: certificates(chain.leaf, chain.intermediate, chain.root),
    notes: [],
    steady: steadyPeriod(certificates(chain.leaf, chain.intermediate, chain.root), NOW),
  });
});

test('a verdict is steady until any certificate that was tried begins or ends, be it in the path or not', () => {
  const later = new Date('2030-01-01T00:00:00Z');
  const chain = mintEkChain({ leaf: { notAfter: new Date('2031-01-01T00:00:00Z') } });
  const alone = judge(chain);
  // The same CA once more, tried first and not valid yet.
  const sooner = mintEkChain({ intermediate: { notBefore: later, serial: Uint8Array.of(9) } }).intermediate;
  const beside = judge(chain, { intermediates: certificates(sooner, chain.intermediate) });
  expect([alone, beside].map((verdict) => verdict.ok && new Date(verdict.steady.until).toISOString())).toEqual([
    '2031-01-01T00:00:00.000Z',
    '2029-12-31T23:59:59.999Z',
  ]);
});

test.each(['p256', 'p384', 'p521', 'rsa2048', 'rsa3072'] as const)('a chain of %s keys is trusted', (keyAlgorithm) => {
  for (const hash of ['sha256', 'sha384', 'sha512'] as const) {
    expect(codes(judge(mintEkChain({ keyAlgorithm, leaf: { hash }, intermediate: { hash } })))).toEqual(['ok']);
  }
});

const accepted: readonly [string, EkChainRecipe, Partial<PathQuestion>?][] = [
  ['an intermediate without key usage', { intermediate: { keyUsage: null } }],
  ['a path length of 0 above the leaf', { intermediate: { basicConstraints: { ca: true, pathLength: 0 } } }],
  ['critical certificate policies', { intermediate: { extraExtensions: [policies(true)] } }],
  ['a CA that lists the EK purpose', { intermediate: { extKeyUsage: [EK_USAGE, '1.3.6.1.4.1.311.122.2'] } }],
  ['a CA that lists any purpose', { intermediate: { extKeyUsage: ['2.5.29.37.0'] } }],
  ['a leaf without authority key id', { leaf: { authorityKeyId: null } }],
  ['a CA without subject key id', { intermediate: { subjectKeyId: null } }],
  ['a leaf that ends this second', { leaf: { notAfter: NOW } }],
  ['a leaf that begins this second', { leaf: { notBefore: NOW } }],
  ['a leaf older than its CA', { intermediate: { notBefore: new Date('2026-01-01T00:00:00Z') } }],
  ['a leaf that outlives its CA', { intermediate: { notAfter: new Date('2026-07-01T00:00:00Z') } }],
  ['an expired leaf where that is allowed', { leaf: { notAfter: expiredEnd } }, { allowExpiredLeaf: true }],
  ['a root whose own signature is SHA-1', { keyAlgorithm: 'rsa2048', root: { hash: 'sha1' } }],
  ['any leaf purpose where none is required', { leaf: { extKeyUsage: null } }, { requireEku: undefined }],
];

test.each(accepted)('trusts %s', (_, recipe, question) => {
  expect(codes(judge(mintEkChain(recipe), question))).toEqual(['ok']);
});

/** Beside the faults on which libraries differ: those are in library-matrix.test.ts. */
const rejected: readonly [string, string, EkChainRecipe, Partial<PathQuestion>?][] = [
  ['an anchor without basicConstraints', 'not_a_ca', { root: { basicConstraints: null } }],
  ['an anchor without keyCertSign', 'missing_key_cert_sign', { root: { keyUsage: ['digitalSignature'] } }],
  [
    'an unknown critical extension in the anchor',
    'unknown_critical_extension',
    { root: { extraExtensions: [unknownCritical] } },
  ],
  ['critical policy constraints', 'unknown_critical_extension', { root: { extraExtensions: [critical('2.5.29.36')] } }],
  ['a critical inhibitAnyPolicy', 'unknown_critical_extension', { root: { extraExtensions: [critical('2.5.29.54')] } }],
  ['an anchor for attestation keys only', 'eku', { root: { extKeyUsage: ['2.23.133.8.3'] } }],
  ['a TLS certificate of the same CA', 'eku', { leaf: { extKeyUsage: ['1.3.6.1.5.5.7.3.1'] } }],
  ['a leaf for any purpose', 'eku', { leaf: { extKeyUsage: ['2.5.29.37.0'] } }],
  ['a leaf without purpose', 'eku', { leaf: { extKeyUsage: null } }],
  ['a leaf one second past its end', 'expired', { leaf: { notAfter: new Date(NOW.getTime() - 1000) } }],
  [
    'an expired CA where leaves may be',
    'expired',
    { intermediate: { notAfter: expiredEnd } },
    { allowExpiredLeaf: true },
  ],
  ['an expired anchor', 'expired', { root: { notAfter: expiredEnd } }, { allowExpiredLeaf: true }],
  ['a leaf one second before its begin', 'not_yet_valid', { leaf: { notBefore: new Date(NOW.getTime() + 1000) } }],
  [
    'a leaf before its begin where expiry is allowed',
    'not_yet_valid',
    { leaf: { notBefore: laterStart } },
    { allowExpiredLeaf: true },
  ],
  ['a CA before its begin', 'not_yet_valid', { intermediate: { notBefore: laterStart } }],
  ['a leaf signed with SHA-1', 'weak_signature', { keyAlgorithm: 'rsa2048', leaf: { hash: 'sha1' } }],
  ['a leaf signed with ECDSA and SHA-1', 'weak_signature', { leaf: { hash: 'sha1' } }],
  ['a CA signed with SHA-1', 'weak_signature', { keyAlgorithm: 'rsa2048', intermediate: { hash: 'sha1' } }],
  ['CAs with RSA keys of 1024 bits', 'weak_key', { keyAlgorithm: 'rsa1024', leaf: { publicKey: ek() } }],
  [
    'a signature algorithm that is not known',
    'unsupported_signature',
    { leaf: { signatureAlgorithm: sequence(oid('1.3.101.112')) } },
  ],
  ['a key id that is not the issuer’s', 'unknown_issuer', { leaf: { authorityKeyId: Uint8Array.of(1, 2, 3) } }],
];

test.each(rejected)('rejects %s with %s', (_, code, recipe, question) => {
  expect(codes(judge(mintEkChain(recipe), question))).toEqual([code]);
});

test('rejects a leaf with one bit of its signed part changed', () => {
  const chain = mintEkChain();
  const der = Uint8Array.from(chain.leaf.der);
  const at = Buffer.from(der).indexOf('SLB 9670');
  der[at] = (der[at] ?? 0) ^ 1;
  expect(codes(judge({ ...chain, leaf: minted(der) }))).toEqual(['bad_signature']);
});

test('rejects a leaf with one bit of its signature changed', () => {
  const chain = mintEkChain({ keyAlgorithm: 'rsa2048' });
  const der = Uint8Array.from(chain.leaf.der);
  der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
  expect(codes(judge({ ...chain, leaf: minted(der) }))).toEqual(['bad_signature']);
});

test('rejects an ECDSA signature under an RSA issuer, and the reverse', () => {
  const ec = keyPair('p256', 'intermediate').privateKey;
  const rsa = keyPair('rsa2048', 'intermediate').privateKey;
  const underRsa = mintEkChain({
    keyAlgorithm: 'rsa2048',
    leaf: { signatureAlgorithm: signatureAlgorithm(ec, 'sha256') },
  });
  const underEc = mintEkChain({ leaf: { signatureAlgorithm: signatureAlgorithm(rsa, 'sha256') } });
  expect(codes(judge(underRsa))).toEqual(['bad_signature']);
  expect(codes(judge(underEc))).toEqual(['bad_signature']);
});

test('rejects a path length exceeded by one intermediate more, and does not count a self-issued one', () => {
  const rootKey = keyPair('p256', 'root');
  const key = keyPair('p256', 'between');
  const issuer = { issuer: 'R', key: rootKey };
  const root = mintAuthority('R', rootKey, issuer, { basicConstraints: { ca: true, pathLength: 0 } });
  const leaf = mintEkCertificate({ issuer: 'R', key }, { publicKey: ek() });
  const selfIssued = mintAuthority('R', key, issuer);
  const other = mintAuthority('S', key, issuer);
  const otherLeaf = mintEkCertificate({ issuer: 'S', key }, { publicKey: ek() });
  const anchors = anchorsOf([root.certificate]);
  const ask = (end: Minted, between: Minted): PathVerdict =>
    validatePath({ leaf: end.certificate, intermediates: [between.certificate], anchors, now: NOW });
  expect(codes(ask(leaf, selfIssued))).toEqual(['ok']);
  expect(codes(ask(otherLeaf, other))).toEqual(['path_length']);
});

test('an intermediate from evidence is never an anchor', () => {
  const chain = mintEkChain();
  const verdict = judge(chain, {
    intermediates: certificates(chain.intermediate, chain.root),
    anchors: anchorsOf([]),
  });
  expect(codes(verdict)).toEqual(['unknown_issuer']);
});

test('a configured certificate that is not self-signed is an anchor, with the root above it unknown', () => {
  const chain = mintEkChain();
  const verdict = judge(chain, { intermediates: [], anchors: anchorsOf([chain.intermediate.certificate]) });
  const path = certificates(chain.leaf, chain.intermediate);
  expect(verdict).toEqual({ ok: true, chain: path, notes: [], steady: steadyPeriod(path, NOW) });
});

test('a leaf that is itself configured is not trusted by that', () => {
  const chain = mintEkChain();
  expect(codes(judge(chain, { intermediates: [], anchors: anchorsOf([chain.leaf.certificate]) }))).toEqual([
    'unknown_issuer',
  ]);
});

test('rejects a self-signed leaf under the name of an anchor', () => {
  const key = keyPair('p256', 'ek');
  const chain = mintEkChain();
  const forged = mintEkCertificate(
    { issuer: 'Test TPM Root CA', key },
    { publicKey: spkiOf(key.publicKey), subject: commonName('Test TPM Root CA'), authorityKeyId: null },
  );
  expect(codes(judge({ ...chain, leaf: forged }))).toEqual(['bad_signature']);
});

test('names the issuer that is missing, its key and where to get it', () => {
  const aia = sequence(sequence(oid('1.3.6.1.5.5.7.48.2'), tlv(0x86, Buffer.from('http://ca.example/i.crt'))));
  const chain = mintEkChain({ leaf: { extraExtensions: [{ oid: '1.3.6.1.5.5.7.1.1', value: aia }] } });
  expect(judge(chain, { intermediates: [] })).toMatchObject({
    ok: false,
    problems: [{ code: 'unknown_issuer' }],
    missingIssuer: {
      name: 'CN=Test TPM Intermediate CA',
      keyId: keyIdOf(spkiOf(chain.intermediateKey.publicKey)),
      addresses: ['http://ca.example/i.crt'],
    },
  });
});

test('an address list that cannot be read does not get in the way of the verdict', () => {
  const chain = mintEkChain({ leaf: { extraExtensions: [{ oid: '1.3.6.1.5.5.7.1.1', value: octetString() }] } });
  expect(judge(chain, { intermediates: [] })).toMatchObject({ missingIssuer: { addresses: [] } });
});

test('tries both of two CAs with one name and different keys, in either order', () => {
  const chain = mintEkChain({ leaf: { authorityKeyId: null } });
  const other = lookAlike(chain, keyPair('p256', 'other').publicKey);
  for (const intermediates of [certificates(other, chain.intermediate), certificates(chain.intermediate, other)]) {
    expect(codes(judge(chain, { intermediates }))).toEqual(['ok']);
  }
  expect(codes(judge(chain, { intermediates: certificates(other) }))).toEqual(['bad_signature']);
});

test('names the issuer that is missing above a dead end', () => {
  const chain = mintEkChain();
  const deadEnd = lookAlike(chain, chain.intermediateKey.publicKey, 'Fake Root CA');
  expect(judge(chain, { intermediates: certificates(deadEnd) })).toMatchObject({
    missingIssuer: { name: 'CN=Fake Root CA' },
  });
});

test('goes past an expired twin of the right CA', () => {
  const chain = mintEkChain();
  const twin = mintEkChain({ intermediate: { notAfter: expiredEnd } }).intermediate;
  expect(codes(judge(chain, { intermediates: certificates(twin, chain.intermediate) }))).toEqual(['ok']);
  expect(codes(judge(chain, { intermediates: certificates(twin) }))).toEqual(['expired']);
});

test('of several failed paths tells the one that came furthest', () => {
  const chain = mintEkChain({ root: { notAfter: expiredEnd } });
  const deadEnd = lookAlike(chain, chain.intermediateKey.publicKey, 'Fake Root CA');
  for (const intermediates of [certificates(deadEnd, chain.intermediate), certificates(chain.intermediate, deadEnd)]) {
    const verdict = judge(chain, { intermediates });
    expect(codes(verdict)).toEqual(['expired']);
    expect(verdict).not.toHaveProperty('missingIssuer');
  }
});

test('two CAs that vouch for each other lead nowhere, and the search ends', () => {
  const a = keyPair('p256', 'a');
  const b = keyPair('p256', 'b');
  const intermediates = certificates(
    mintAuthority('A', a, { issuer: 'B', key: b }),
    mintAuthority('B', b, { issuer: 'A', key: a }),
  );
  const leaf = mintEkCertificate({ issuer: 'A', key: a }, { publicKey: ek() }).certificate;
  const { anchors } = mintEkChain();
  expect(codes(validatePath({ leaf, intermediates, anchors, now: NOW }))).toEqual(['unknown_issuer']);
  // The neighbour: one of the two is configured.
  expect(codes(validatePath({ leaf, intermediates, anchors: anchorsOf(intermediates.slice(1)), now: NOW }))).toEqual([
    'ok',
  ]);
});

test('follows a path of ten certificates, and none of eleven', () => {
  expect(codes(tower(8))).toEqual(['ok']);
  expect(codes(tower(9))).toEqual(['too_deep']);
});

test('the key id puts the right CA before any crowd under its name', () => {
  const chain = mintEkChain();
  const other = keyPair('p256', 'other').publicKey;
  const crowd = Array.from({ length: 200 }, (_, i) => lookAlike(chain, other, 'X', Uint8Array.of(1, i)).certificate);
  expect(codes(judge(chain, { intermediates: [...crowd, chain.intermediate.certificate] }))).toEqual(['ok']);
});

test('names the first of many critical extensions in one problem, and how many there are', () => {
  const extraExtensions = (count: number): ExtensionRecipe[] =>
    Array.from({ length: count }, (_, i) => critical(`1.3.6.1.4.1.99999.${i}`));
  const messages = (count: number): string[] => {
    const verdict = judge(mintEkChain({ intermediate: { extraExtensions: extraExtensions(count) } }));
    return verdict.ok ? [] : verdict.problems.map(({ message }) => message);
  };
  const first = [0, 1, 2, 3].map((i) => `1.3.6.1.4.1.99999.${i}`).join(', ');
  expect(messages(4)).toEqual([expect.stringMatching(new RegExp(`: ${first}$`))]);
  expect(messages(24)).toEqual([expect.stringMatching(new RegExp(`: ${first} and 20 more$`))]);
});

test.each([1, 2, 3])('looks once at each of %i namesakes per level, however many branches lead to it', (width) => {
  const keys = [1, 2, 3].map((level) => keyPair('p256', `level ${level}`));
  const [key1, key2, key3] = keys as [KeyPair, KeyPair, KeyPair];
  let looks = 0;
  const watched = ({ certificate }: Minted): Certificate => {
    const { extensions } = certificate;
    const get = (): typeof extensions => {
      looks += 1;
      return extensions;
    };
    return Object.defineProperty(certificate, 'extensions', { get });
  };
  const intermediates = Array.from({ length: width }, (_, i) => [
    mintAuthority('L1', key1, { issuer: 'L2', key: key2 }, { serial: Uint8Array.of(1, i) }),
    mintAuthority('L2', key2, { issuer: 'L3', key: key3 }, { serial: Uint8Array.of(2, i) }),
    mintAuthority('L3', key3, { issuer: 'X', key: key3 }, { serial: Uint8Array.of(3, i) }),
  ])
    .flat()
    .map(watched);
  const leaf = mintEkCertificate({ issuer: 'L1', key: key1 }, { publicKey: ek() }).certificate;
  expect(codes(judge(mintEkChain(), { leaf, intermediates }))).toEqual(['unknown_issuer']);
  // One look for its own problems, and one in all for the addresses of the issuer that is missing.
  expect(looks).toBe(3 * width + 1);
});

test('reports the leaf’s own faults beside those of the path', () => {
  const chain = mintEkChain({ leaf: { notAfter: expiredEnd }, intermediate: { basicConstraints: null } });
  expect(codes(judge(chain))).toEqual(['expired', 'not_a_ca']);
});

test('a date that is none is the caller’s mistake', () => {
  expect(() => judge(mintEkChain(), { now: new Date(Number.NaN) })).toThrow(TypeError);
});

test('messages cannot forge a log line', () => {
  const chain = mintEkChain({ leaf: { issuer: commonName('Evil\n\u202eCA') } });
  const verdict = judge(chain);
  expect(verdict).toMatchObject({
    ok: false,
    problems: [{ message: expect.stringContaining('Evil\\u{a}\\u{202e}CA') }],
  });
});

function ek(): Uint8Array {
  return spkiOf(keyPair('p256', 'ek').publicKey);
}

function policies(isCritical: boolean): ExtensionRecipe {
  return { oid: '2.5.29.32', critical: isCritical, value: sequence(sequence(oid('2.5.29.32.0'))) };
}

function critical(type: string): ExtensionRecipe {
  return { oid: type, critical: true, value: sequence(integer(0)) };
}

/** A CA with the intermediate's name, issued by the chain's root key under any issuer name. */
function lookAlike(
  chain: EkChain,
  publicKey: Parameters<typeof spkiOf>[0],
  issuer = 'Test TPM Root CA',
  serial = Uint8Array.of(9),
): Minted {
  return mintAuthority(
    'Test TPM Intermediate CA',
    { publicKey, privateKey: chain.intermediateKey.privateKey },
    { issuer, key: chain.rootKey },
    {
      serial,
      authorityKeyId: null,
      subjectKeyId: publicKey === chain.intermediateKey.publicKey ? keyIdOf(spkiOf(publicKey)) : keyIdOf(serial),
    },
  );
}

/** A path of a leaf, this many intermediates, and an anchor. */
function tower(height: number): PathVerdict {
  const keys = Array.from({ length: height + 1 }, (_, i) => keyPair('p256', `tower ${i}`));
  const authorities = keys.map((key, i) =>
    mintAuthority(`T${i}`, key, { issuer: `T${Math.max(i - 1, 0)}`, key: keys[Math.max(i - 1, 0)] ?? key }),
  );
  const [root, ...intermediates] = certificates(...authorities);
  const issuer = { issuer: `T${height}`, key: keys[height] ?? keyPair('p256', 'none') };
  const leaf = mintEkCertificate(issuer, { publicKey: ek() }).certificate;
  return validatePath({ leaf, intermediates, anchors: anchorsOf(root === undefined ? [] : [root]), now: NOW });
}
