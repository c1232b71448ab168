import { describe, expect, test } from 'vitest';
import { authorityFaults, judgeAuthorities, type Severity } from '../../src/x509/authority/authority-problems.ts';
import { authorityReport, selfSignature } from '../../src/x509/authority/authority-report.ts';
import type { Certificate } from '../../src/x509/certificate.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { authorities, certificateFile } from '../support/certificate-corpus.ts';
import { type CertificateRecipe, commonName, NOW } from '../support/certificate-recipe.ts';
import { describeCorpus } from '../support/corpus.ts';
import { derNull, octetString } from '../support/der-writer.ts';
import { EK_USAGE, keyPair, mintAuthority, mintEkChain } from '../support/pki.ts';

const key = keyPair('p256', 'root');
const root = (recipe: CertificateRecipe = {}, name = 'TPM Root'): Certificate =>
  mintAuthority(name, key, { issuer: name, key }, recipe).certificate;
const issued = (recipe: CertificateRecipe = {}): Certificate =>
  mintAuthority('Sub', keyPair('p256', 'sub'), { issuer: 'TPM Root', key }, recipe).certificate;

function codesOf(...certificates: readonly Certificate[]): readonly string[] {
  return judged(...certificates).map(({ code }) => code);
}
const judged = (...certificates: readonly Certificate[]) =>
  judgeAuthorities(
    certificates.map((certificate, i) => ({ certificate, files: [`${i}.pem`] })),
    NOW,
  );

const day = (days: number): Date => new Date(NOW.getTime() + days * 86_400_000);

test('a sound root has no problem', () => {
  expect(codesOf(root())).toEqual([]);
});

test('a CA that tells nothing of TPMs is a warning, unless one below it does', () => {
  const web = root({}, 'Web Root');
  expect(judged(web)).toMatchObject([{ code: 'unknown_authority', severity: 'warning' }]);
  const below = mintAuthority('A TPM CA', keyPair('p256', 'sub'), { issuer: 'Web Root', key }).certificate;
  expect(codesOf(web, below)).not.toContain('unknown_authority');
  expect(codesOf(web, issued())).toContain('unknown_authority');
});

describe('makes a certificate useless', () => {
  test.each<[string, string, CertificateRecipe, CertificateRecipe]>([
    ['its end', 'expired', { notAfter: new Date(NOW.getTime() - 1000) }, { notAfter: day(91) }],
    ['its beginning', 'not_yet_valid', { notBefore: new Date(NOW.getTime() + 1000) }, { notBefore: NOW }],
    ['that it is no CA', 'not_a_ca', { basicConstraints: { ca: false } }, { basicConstraints: { ca: true } }],
    ['that it says nothing of being one', 'not_a_ca', { basicConstraints: null }, {}],
    ['that it may not issue', 'missing_key_cert_sign', { keyUsage: ['cRLSign'] }, { keyUsage: null }],
    [
      'that it issues for something else',
      'eku',
      { extKeyUsage: ['2.23.133.8.3'] },
      { extKeyUsage: ['2.23.133.8.3', EK_USAGE] },
    ],
    [
      'a critical extension that nobody here knows',
      'unknown_critical_extension',
      { extraExtensions: [{ oid: '1.2.3.4', critical: true, value: derNull() }] },
      { extraExtensions: [{ oid: '1.2.3.4', critical: false, value: derNull() }] },
    ],
  ])('%s', (_, code, faulty, sound) => {
    expect(judged(root(faulty))).toMatchObject([{ code, severity: 'error', file: '0.pem' }]);
    expect(codesOf(root(sound))).toEqual([]);
  });

  test('a key that is too short', () => {
    const short = keyPair('rsa1024', 'short');
    const long = keyPair('rsa2048', 'long');
    expect(codesOf(mintAuthority('TPM R', short, { issuer: 'TPM R', key: short }).certificate)).toEqual(['weak_key']);
    expect(codesOf(mintAuthority('TPM R', long, { issuer: 'TPM R', key: long }).certificate)).toEqual([]);
  });

  test('a signature on itself that its key did not make, and not that of another key of its name', () => {
    const other = keyPair('p256', 'other');
    const forged = mintAuthority(
      'TPM Root',
      key,
      { issuer: 'TPM Root', key: other },
      { authorityKeyId: null },
    ).certificate;
    expect(codesOf(forged)).toEqual(['bad_self_signature']);
    const crossSigned = mintAuthority('TPM Root', key, { issuer: 'TPM Root', key: other }).certificate;
    expect(codesOf(crossSigned)).toEqual([]);
    expect([forged, crossSigned, root(), issued()].map(selfSignature)).toEqual(['bad', 'no', 'good', 'no']);
  });
});

