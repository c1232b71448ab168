/** Which bundle vouches for an endorsement certificate, what is told when none does, and what of its rules was needed. */
import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { finished } from '../../src/bytes/pausable.ts';
import { type CertificateVerdict, judgeEkCertificate } from '../../src/verifier/ek-certificate.ts';
import type { Bundle, BundleRules } from '../../src/verifier/policy.ts';
import type { Certificate } from '../../src/x509/certificate.ts';
import { anchorsOf } from '../../src/x509/file/trust-store.ts';
import { PathCache } from '../../src/x509/path/path-cache.ts';
import { crlsFrom } from '../../src/x509/path/revocation.ts';
import { SignatureChecks } from '../../src/x509/path/signature-checks.ts';
import { type CertificateRecipe, commonName, DEFAULT_VALIDITY, NOW } from '../support/certificate-recipe.ts';
import { type CrlRecipe, mintCrl } from '../support/crl-recipe.ts';
import { oid, sequence } from '../support/der-writer.ts';
import {
  type EkChain,
  type EkChainRecipe,
  keyPair,
  mintAuthority,
  mintEkCertificate,
  mintEkChain,
  spkiOf,
} from '../support/pki.ts';
import { bundle, SOFTWARE } from '../support/policy.ts';
import { rocaKeyPair } from '../support/roca-key.ts';

interface Question {
  readonly now?: Date;
  readonly intermediates?: readonly Certificate[];
  readonly crls?: readonly Uint8Array[];
  readonly keyIsKnown?: boolean;
}

function judge(
  { leaf, intermediate }: Pick<EkChain, 'leaf' | 'intermediate'>,
  bundles: readonly Bundle[],
  { now = NOW, intermediates = [intermediate.certificate], crls = [], keyIsKnown = true }: Question = {},
  checks?: SignatureChecks,
): CertificateVerdict {
  const lists = crlsFrom(crls.map((bytes, i) => ({ name: `${i}`, bytes })));
  const question = { leaf: leaf.certificate, intermediates, now, keyIsKnown };
  return finished(judgeEkCertificate(question, { bundles, crls: lists.crls, cache: new PathCache() }, checks));
}

const codes = (verdict: CertificateVerdict): readonly string[] =>
  verdict.trusted ? [`ca:${verdict.certified.bundle}`] : verdict.problems.map(({ code }) => code);

const chain = mintEkChain();
const own = (rules: Partial<BundleRules> = {}, name = 'own'): Bundle => bundle(chain.anchors, rules, name);
const otherRoot = mintAuthority('Other Root', keyPair('p256', 'other'), {
  issuer: 'Other Root',
  key: keyPair('p256', 'other'),
});
const foreign = (name = 'foreign'): Bundle => bundle(anchorsOf([otherRoot.certificate]), {}, name);

