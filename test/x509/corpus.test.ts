import { Buffer } from 'node:buffer';
import { createHash, X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { finished } from '../../src/bytes/pausable.ts';
import { judgeEkCertificate } from '../../src/verifier/ek-certificate.ts';
import type { BundleRules } from '../../src/verifier/policy.ts';
import { type Certificate, parseCertificate } from '../../src/x509/certificate.ts';
import { checkEkProfile } from '../../src/x509/ek/ek-profile.ts';
import { odditiesOf } from '../../src/x509/ek/oddities.ts';
import { type AnchorSet, anchorsOf } from '../../src/x509/file/trust-store.ts';
import { type IntakeOddity, takeCertificate } from '../../src/x509/intake.ts';
import { formatName } from '../../src/x509/name.ts';
import { KEY_PURPOSE } from '../../src/x509/object-identifiers.ts';
import { type PathVerdict, validatePath } from '../../src/x509/path/path.ts';
import { PathCache } from '../../src/x509/path/path-cache.ts';
import { signatureProblem } from '../../src/x509/path/path-rules.ts';
import { crlsFrom } from '../../src/x509/path/revocation.ts';
import {
  type AuthorityRow,
  authorities,
  authorityRows,
  certificateFile,
  type LeafRow,
  leafRows,
  oddAuthorityRows,
} from '../support/certificate-corpus.ts';
import { describeCorpus } from '../support/corpus.ts';
import { bundle } from '../support/policy.ts';

const plainName = (certificate: Certificate): string =>
  formatName(certificate.issuer).replaceAll('\\', '').replaceAll('+', ', ');
const hexSha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const codes = (verdict: PathVerdict): string[] => (verdict.ok ? ['ok'] : verdict.problems.map(({ code }) => code));

describeCorpus('certificates of the field', () => {
  const roots = authorities('root');
  const intermediates = authorities('intermediate');
  const all = new Map(
    [...roots.anchors.certificates, ...intermediates.anchors.certificates].map((one) => [one.fingerprint, one]),
  );
  const find = (sha256: string): Certificate => all.get(sha256) as Certificate;

  test('every CA certificate is read, and none has a problem', () => {
    expect([...roots.problems, ...intermediates.problems]).toEqual([]);
    expect([...all.keys()].sort()).toEqual(authorityRows.map(({ sha256 }) => sha256).sort());
  });

  test.each(authorityRows)('$file: $subject is read as expected', (row) => {
    const certificate = find(row.sha256);
    expect(odditiesOf(certificate)).toEqual(row.oddities);
    expect(plainName(certificate)).toBe(row.issuer.replaceAll('+', ', '));
    expect(certificate.basicConstraints?.pathLength ?? null).toBe(row.pathLen ?? null);
    expect(certificate.extKeyUsage ?? null).toEqual(row.extKeyUsage ?? null);
    // ML-DSA and the like apart, OpenSSL must have imported the same key.
    expect(certificate.publicKey?.equals(new X509Certificate(certificate.der).publicKey)).toBe(true);
  });

  test.each(leafRows)('$file is read as expected', (row) => {
    const { certificate, oddities } = readLeaf(row);
    expect(certificate.fingerprint).toBe(row.certificateSha256);
    expect(odditiesOf(certificate, oddities)).toEqual(row.oddities);
    expect(plainName(certificate)).toBe(row.issuer);
    expect(certificate.notBefore).toEqual(new Date(row.notBefore));
    expect(certificate.notAfter).toEqual(new Date(row.notAfter));
    expect(certificate.keyUsage === undefined ? null : [...certificate.keyUsage].sort()).toEqual(
      row.keyUsage?.toSorted() ?? null,
    );
    expect(certificate.extKeyUsage ?? null).toEqual(row.extKeyUsage);
    const { der, plainDer } = certificate.subjectPublicKeyInfo;
    expect([hexSha256(der), hexSha256(plainDer)]).toContain(row.spkiSha256);
    expect(certificate.publicKey).toBeDefined();
  });

  test.each(leafRows)('$file says of its TPM what is expected', (row) => {
    const { facts, problems } = checkEkProfile(readLeaf(row).certificate);
    const hex = (value: string): string => value.slice('id:'.length).toUpperCase();
    const expected = row.tpm && {
      manufacturer: hex(row.tpm.tpmManufacturer),
      model: row.tpm.tpmModel,
      version: hex(row.tpm.tpmVersion),
      family: row.tpmFamily,
    };
    const found = facts && {
      manufacturer: facts.manufacturer.id,
      model: facts.model,
      version: facts.version,
      family: facts.specification?.family ?? null,
    };
    // A certificate of Google's private CA names no TPM; whose it is follows from its form.
    const isGce = row.expected.isEkUnderProfile !== undefined;
    if (isGce) expect(facts?.manufacturer.name).toBe('Google');
    else expect(found ?? null).toEqual(expected);
    // What the manifest calls an EK certificate passes, but for TPM 1.2, which this product is not for.
    const expectedProblems = row.tpmFamily === '1.2' ? ['tpm_family'] : [];
    if (row.expected.isEk) expect(problems.map(({ code }) => code)).toEqual(expectedProblems);
    else expect(problems).not.toEqual([]);
  });

  const ask = (leaf: Certificate, now: Date, anchors: AnchorSet = roots.anchors): PathVerdict =>
    validatePath({ leaf, intermediates: intermediates.anchors.certificates, anchors, now });

  test.each(leafRows)('$file chains as expected', (row) => {
    const { certificate } = readLeaf(row);
    const { chain, validTogether } = row.expected;
    const verdict = ask(certificate, new Date(validTogether?.[0] ?? row.notBefore));
    if (chain === null) expect(codes(verdict)).toEqual(['unknown_issuer']);
    else if (row.signature === 'rsa-sha1') expect(codes(verdict)).toEqual(['weak_signature']);
    else {
      expect(verdict.ok).toBe(true);
      // Another certificate of the same name and key may stand in for a CA.
      const authority = (one: Certificate): string => one.subject.canonical + hexSha256(one.subjectPublicKeyInfo.der);
      const found = verdict.ok ? verdict.chain.slice(1).map(authority) : [];
      expect(found).toEqual(chain.map((sha256) => authority(find(sha256))));
    }
  });

  test.each(leafRows.filter(({ expected, signature }) => expected.validTogether && signature !== 'rsa-sha1'))(
    '$file chains in the period in which all is valid, and not a second outside it',
    (row) => {
      const { certificate } = readLeaf(row);
      const [first = '', last = ''] = row.expected.validTogether ?? [];
      const exact = anchorsOf([...(row.expected.chain ?? [])].map(find));
      const at = (date: string, ms: number): string[] =>
        codes(
          validatePath({
            leaf: certificate,
            intermediates: exact.certificates.slice(0, -1),
            anchors: anchorsOf(exact.certificates.slice(-1)),
            now: new Date(Date.parse(date) + ms),
          }),
        );
      expect(at(first, 0)).toEqual(['ok']);
      expect(at(last, 0)).toEqual(['ok']);
      expect(at(first, -1000)).toContain('not_yet_valid');
      expect(at(last, 1000)).toContain('expired');
    },
  );

  test.each(leafRows.filter(({ role }) => role !== 'ek'))('$file is no endorsement certificate', (row) => {
    const { certificate } = readLeaf(row);
    const verdict = validatePath({
      leaf: certificate,
      intermediates: intermediates.anchors.certificates,
      anchors: roots.anchors,
      now: certificate.notBefore,
      requireEku: KEY_PURPOSE.ekCertificate,
    });
    expect(verdict.ok && checkEkProfile(certificate).problems.length === 0).toBe(false);
  });

  const judge = (row: LeafRow, rules: Partial<BundleRules>, now = new Date(row.expected.validTogether?.[0] ?? '')) => {
    const question = { leaf: readLeaf(row).certificate, intermediates: intermediates.anchors.certificates, now };
    const policy = { bundles: [bundle(roots.anchors, rules)], crls: crlsFrom([]).crls, cache: new PathCache() };
    const verdict = finished(judgeEkCertificate({ ...question, keyIsKnown: false }, policy));
    return verdict.trusted ? ['ok'] : verdict.problems.map(({ code }) => code);
  };

  const old = { allowTpm12: true, allowSha1: true };
  test.each(leafRows.filter(({ tpmFamily }) => tpmFamily === '1.2'))(
    '$file of a TPM 1.2 passes by all that it takes, and by nothing less',
    (row) => {
      const after = new Date(Date.parse(row.notAfter) + 1000);
      expect(judge(row, old)).toEqual(['ok']);
      expect(judge(row, { ...old, allowExpiredLeaf: true }, after)).toEqual(['ok']);
      expect(judge(row, old, after)).toEqual(['ek.expired']);
      expect(judge(row, { allowTpm12: true })).toEqual(['ek.weak_signature']);
      expect(judge(row, { allowSha1: true })).toContain('ek.tpm_family');
    },
  );

  test.each(leafRows.filter(({ expected }) => expected.isEkUnderProfile !== undefined))(
    '$file of Google’s private CA is an endorsement certificate under its profile as expected',
    (row) => {
      const isEk = row.expected.isEkUnderProfile;
      expect(judge(row, { allowGceProfile: true })).toEqual(isEk ? ['ok'] : ['ek.usage']);
      expect(judge(row, {})).toEqual([...(isEk ? [] : ['ek.usage']), 'ek.gce_profile']);
      expect(judge(row, { allowGceProfile: true, kinds: ['hardware'] })).toContain('ek.manufacturer');
    },
  );

  const chained = authorityRows.filter(({ role }) => role === 'intermediate');
  test.each(chained)('CA $subject reaches a root as expected', (row) => {
    const certificate = find(row.sha256);
    // CAs may be older than those above them: at some moment at which one of the pool begins, all are valid.
    const moments = [...new Set([certificate, ...all.values()].map(({ notBefore }) => notBefore.getTime()))]
      .filter((ms) => ms >= certificate.notBefore.getTime() && ms <= certificate.notAfter.getTime())
      .sort((a, b) => a - b);
    let last: string[] = [];
    for (const ms of moments) {
      last = codes(ask(certificate, new Date(ms)));
      if (!last.includes('not_yet_valid')) break;
    }
    expect(last).toEqual([expectedCode(row)]);
  });

  test('every root but those signed with SHA-1 holds its own signature', () => {
    for (const root of roots.anchors.certificates) {
      const isSha1 = root.signatureAlgorithm.scheme !== 'other' && root.signatureAlgorithm.hash === 'sha1';
      expect(signatureProblem(root, root)?.code).toBe(isSha1 ? 'weak_signature' : undefined);
    }
  });

  test.each(oddAuthorityRows.filter(({ expected }) => expected.parse === 'ok'))(
    '$file is judged as expected',
    (row) => {
      const certificate = parseCertificate(certificateFile(`ca/${row.file}`));
      expect(codes(ask(certificate, new Date('2016-01-01')))).toEqual([
        row.expected.verifies ? 'ok' : 'unknown_issuer',
      ]);
    },
  );

  test.each(oddAuthorityRows.filter(({ expected }) => expected.parse === null))(
    '$file is refused for the tag of its key identifier, and for no other oddity',
    (row) => {
      const der = Buffer.from(certificateFile(`ca/${row.file}`));
      expect(() => parseCertificate(der)).toThrow('authorityKeyIdentifier.value: 22 bytes too many');
      // AuthorityKeyIdentifier { [0] of 20 octets }, constructed where X.690 §10.2 wants a primitive.
      const tag = der.indexOf(Uint8Array.of(0x30, 0x16, 0xa0, 0x14)) + 2;
      expect(odditiesOf(parseCertificate(der.with(tag, 0x80)))).toEqual(row.oddities);
    },
  );
});

function readLeaf(row: LeafRow): { certificate: Certificate; oddities: readonly IntakeOddity[] } {
  const { der, oddities } = takeCertificate(certificateFile(row.file));
  return { certificate: parseCertificate(der), oddities };
}

function expectedCode(row: AuthorityRow): string {
  if (!row.expected.verifies) return 'unknown_issuer';
  return row.signature === 'rsa-sha1' ? 'weak_signature' : 'ok';
}
