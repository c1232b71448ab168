import { describe, expect, test } from 'vitest';
import { checkEkProfile, type EkProfileOptions, type EkProfileVerdict } from '../../src/x509/ek/ek-profile.ts';
import { type CertificateRecipe, commonName, type NameRecipe, tpmName } from '../support/certificate-recipe.ts';
import { bitString, integer, oid, sequence, set, tlv, utf8String } from '../support/der-writer.ts';
import { EK_USAGE, type KeyAlgorithm, keyPair, mintEkChain, spkiOf } from '../support/pki.ts';

const check = (
  leaf: CertificateRecipe,
  keyAlgorithm: KeyAlgorithm = 'p256',
  options: EkProfileOptions = {},
): EkProfileVerdict =>
  checkEkProfile(
    mintEkChain({ leaf: { publicKey: spkiOf(keyPair(keyAlgorithm, 'ek').publicKey), ...leaf } }).leaf.certificate,
    options,
  );
const codes = ({ problems }: EkProfileVerdict): string[] => problems.map(({ code }) => code);
const san = (value: Uint8Array, critical = true): CertificateRecipe => ({
  san: null,
  extraExtensions: [{ oid: '2.5.29.17', critical, value }],
});
const directory = (...names: Uint8Array[]): Uint8Array => sequence(...names.map((name) => tlv(0xa4, name)));
const attribute = (type: string, text: string): Uint8Array => set(sequence(oid(type), utf8String(text)));

test('says what the certificate says of its TPM', () => {
  const { facts, problems } = check({
    san: { manufacturer: 'id:49465800', model: 'SLB 9670 TPM2.0', version: 'id:073f' },
  });
  expect(problems).toEqual([]);
  expect(facts).toEqual({
    manufacturer: { id: '49465800', name: 'Infineon', kind: 'hardware' },
    model: 'SLB 9670 TPM2.0',
    version: '073F',
    specification: { family: '2.0', level: 0, revision: 138 },
    oddities: [],
  });
});

const accepted: readonly [string, CertificateRecipe, KeyAlgorithm?][] = [
  ['RSA with keyEncipherment', {}, 'rsa2048'],
  ['RSA of 3072 bits', {}, 'rsa3072'],
  ['P-384', {}, 'p384'],
  ['P-521', {}, 'p521'],
  ['ECC with keyEncipherment', { keyUsage: ['keyEncipherment'] }],
  ['further key purposes beside the EK’s', { extKeyUsage: ['1.3.6.1.5.5.7.3.2', EK_USAGE] }],
  [
    'a critical extended key usage',
    { extKeyUsage: null, extraExtensions: [{ oid: '2.5.29.37', critical: true, value: sequence(oid(EK_USAGE)) }] },
  ],
  ['the attributes in one relative name', san(tpmName({}, 'one'))],
  ['the attributes as PrintableString', san(tpmName({}, 'three', 'printable'))],
  ['lower-case hex', { san: { manufacturer: 'id:4e544300' } }],
  ['a version of two digits', { san: { version: 'id:13' } }],
  ['a vendor in no table', { san: { manufacturer: 'id:41424344' } }],
  ['an alternative name that is not critical beside a subject', { subject: commonName('tpm'), sanCritical: false }],
  ['no TPM specification', { family: null }],
  ['other names beside the TPM’s', san(sequence(tlv(0x82, utf8String('host')), tlv(0xa4, tpmDirectory())))],
];

test.each(accepted)('accepts %s', (_, leaf, keyAlgorithm) => {
  expect(codes(check(leaf, keyAlgorithm))).toEqual([]);
});