describe('of several bundles', () => {
  test('the first that vouches names the certificate', () => {
    expect(codes(judge(chain, [own({}, 'a'), own({}, 'b')]))).toEqual(['ca:a']);
    expect(codes(judge(chain, [foreign(), own({}, 'b')]))).toEqual(['ca:b']);
    expect(codes(judge(chain, [own({ manufacturers: ['53544D20'] }, 'a'), own({}, 'b')]))).toEqual(['ca:b']);
  });

  test('none lends its rules to the CAs of another', () => {
    const expired = mintEkChain({ leaf: { notAfter: new Date('2024-01-01T00:00:00Z') } });
    const lenient = bundle(anchorsOf([otherRoot.certificate]), { allowExpiredLeaf: true }, 'lenient');
    expect(codes(judge(expired, [lenient, own()]))).toEqual(['ek.expired']);
    expect(codes(judge(expired, [lenient, own({ allowExpiredLeaf: true })]))).toEqual(['ca:own']);
  });

  test('none lends its CAs to another: a path ends at an anchor of the bundle that is asked', () => {
    // Half a chain in each.
    const halves = [bundle(anchorsOf([chain.intermediate.certificate]), { kinds: ['cloud'] }, 'half'), foreign()];
    expect(codes(judge(chain, halves, { intermediates: [] }))).toEqual(['ek.manufacturer']);
  });

  const otherKey = keyPair('p256', 'namesake');
  const otherAuthority = { issuer: 'Test TPM Root CA', key: otherKey };
  const namesake = bundle(
    anchorsOf([mintAuthority('Test TPM Root CA', otherKey, otherAuthority).certificate]),
    {},
    'n',
  );

  /** From the nearest to the furthest. */
  const strangers: readonly (readonly [string, Bundle, string])[] = [
    ['that knows a namesake of the issuer', namesake, 'ek.unknown_issuer'],
    [
      'whose path is broken',
      bundle(
        anchorsOf([mintEkChain({ root: { notAfter: new Date('2024-01-01T00:00:00Z') } }).root.certificate]),
        {},
        'p',
      ),
      'ek.expired',
    ],
    ['whose rules refuse', own({ models: ['NPCT75x'] }, 'r'), 'ek.model'],
  ];

  test.each(strangers.flatMap((near, i) => strangers.slice(i + 1).map((far) => ({ near, far }))))(
    'one $far.0 has the word before one $near.0, in either order',
    ({ near, far }) => {
      for (const bundles of [
        [near[1], far[1]],
        [far[1], near[1]],
      ])
        expect(codes(judge(chain, bundles))).toEqual([far[2]]);
    },
  );

  test('that are equally far the first is told', () => {
    const rules = [own({ models: ['x'] }), own({ minFirmware: 'FFFF' })];
    expect(codes(judge(chain, rules))).toEqual(['ek.model']);
    expect(codes(judge(chain, rules.toReversed()))).toEqual(['ek.firmware']);
  });

  test('a signature is checked once for all of them', () => {
    const spentOn = (count: number): number => {
      const checks = new SignatureChecks();
      const before = checks.left.search;
      const bundles = Array.from({ length: count }, (_, i) => own(i + 1 < count ? { models: ['x'] } : {}, `b${i}`));
      expect(codes(judge(chain, bundles, {}, checks))).toEqual([`ca:b${count - 1}`]);
      return before - checks.left.search;
    };
    // Each further bundle takes the steps of the search alone.
    expect(spentOn(11)).toBeLessThan(2 * spentOn(1));
  });

  test('there must be one', () => {
    expect(() => judge(chain, [])).toThrow(RangeError);
  });
});