describe('warns of', () => {
  test('an end within 90 days, and of none after them', () => {
    expect(judged(root({ notAfter: day(90) }))).toMatchObject([{ code: 'expires_soon', severity: 'warning' }]);
    expect(codesOf(root({ notAfter: new Date(day(90).getTime() + 1000) }))).toEqual([]);
  });

  test('SHA-1 under an intermediate; under a root, by itself, it is a remark', () => {
    expect(judged(issued({ hash: 'sha1' }))).toMatchObject([{ code: 'weak_signature', severity: 'warning' }]);
    expect(codesOf(issued())).toEqual([]);
    expect(judged(root({ hash: 'sha1' }))).toMatchObject([{ code: 'weak_self_signature', severity: 'remark' }]);
  });

  test('the same CA twice, at the certificate that is not to be kept, whatever the order', () => {
    const plain = root({ serial: Uint8Array.of(5) });
    const padded = root({ serial: Uint8Array.of(0, 0, 5) });
    for (const pair of [
      [plain, padded],
      [padded, plain],
    ]) {
      const problems = judged(...pair);
      expect(problems).toMatchObject([
        { code: 'same_authority', severity: 'warning', fingerprint: padded.fingerprint },
      ]);
      expect(problems[0]?.message).toContain(plain.fingerprint);
    }
    const longer = root({ notAfter: day(4000) });
    const shorter = root({ notAfter: day(3000) });
    expect(judged(longer, shorter)).toMatchObject([{ code: 'same_authority', fingerprint: shorter.fingerprint }]);
  });

  test('no pair of one name with two keys, or of one key with two names', () => {
    const otherKey = mintAuthority('TPM Root', keyPair('p256', 'b'), {
      issuer: 'TPM Root',
      key: keyPair('p256', 'b'),
    }).certificate;
    expect(codesOf(root(), otherKey)).toEqual([]);
    expect(codesOf(root(), root({}, 'Other TPM'))).toEqual([]);
  });

  test('a twin that is sound is kept before one that has expired', () => {
    const expired = root({ notAfter: day(-1) });
    const odd = root({ serial: Uint8Array.of(0, 0, 5) });
    expect(judged(expired, odd)).toMatchObject([
      { code: 'expired' },
      { code: 'same_authority', fingerprint: expired.fingerprint },
    ]);
  });

  test.each([
    ['software', 'swtpm-localca'],
    ['cloud', 'Global Virtual TPM CA - 01'],
  ])('a CA of %s beside one of hardware; alone it is a remark', (kind, name) => {
    const odd = root({ subject: commonName(name), issuer: commonName(name) });
    const chips = root({ subject: commonName('www.intel.com'), issuer: commonName('www.intel.com') });
    expect(judged(odd)).toMatchObject([{ code: `${kind}_authority`, severity: 'remark' }]);
    expect(judged(odd, root())).toMatchObject([{ code: `${kind}_authority`, severity: 'remark' }]);
    expect(judged(chips, odd)).toMatchObject([
      { code: `${kind}_with_hardware`, severity: 'warning', fingerprint: odd.fingerprint },
    ]);
  });
});