const rejected: readonly [string, string, CertificateRecipe, KeyAlgorithm?][] = [
  ['an attestation key’s purpose', 'eku', { extKeyUsage: ['2.23.133.8.3'] }],
  ['a platform certificate’s purpose', 'eku', { extKeyUsage: ['2.23.133.8.2'] }],
  ['any purpose', 'eku', { extKeyUsage: ['2.5.29.37.0'] }],
  ['no purpose', 'eku', { extKeyUsage: null }],
  ['an empty key usage', 'key_usage', { keyUsage: [] }],
  ['RSA with keyAgreement only', 'key_usage', { keyUsage: ['keyAgreement'] }, 'rsa2048'],
  ['a signing key with the EK purpose', 'key_usage', { keyUsage: ['digitalSignature'] }, 'rsa2048'],
  ['a key that encrypts and signs', 'key_usage', { keyUsage: ['digitalSignature', 'keyEncipherment'] }, 'rsa2048'],
  ['a key that signs certificates', 'key_usage', { keyUsage: ['keyAgreement', 'keyCertSign'] }],
  ['a CA certificate', 'leaf_is_ca', { basicConstraints: { ca: true } }],
  ['no alternative name', 'san_missing', { san: null }],
  ['neither subject nor a critical alternative name', 'san_not_critical', { sanCritical: false }],
  ['an alternative name that is not DER', 'san_malformed', san(integer(1))],
  ['an alternative name without TPM attributes', 'tpm_attributes', san(sequence(tlv(0x82, utf8String('host'))))],
  ['a manufacturer without id:', 'tpm_attributes', { san: { manufacturer: '49465800' } }],
  ['a manufacturer of seven digits', 'tpm_attributes', { san: { manufacturer: 'id:4946580' } }],
  ['a version that is no number', 'tpm_attributes', { san: { version: 'id:1.3' } }],
  ['a version of nine digits', 'tpm_attributes', { san: { version: 'id:000000001' } }],
  ['an empty model', 'tpm_attributes', { san: { model: '' } }],
  [
    'two manufacturers in one name',
    'tpm_attributes',
    san(directory(sequence(attribute('2.23.133.2.1', 'id:53544D20'), ...threeAttributes()))),
  ],
  [
    'two names that disagree',
    'tpm_attributes',
    san(directory(sequence(...threeAttributes()), sequence(attribute('2.23.133.2.1', 'id:53544D20')))),
  ],
  ['TPM family 1.2', 'tpm_family', { family: '1.2' }],
  ['RSA of 1024 bits', 'weak_key', {}, 'rsa1024'],
  [
    'a key of another kind',
    'weak_key',
    {
      keyUsage: ['keyEncipherment'],
      editTbs: (tbs) => tbs.with(6, sequence(sequence(oid('1.3.101.110')), bitString(new Uint8Array(32)))),
    },
  ],
  ['a point off the curve', 'weak_key', { editTbs: (tbs) => tbs.with(6, offCurve()) }],
];

test.each(rejected)('rejects %s with %s', (_, code, leaf, keyAlgorithm) => {
  expect(codes(check(leaf, keyAlgorithm))).toEqual([code]);
});

const rsa = (modulus: Uint8Array, exponent: number): CertificateRecipe => ({
  keyUsage: ['keyEncipherment'],
  editTbs: (tbs) =>
    tbs.with(
      6,
      sequence(sequence(oid('1.2.840.113549.1.1.1'), tlv(5)), bitString(sequence(integer(modulus), integer(exponent)))),
    ),
});
const modulus = (last: number): Uint8Array => Uint8Array.of(0, ...Array<number>(255).fill(0xc5), last);

test.each([
  ['an odd modulus and 65537', modulus(1), 65_537, []],
  ['an odd modulus and another large odd exponent', modulus(1), 65_539, []],
  ['an even modulus', modulus(2), 65_537, ['weak_key']],
  ['the exponent 1', modulus(1), 1, ['weak_key']],
  ['the exponent 3', modulus(1), 3, ['weak_key']],
  ['an even exponent', modulus(1), 65_538, ['weak_key']],
  ['an exponent of five bytes', modulus(1), 2 ** 32 + 1, ['weak_key']],
])('RSA: %s', (_, n, e, expected) => {
  expect(codes(check(rsa(n, e)))).toEqual(expected);
});

test.each([
  ['swtpm', 'id:00001014', 'software'],
  ['the TPM simulator', 'id:49424D20', 'software'],
  ['IBM, whose id differs from that of the simulator in one letter', 'id:49424D00', 'hardware'],
  ['the FIDO conformance tool', 'id:fffff1d0', 'software'],
  ['a TCG example', 'id:54434700', 'software'],
  ['another TCG example', 'id:54534730', 'software'],
  ['Google', 'id:474F4F47', 'cloud'],
  ['an id in no table', 'id:41424344', 'hardware'],
])('knows what kind of TPM %s makes', (_, manufacturer, kind) => {
  const { facts, problems } = check({ san: { manufacturer } });
  expect(problems).toEqual([]);
  expect(facts?.manufacturer.kind).toBe(kind);
});

test('a time that is none among the directory attributes, before the specification, is read past', () => {
  const noTime = sequence(oid('1.2.3'), set(tlv(0x18, utf8String('no time'))));
  const family = (text: string) =>
    sequence(oid('2.23.133.2.16'), set(sequence(utf8String(text), integer(0), integer(138))));
  const facts = (...attributes: readonly Uint8Array[]) =>
    check({ family: null, extraExtensions: [{ oid: '2.5.29.9', value: sequence(...attributes) }] });
  expect(facts(noTime)).toMatchObject({ problems: [], facts: { specification: undefined, oddities: [] } });
  const specification = { family: '2.0', level: 0, revision: 138 };
  expect(facts(noTime, family('2.0'))).toMatchObject({ problems: [], facts: { specification, oddities: [] } });
  expect(codes(facts(noTime, family('1.2')))).toEqual(['tpm_family']);
});