describe('a certificate that is vouched for', () => {
  test('is told with its chain, the key of its issuer and the time for which that holds', () => {
    const verdict = judge(chain, [own()]);
    const { leaf, intermediate, root } = chain;
    expect(verdict).toMatchObject({
      trusted: true,
      certified: {
        bundle: 'own',
        facts: { manufacturer: { id: '49465800' }, model: 'SLB 9670' },
        issuerKeyHash: hash('sha256', spkiOf(keyPair('p256', 'intermediate').publicKey), 'hex'),
        notes: [],
        tolerated: [],
        steady: { from: DEFAULT_VALIDITY.notBefore.getTime(), until: DEFAULT_VALIDITY.notAfter.getTime() },
      },
      chain: [leaf, intermediate, root].map(({ certificate }) => certificate),
    });
  });

  test('is told with what was tolerated in any certificate of its chain', () => {
    const tolerated = (recipe: EkChainRecipe): readonly string[] => {
      const minted = mintEkChain(recipe);
      const verdict = judge(minted, [bundle(minted.anchors, {}, 'own')]);
      return verdict.trusted ? verdict.certified.tolerated : codes(verdict);
    };
    const padded = { serial: Uint8Array.of(0, 0, 1) };
    expect(tolerated({})).toEqual([]);
    for (const part of ['leaf', 'intermediate', 'root'])
      expect(tolerated({ [part]: padded })).toEqual(['serial-nonminimal']);
  });

  test('names the key of its issuer the same, however that one is written', () => {
    const key = keyPair('rsa2048', 'written');
    const plain = spkiOf(key.publicKey);
    // RFC 3279 §2.3.1 wants NULL behind the identifier; 19 octets come before the key itself.
    const bare = sequence(sequence(oid('1.2.840.113549.1.1.1')), plain.subarray(19));
    const issued = [plain, bare].map((publicKey) => {
      const root = { issuer: 'Test TPM Root CA', key: keyPair('p256', 'root') };
      const intermediate = mintAuthority('CA', key, root, { publicKey });
      const leaf = mintEkCertificate({ issuer: 'CA', key }, { publicKey: spkiOf(keyPair('p256', 'ek').publicKey) });
      const verdict = judge({ leaf, intermediate }, [own()]);
      return verdict.trusted ? verdict.certified.issuerKeyHash : codes(verdict);
    });
    expect(new Set(issued)).toEqual(new Set([hash('sha256', plain, 'hex')]));
  });

  /** Google's private CA: an extension of its own in place of the alternative name and the purpose. */
  const gce: CertificateRecipe = {
    subject: commonName('instance'),
    san: null,
    extKeyUsage: null,
    family: null,
    extraExtensions: [{ oid: '1.3.6.1.4.1.11129.2.1.21', value: Uint8Array.of(0x05, 0x00) }],
  };
  const rows: readonly (readonly [
    string,
    EkChainRecipe,
    Partial<BundleRules>,
    string,
    string,
    Partial<BundleRules>?,
  ])[] = [
    [
      'past its end',
      { leaf: { notAfter: new Date('2024-01-01T00:00:00Z') } },
      { allowExpiredLeaf: true },
      'ek.expired',
      'allow_expired_ek: the endorsement certificate has expired',
    ],
    [
      'before its beginning',
      { leaf: { notBefore: new Date('2030-01-01T00:00:00Z') } },
      { allowNotYetValid: true },
      'ek.not_yet_valid',
      'allow_not_yet_valid: a certificate is not valid yet',
    ],
    [
      'with a CA before its beginning',
      { intermediate: { notBefore: new Date('2030-01-01T00:00:00Z') } },
      { allowNotYetValid: true },
      'ek.not_yet_valid',
      'allow_not_yet_valid: a certificate is not valid yet',
    ],
    [
      'signed over SHA-1',
      { leaf: { hash: 'sha1' } },
      { allowSha1: true },
      'ek.weak_signature',
      'allow_sha1_signatures: a certificate is signed over SHA-1',
    ],
    [
      'of a CA that is signed over SHA-1',
      { intermediate: { hash: 'sha1' } },
      { allowSha1: true },
      'ek.weak_signature',
      'allow_sha1_signatures: a certificate is signed over SHA-1',
    ],
    [
      'for a TPM of family 1.2',
      { leaf: { family: '1.2' } },
      { allowTpm12: true },
      'ek.tpm_family',
      'allow_tpm12: the certificate is for a TPM of family 1.2',
    ],
    [
      'that names a machine of Google',
      { leaf: gce },
      { allowGceProfile: true },
      'ek.gce_profile',
      'allow_gce_profile: the certificate names a Google machine instead of a TPM',
      { kinds: ['cloud'] },
    ],
    [
      'for software',
      { leaf: { san: { manufacturer: 'id:00001014' } } },
      SOFTWARE,
      'ek.software_tpm',
      'allow_software_tpm: this is a software TPM',
    ],
  ];

  const named = rows.map(([what, recipe, rule, code, note, others = {}]) => ({
    what,
    recipe,
    rule,
    code,
    note,
    others,
  }));
  test.each(named)('$what is noted to be, and is refused without the rule', (row) => {
    const { recipe, rule, code, note, others } = row;
    const minted = mintEkChain(recipe);
    const verdict = judge(minted, [own({ ...others, ...rule })]);
    expect(verdict).toMatchObject({ trusted: true, certified: { notes: [note] } });
    expect(codes(judge(minted, [own(others)]))).toEqual([code]);
  });

  test('has no note of rules that it does not need', () => {
    const everything = { ...SOFTWARE, ...Object.assign({}, ...rows.map(([, , rules]) => rules)), ...SOFTWARE };
    expect(judge(chain, [own(everything)])).toMatchObject({ trusted: true, certified: { notes: [] } });
    // An anchor's own signature is nobody's concern.
    const old = mintEkChain({ root: { hash: 'sha1' } });
    expect(judge(old, [bundle(old.anchors, everything)])).toMatchObject({ trusted: true, certified: { notes: [] } });
  });

  test('for a vTPM of a cloud is noted beside hardware, and not in a bundle for clouds', () => {
    const cloud = mintEkChain({ leaf: { san: { manufacturer: 'id:474F4F47' } } });
    expect(judge(cloud, [own()])).toMatchObject({ certified: { notes: ['this is a cloud vTPM, not hardware'] } });
    expect(judge(cloud, [own({ kinds: ['cloud'] })])).toMatchObject({ certified: { notes: [] } });
    expect(codes(judge(cloud, [own({ kinds: ['hardware'] })]))).toEqual(['ek.manufacturer']);
  });
});