describe('remarks', () => {
  test('that the issuer of an intermediate is there, and none of one that only has its name', () => {
    expect(judged(issued(), root())).toMatchObject([{ code: 'issuer_present', severity: 'remark' }]);
    const other = keyPair('p256', 'look-alike');
    expect(codesOf(issued(), mintAuthority('TPM Root', other, { issuer: 'TPM Root', key: other }).certificate)).toEqual(
      [],
    );
  });

  test('that one certificate is in two files', () => {
    const problems = judgeAuthorities([{ certificate: root(), files: ['a.pem', 'b.pem'] }], NOW);
    expect(problems).toMatchObject([{ code: 'same_file', severity: 'remark', file: 'a.pem' }]);
    expect(problems[0]?.message).toContain('a.pem, b.pem');
  });
});

test('refuses a time that is none', () => {
  expect(() => judgeAuthorities([], new Date('yesterday'))).toThrow(TypeError);
});

test('the report says what the certificate says', () => {
  const { intermediate } = mintEkChain({
    intermediate: { basicConstraints: { ca: true, pathLength: 0 }, extKeyUsage: [EK_USAGE] },
  });
  expect(authorityReport(intermediate.certificate)).toMatchObject({
    subject: 'CN=Test TPM Intermediate CA',
    issuer: 'CN=Test TPM Root CA',
    manufacturer: null,
    kind: null,
    role: 'intermediate',
    key: 'P-256',
    key_bits: 256,
    signature: 'ecdsa-sha256',
    serial: '0123',
    not_before: '2020-01-01T00:00:00.000Z',
    eku: [EK_USAGE],
    path_length: 0,
    lists_crl: false,
    lists_issuer: false,
  });
  expect(authorityReport(root({ extraExtensions: [{ oid: '2.5.29.31', value: octetString() }] }))).toMatchObject({
    role: 'root',
    eku: null,
    path_length: null,
    lists_crl: true,
  });
});

describeCorpus('the real CAs', () => {
  const store = (['root', 'intermediate'] as const).flatMap((role) => authorities(role).anchors.certificates);
  const moment = new Date('2026-06-01T00:00:00Z');
  const problems = judgeAuthorities(
    store.map((certificate) => ({ certificate, files: ['corpus'] })),
    moment,
  );
  const subjects = new Map(store.map((one) => [one.fingerprint, authorityReport(one).subject]));
  const subjectsOf = (wanted: Severity): readonly string[] =>
    problems
      .filter(({ severity }) => severity === wanted)
      .map(({ code, fingerprint }) => `${code} ${subjects.get(fingerprint ?? '')?.replace(/.*CN=/, '')}`)
      .sort();

  test('are all of use but those past their end, and one that certifies attestation keys alone', () => {
    expect(store.length).toBeGreaterThan(290);
    expect(subjectsOf('error')).toEqual([
      expect.stringMatching(/^eku NCU-INTC-KEYID-/),
      'expired IFX TPM EK Intermediate CA 01',
      'expired Infineon TPM CA 008',
    ]);
  });

  test('are warned of for SHA-1 in the TPM 1.2 era, twins, clouds and software, and nothing else', () => {
    const counts: Record<string, number> = {};
    for (const warning of subjectsOf('warning')) {
      const [code = ''] = warning.split(' ');
      counts[code] = (counts[code] ?? 0) + 1;
    }
    expect(counts).toMatchObject({
      cloud_with_hardware: 7,
      same_authority: 15,
      software_with_hardware: 4,
      weak_signature: 40,
    });
    expect(Object.keys(counts)).toHaveLength(4);
    expect(subjectsOf('warning').filter((text) => text.startsWith('weak'))).toSatisfy((list: readonly string[]) =>
      list.every((text) => text.includes(' IFX TPM EK ')),
    );
  });

  test('have the twin that other software can read, too, kept: STM’s serial numbers', () => {
    const odd = parseCertificate(certificateFile('ca/odd/stm-ek-intermediate-02-serial-nonminimal-035f8264.der'));
    const stm = authorities('intermediate', 'stm').anchors.certificates;
    const twins = judgeAuthorities(
      [odd, ...stm].map((certificate) => ({ certificate, files: ['stm'] })),
      moment,
    ).filter(({ code }) => code === 'same_authority');
    expect(twins.map(({ fingerprint }) => fingerprint)).toContain(odd.fingerprint);
    expect(authorityFaults(odd, moment)).toEqual([]);
  });
});