test.each([
  { shape: 'a level that is padded', level: tlv(0x02, Uint8Array.of(0, 1)) },
  { shape: 'a level without content', level: tlv(0x02, new Uint8Array()) },
])('a specification with $shape is named and does not count', ({ level }) => {
  const value = sequence(sequence(oid('2.23.133.2.16'), set(sequence(utf8String('2.0'), level, integer(138)))));
  const { facts, problems } = check({ family: null, extraExtensions: [{ oid: '2.5.29.9', value }] });
  expect(problems).toEqual([]);
  expect(facts?.specification).toBeUndefined();
  expect(facts?.oddities).toEqual(['TPM-specification-unreadable']);
});

test('directory attributes that cannot be read are named and do not count', () => {
  const { facts, problems } = check({
    family: null,
    extraExtensions: [{ oid: '2.5.29.9', value: Uint8Array.of(0x30, 0x80, 0, 0) }],
  });
  expect(problems).toEqual([]);
  expect(facts?.specification).toBeUndefined();
  expect(facts?.oddities).toEqual(['TPM-specification-unreadable']);
});

function threeAttributes(): Uint8Array[] {
  return [
    attribute('2.23.133.2.1', 'id:49465800'),
    attribute('2.23.133.2.2', 'SLB 9670'),
    attribute('2.23.133.2.3', 'id:073F'),
  ];
}

function tpmDirectory(): Uint8Array {
  return sequence(...threeAttributes());
}