describe('revocation lists', () => {
  const crl = (name: string, signer: EkChain['rootKey'], recipe: Partial<CrlRecipe> = {}): Uint8Array =>
    mintCrl({ issuer: commonName(name), signer: signer.privateKey, ...recipe });
  const ofRoot = crl('Test TPM Root CA', chain.rootKey);
  const ofCa = crl('Test TPM Intermediate CA', chain.intermediateKey);
  const revoking = crl('Test TPM Intermediate CA', chain.intermediateKey, {
    revoked: [{ serial: chain.leaf.certificate.serial, reason: 1 }],
  });

  const both = { what: 'of root and CA', crls: [ofRoot, ofCa] };
  const root = { what: 'of the root alone', crls: [ofRoot] };
  const none = { what: 'of nobody', crls: [] };
  const revoked = { what: 'with the leaf in one', crls: [ofRoot, revoking] };
  test.each([
    { crlPolicy: 'fail-closed', ...both, code: 'ca:own' },
    { crlPolicy: 'fail-closed', ...root, code: 'ek.revocation_unknown' },
    { crlPolicy: 'fail-closed', ...none, code: 'ek.revocation_unknown' },
    { crlPolicy: 'fail-closed', ...revoked, code: 'ek.revoked' },
    { crlPolicy: 'warn', ...both, code: 'ca:own' },
    { crlPolicy: 'warn', ...none, code: 'ca:own' },
    { crlPolicy: 'warn', ...revoked, code: 'ek.revoked' },
    { crlPolicy: 'off', ...revoked, code: 'ca:own' },
  ] as const)('$what by policy $crlPolicy give $code', ({ crlPolicy, crls, code }) => {
    expect(codes(judge(chain, [own({ crlPolicy })], { crls }))).toEqual([code]);
  });

  test('that tell nothing are noted, one sentence for each certificate they leave open', () => {
    const notes = (crls: readonly Uint8Array[]): number => {
      const verdict = judge(chain, [own({ crlPolicy: 'warn' })], { crls });
      return verdict.trusted ? verdict.certified.notes.length : Number.NaN;
    };
    expect([notes([]), notes([ofRoot]), notes([ofRoot, ofCa])]).toEqual([2, 1, 0]);
  });

  test('of a bundle that looks at none do not help a neighbour that does', () => {
    const bundles = [own({ crlPolicy: 'fail-closed' }, 'strict'), own({ crlPolicy: 'off' }, 'lenient')];
    expect(codes(judge(chain, bundles, { crls: [revoking] }))).toEqual(['ca:lenient']);
    expect(codes(judge(chain, bundles.slice(0, 1), { crls: [revoking] }))).toEqual(['ek.revoked']);
  });
});

describe('a certificate for which nobody vouches', () => {
  test('is told with the issuer that is missing, and the chain as far as it holds', () => {
    const alone = judge(chain, [own()], { intermediates: [] });
    expect(alone).toMatchObject({
      chain: [chain.leaf.certificate],
      missingIssuer: { name: 'CN=Test TPM Intermediate CA', keyId: chain.leaf.certificate.authorityKeyId },
      facts: { manufacturer: { id: '49465800' } },
    });
    expect(judge(chain, [foreign()])).toMatchObject({
      chain: [chain.leaf.certificate, chain.intermediate.certificate],
      missingIssuer: { name: 'CN=Test TPM Root CA' },
    });
    // Its path holds, and what is wrong lies elsewhere.
    expect(judge(chain, [own({ models: ['x'] })])).toMatchObject({ chain: { length: 3 }, missingIssuer: undefined });
  });

  test('is told all that is wrong, each once', () => {
    const bad = mintEkChain({
      leaf: {
        extKeyUsage: null,
        keyUsage: ['digitalSignature'],
        san: { manufacturer: 'id:53544D20', version: 'id:0100' },
      },
    });
    const verdict = judge(bad, [own({ manufacturers: ['49465800'], models: ['SLB 9665'], minFirmware: '0700' })]);
    expect(codes(verdict)).toEqual(['ek.usage', 'ek.usage', 'ek.manufacturer', 'ek.model', 'ek.firmware']);
  });

  test('is told what its key lacks where nobody has looked at it yet', () => {
    const weak = mintEkChain({ leaf: { publicKey: spkiOf(keyPair('rsa1024', 'weak').publicKey) } });
    for (const keyIsKnown of [true, false])
      expect(codes(judge(weak, [own()], { keyIsKnown }))).toEqual(['ek.weak_key']);
    const computable = mintEkChain({ leaf: { publicKey: spkiOf(rocaKeyPair('computable').publicKey) } });
    expect(codes(judge(computable, [own()], { keyIsKnown: false }))).toEqual(['ek.roca']);
    expect(codes(judge(computable, [own()], { keyIsKnown: true }))).toEqual(['ca:own']);
  });
});