function offCurve(): Uint8Array {
  return sequence(
    sequence(oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7')),
    bitString(Uint8Array.of(4, ...Array<number>(64).fill(1))),
  );
}

describe('a certificate for a TPM of family 1.2', () => {
  const old: CertificateRecipe = { family: '1.2' };
  const bare: CertificateRecipe = { ...old, keyUsage: null, extKeyUsage: null };
  const allowed = (leaf: CertificateRecipe): EkProfileVerdict => check(leaf, 'rsa2048', { allowTpm12: true });

  test('passes where that is allowed, with neither key usage nor purpose, and nowhere else', () => {
    expect(codes(check(old, 'rsa2048'))).toEqual(['tpm_family']);
    expect(codes(allowed(old))).toEqual([]);
    expect(codes(check(bare, 'rsa2048'))).toEqual(['tpm_family']);
    expect(codes(allowed(bare))).toEqual([]);
    expect(codes(check(bare, 'rsa2048', { allowGceProfile: true }))).toContain('tpm_family');
  });

  test('says to the path that it lists no purposes, which is not missed where it is refused for its family', () => {
    expect([allowed(bare).withoutPurposes, check(bare, 'rsa2048').withoutPurposes]).toEqual([true, true]);
    expect(allowed({ keyUsage: null, extKeyUsage: null }).withoutPurposes).toBe(false);
  });

  test.each<[string, string[], CertificateRecipe]>([
    ['for a TPM 2.0 without them', ['eku', 'key_usage'], { keyUsage: null, extKeyUsage: null }],
    ['that says no family', ['eku', 'key_usage'], { ...bare, family: null }],
    ['for another purpose', ['eku'], { ...bare, extKeyUsage: ['2.23.133.8.3'] }],
    ['of which a usage is said, and no encryption', ['key_usage'], { ...bare, keyUsage: ['nonRepudiation'] }],
    ['that signs', ['key_usage'], { ...bare, keyUsage: ['digitalSignature'] }],
    ['that signs and encrypts', ['key_usage'], { ...bare, keyUsage: ['digitalSignature', 'keyEncipherment'] }],
    ['of a CA', ['leaf_is_ca'], { ...bare, basicConstraints: { ca: true } }],
    ['that names no TPM', ['eku', 'key_usage', 'san_missing'], { ...bare, san: null, subject: commonName('tpm') }],
  ])('lets none pass beside it: %s', (_, expected, leaf) => {
    expect(codes(allowed(leaf))).toEqual(expected);
  });
});

describe('a certificate in the form of Google’s private CA', () => {
  const instance = { oid: '1.3.6.1.4.1.11129.2.1.21', value: sequence(utf8String('us-central1-a')) };
  const google: CertificateRecipe = {
    subject: commonName('1234567890'),
    san: null,
    extKeyUsage: null,
    family: null,
    extraExtensions: [instance],
  };
  const allowed = (leaf: CertificateRecipe): EkProfileVerdict => check(leaf, 'rsa2048', { allowGceProfile: true });

  test('passes where that is allowed, and says that it is of a cloud', () => {
    expect(codes(check(google, 'rsa2048'))).toEqual(['gce_profile']);
    expect(codes(check(google, 'rsa2048', { allowTpm12: true }))).toEqual(['gce_profile']);
    expect(allowed(google)).toEqual({
      facts: {
        manufacturer: { id: '474F4F47', name: 'Google', kind: 'cloud' },
        model: undefined,
        version: undefined,
        specification: undefined,
        oddities: [],
      },
      problems: [],
      withoutPurposes: true,
    });
  });

  test.each<[string, string[], CertificateRecipe]>([
    ['an attestation key', ['key_usage'], { ...google, keyUsage: ['digitalSignature'] }],
    ['one without key usage', ['key_usage'], { ...google, keyUsage: null }],
    ['a CA', ['leaf_is_ca'], { ...google, basicConstraints: { ca: true } }],
    ['one without the extension', ['eku', 'san_missing'], { ...google, extraExtensions: [] }],
    // With a purpose or an alternative name it is of the common kind, and held to that.
    ['one with a purpose', ['san_missing'], { ...google, extKeyUsage: [EK_USAGE] }],
    ['one with an alternative name', ['eku'], { ...google, san: {} }],
  ])('lets none pass beside it: %s', (_, expected, leaf) => {
    expect(codes(allowed(leaf))).toEqual(expected);
  });

  test('has the extension beside all that the profile wants, as any other has', () => {
    expect(check({ extraExtensions: [instance] }).facts?.manufacturer.name).toBe('Infineon');
    expect(codes(check({ extraExtensions: [instance] }))).toEqual([]);
  });
});

test('a key that was looked at before is not looked at again, but for what is weak in it', () => {
  const known = { keyIsKnown: true };
  expect(codes(check({}, 'rsa2048', known))).toEqual([]);
  expect(codes(check({}, 'rsa1024', known))).toEqual(['weak_key']);
});

describe('virtual TPMs of hypervisors', () => {
  const VMWARE = { manufacturer: 'id:564D5700', model: 'VMware TPM2', version: 'id:00020065' };
  const cloud = { manufacturer: { id: '564D5700', name: 'VMware', kind: 'cloud' } };
  const subjectOf = (tpm: Record<'manufacturer' | 'model' | 'version', string>): NameRecipe => [
    { type: '2.23.133.2.1', text: tpm.manufacturer },
    { type: '2.23.133.2.2', text: tpm.model },
    { type: '2.23.133.2.3', text: tpm.version },
  ];
  const CHIP = { manufacturer: 'id:49465800', model: 'SLB9672', version: 'id:1000' };

  test.each<[string, CertificateRecipe]>([
    ['in the alternative name', { san: VMWARE }],
    ['in the subject alone', { san: null, subject: subjectOf(VMWARE) }],
    ['in both', { san: VMWARE, subject: subjectOf(VMWARE) }],
    ['with an empty model', { san: { ...VMWARE, model: '' } }],
  ])('are those of a cloud, named %s', (_, leaf) => {
    const { facts, problems } = check(leaf, 'rsa2048');
    expect(problems).toEqual([]);
    expect(facts).toMatchObject(cloud);
  });

  test.each<[string, CertificateRecipe, string[]]>([
    ['hardware in the subject alone', { san: null, subject: subjectOf(CHIP) }, ['san_missing']],
    ['hardware with an empty model', { san: { ...CHIP, model: '' } }, ['tpm_attributes']],
    ['two manufacturers', { san: CHIP, subject: subjectOf(VMWARE) }, ['tpm_attributes']],
    ['no version', { san: null, subject: subjectOf(VMWARE).slice(0, 2) }, ['tpm_attributes']],
  ])('and not a certificate with %s', (_, leaf, expected) => {
    expect(codes(check(leaf, 'rsa2048'))).toEqual(expected);
  });

  test('of Microsoft’s id are a cloud’s, and hardware’s where they are called Pluton', () => {
    const kindOf = (model: string) =>
      check({ san: { manufacturer: 'id:4D534654', model, version: 'id:10' } }).facts?.manufacturer.kind;
    expect([kindOf('Virtual TPM'), kindOf('xCG fTPM'), kindOf('Pluton')]).toEqual(['cloud', 'cloud', 'hardware']);
  });
});

test('a certificate without key usage is admitted where the profile of its age had none, and not otherwise', () => {
  const tpm12 = { allowTpm12: true };
  const bare = { keyUsage: null, extKeyUsage: null };
  expect(codes(check({ ...bare, family: '1.2' }, 'rsa2048', tpm12))).toEqual([]);
  expect(codes(check({ ...bare, family: '1.2' }, 'rsa2048'))).toEqual(['tpm_family']);
  expect(codes(check({ ...bare, family: '2.0' }, 'rsa2048', tpm12))).toEqual(['eku', 'key_usage']);
  expect(codes(check({ ...bare, family: null }, 'rsa2048', tpm12))).toEqual(['eku', 'key_usage']);
});
