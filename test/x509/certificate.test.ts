import { Buffer } from 'node:buffer';
import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { concat } from '../../src/bytes/bytes.ts';
import { type Certificate, parseCertificate } from '../../src/x509/certificate.ts';
import { MalformedCertificateError } from '../../src/x509/malformed-certificate.ts';
import { formatName } from '../../src/x509/name.ts';
import { type CertificateRecipe, commonName, extension } from '../support/certificate-recipe.ts';
import {
  bitString,
  derNull,
  explicit,
  integer,
  octetString,
  oid,
  sequence,
  set,
  tlv,
  utf8String,
} from '../support/der-writer.ts';
import { mintEkChain } from '../support/pki.ts';

const mint = (leaf: CertificateRecipe): Uint8Array => mintEkChain({ leaf }).leaf.der;
const parse = (leaf: CertificateRecipe): Certificate => parseCertificate(mint(leaf));
const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const utc = (text: string): Uint8Array => tlv(0x17, ascii(text));
const generalized = (text: string): Uint8Array => tlv(0x18, ascii(text));
/** Replaces one element of the TBSCertificate; 0 is the version, 1 the serial, 5 the subject, 7 the extensions. */
const replaced =
  (at: number, element: Uint8Array): NonNullable<CertificateRecipe['editTbs']> =>
  (elements) =>
    elements.with(at, element);

test('reads what a certificate says, over the bytes given', () => {
  const chain = mintEkChain({ keyAlgorithm: 'rsa2048' });
  const { certificate, der } = chain.leaf;
  expect(certificate.der).toEqual(new Uint8Array(der));
  expect(certificate.der.buffer).toBe(der.buffer);
  expect(formatName(certificate.issuer)).toBe('CN=Test TPM Intermediate CA');
  expect(formatName(certificate.subject)).toBe('(empty name)');
  expect(certificate.notBefore).toEqual(new Date('2020-01-01T00:00:00Z'));
  expect(certificate.notAfter).toEqual(new Date('2049-12-31T23:59:59Z'));
  expect(certificate.basicConstraints).toEqual({ ca: false, pathLength: undefined });
  expect([...(certificate.keyUsage ?? [])]).toEqual(['keyEncipherment']);
  expect(certificate.extKeyUsage).toEqual(['2.23.133.8.1']);
  expect(certificate.extensions.get('2.5.29.17')?.critical).toBe(true);
  expect(certificate.oddities).toEqual(['empty-subject']);
});

test.each(['p256', 'p384', 'p521', 'rsa2048', 'rsa3072'] as const)(
  'imports a %s key as OpenSSL does',
  (keyAlgorithm) => {
    const { certificate, der } = mintEkChain({ keyAlgorithm }).leaf;
    const theirs = new X509Certificate(der);
    expect(certificate.publicKey?.equals(theirs.publicKey)).toBe(true);
    expect(certificate.fingerprint).toBe(theirs.fingerprint256.replaceAll(':', '').toLowerCase());
    expect(Buffer.from(certificate.subjectPublicKeyInfo.der)).toEqual(
      theirs.publicKey.export({ format: 'der', type: 'spki' }),
    );
    expect(certificate.subjectPublicKeyInfo.plainDer).toBe(certificate.subjectPublicKeyInfo.der);
  },
);

const tolerated: readonly [string, string, CertificateRecipe][] = [
  ['serial-nonminimal', 'a serial number with zeros in front', { serial: Uint8Array.of(0, 0, 0, 5) }],
  ['serial-negative', 'a negative serial number', { serial: Uint8Array.of(0xd0, 1) }],
  ['serial-zero', 'the serial number zero', { serial: Uint8Array.of(0) }],
  [
    'critical-FALSE-encoded',
    'a criticality of FALSE that is written out',
    { editTbs: withExtension(sequence(oid('1.2.3'), tlv(1, Uint8Array.of(0)), octetString())) },
  ],
  [
    'cA-FALSE-encoded',
    'a cA of FALSE that is written out',
    {
      basicConstraints: null,
      extraExtensions: [{ oid: '2.5.29.19', critical: true, value: sequence(tlv(1, Uint8Array.of(0))) }],
    },
  ],
  [
    'keyUsage-trailing-zero-bits',
    'key usage bits with zeros behind',
    { keyUsage: null, extraExtensions: [{ oid: '2.5.29.15', critical: true, value: bitString(Uint8Array.of(0x20)) }] },
  ],
  [
    'keyUsage-noncritical',
    'a key usage that is not critical',
    { keyUsage: null, extraExtensions: [{ oid: '2.5.29.15', value: bitString(Uint8Array.of(0x20), 5) }] },
  ],
  [
    'GeneralizedTime-before-2050',
    'GeneralizedTime for a year before 2050',
    { notAfter: generalized('20491231235959Z') },
  ],
  [
    'RDN-SET-not-sorted',
    'a relative name that is not sorted',
    { editTbs: replaced(5, sequence(set(attribute('2.5.4.6', 'TW'), attribute('2.5.4.3', 'A')))) },
  ],
  [
    'ecdsa-signature-parameters-present',
    'ECDSA with parameters',
    { signatureAlgorithm: sequence(oid('1.2.840.10045.4.3.2'), derNull()) },
  ],
];

test.each(tolerated)('names %s: %s', (oddity, _, leaf) => {
  expect(parse(leaf).oddities).toContain(oddity);
  expect(parse({}).oddities).not.toContain(oddity);
});

test('a Teletex, BMP or Universal string compares equal to the same text in UTF-8', () => {
  const subject = (value: Uint8Array): string =>
    parse({ editTbs: replaced(5, sequence(set(sequence(oid('2.5.4.3'), value)))) }).subject.canonical;
  const same = subject(utf8String('Ä b'));
  expect(subject(tlv(0x14, ascii('\u00c4 B')))).toBe(same);
  expect(subject(tlv(0x1e, Uint8Array.of(0, 0xc4, 0, 0x20, 0, 0x62)))).toBe(same);
  expect(subject(tlv(0x1c, Uint8Array.of(0, 0, 0, 0xc4, 0, 0, 0, 0x20, 0, 0, 0, 0x62)))).toBe(same);
  expect(subject(utf8String('Ä  B '))).toBe(same);
  expect(subject(utf8String('Äb'))).not.toBe(same);
  expect(subject(octetString(ascii('Ä b')))).not.toBe(same);
});

test('reads an attribute of a kilobyte, and no longer one', () => {
  const text = (length: number): CertificateRecipe => ({ subject: commonName('\u00e9'.repeat(length / 2)) });
  expect(() => parse(text(1020))).not.toThrow();
  expect(() => parse(text(1024))).toThrow('an attribute of 1028 bytes');
});

test('reads 30 combining marks in a row, and refuses more, which could take long to compare', () => {
  const marks = (count: number): CertificateRecipe => ({
    subject: commonName(`a${'\u0301\u0316'.repeat(count).slice(0, count)}b\u0301`),
  });
  expect(() => parse(marks(30))).not.toThrow();
  expect(() => parse(marks(31))).toThrow('more than 30 combining marks in a row');
});

test('reads names of up to 32 attributes and two kilobytes, and no larger ones', () => {
  const attribute = (text: string) => ({ type: '2.5.4.11', text });
  const names = (count: number, text: string) => ({ subject: Array.from({ length: count }, () => attribute(text)) });
  expect(parse(names(32, 'OU')).subject.relativeNames).toHaveLength(32);
  expect(() => parse(names(33, 'OU'))).toThrow('more than 32 attributes in one name');
  const together = (count: number) => ({ subject: [names(count, 'OU').subject] });
  expect(parse(together(32)).subject.relativeNames).toHaveLength(1);
  expect(() => parse(together(33))).toThrow('more than 32 attributes in one name');
  // Each text has 14 bytes of types and lengths around it.
  expect(parse(names(8, 'O'.repeat(242))).subject.relativeNames).toHaveLength(8);
  expect(() => parse(names(8, 'O'.repeat(243)))).toThrow('subject: a name of 2056 bytes');
});

test('reads 32 key purposes, and no more', () => {
  const purposes = (count: number) => ({
    extKeyUsage: Array.from({ length: count }, (_, i) => `1.3.6.1.4.1.99999.${i}`),
  });
  expect(parse(purposes(32)).extKeyUsage).toHaveLength(32);
  expect(() => parse(purposes(33))).toThrow('more than 32 key purposes');
});

test('shows the beginning of a long name, in whole characters', () => {
  const shown = (text: string): string => formatName(parse({ subject: [{ type: '2.5.4.3', text }] }).subject);
  expect(shown('x'.repeat(197))).toBe(`CN=${'x'.repeat(197)}`);
  expect(shown('x'.repeat(198))).toBe(`CN=${'x'.repeat(197)}…`);
  expect(shown(`${'x'.repeat(196)}\u{1f511}`)).toBe(`CN=${'x'.repeat(196)}…`);
  expect(shown(','.repeat(1000))).toBe(`CN=${'\\,'.repeat(98)}\\…`);
});

test('reads 32 extensions, and no more', () => {
  // A sound certificate has some of its own.
  const own = parse({}).extensions.size;
  const more = (count: number): CertificateRecipe => ({
    extraExtensions: Array.from({ length: count }, (_, i) => ({ oid: `1.3.6.1.4.1.99999.${i}`, value: sequence() })),
  });
  expect(parse(more(32 - own)).extensions.size).toBe(32);
  expect(() => parse(more(33 - own))).toThrow('more than 32 extensions');
});

test('names made of different attributes never have one canonical form', () => {
  const canonical = (subject: NonNullable<CertificateRecipe['subject']>): string =>
    parse({ subject }).subject.canonical;
  const forms = [
    canonical([
      { type: '2.5.4.3', text: 'a' },
      { type: '2.5.4.3', text: 'b' },
    ]),
    canonical([
      { type: '2.5.4.3', text: 'b' },
      { type: '2.5.4.3', text: 'a' },
    ]),
    canonical([
      [
        { type: '2.5.4.3', text: 'a' },
        { type: '2.5.4.3', text: 'b' },
      ],
    ]),
    canonical([{ type: '2.5.4.3', text: 'a,2.5.4.3=1:b' }]),
    canonical([{ type: '2.5.4.3', text: 'a+2.5.4.3=1:b' }]),
    canonical([
      { type: '2.5.4.10', text: 'a' },
      { type: '2.5.4.3', text: 'b' },
    ]),
  ];
  expect(new Set(forms).size).toBe(forms.length);
});

test('a text that spells a binary value does not compare equal to it', () => {
  const canonical = (value: Uint8Array): string =>
    parse({ editTbs: replaced(5, sequence(set(sequence(oid('2.5.4.3'), value)))) }).subject.canonical;
  const binary = canonical(octetString(ascii('a')));
  for (const text of ['#040161', '040161']) expect(canonical(utf8String(text))).not.toBe(binary);
});

const point = (...octets: number[]): Uint8Array =>
  sequence(sequence(oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7')), bitString(Uint8Array.from(octets)));

test('a point off the curve and a key of another kind are no public key', () => {
  expect(parse({ editTbs: replaced(6, point(4, ...Array<number>(64).fill(1))) }).publicKey).toBeUndefined();
  const ed25519 = sequence(sequence(oid('1.3.101.112')), bitString(new Uint8Array(32)));
  const { key } = parse({ editTbs: replaced(6, ed25519) }).subjectPublicKeyInfo;
  expect(key).toEqual({ type: 'other', algorithm: '1.3.101.112' });
});

const rsaKeyAndMore = (...more: readonly Uint8Array[]): Uint8Array =>
  sequence(
    sequence(oid('1.2.840.113549.1.1.1'), derNull()),
    bitString(concat(sequence(integer(Uint8Array.of(0, ...Array<number>(256).fill(0xff))), integer(65537)), ...more)),
  );

test('an RSA key takes up its bit string', () => {
  const { key } = parse({ editTbs: replaced(6, rsaKeyAndMore()) }).subjectPublicKeyInfo;
  expect(key).toMatchObject({ type: 'rsa', bits: 2048 });
});

/** Beside the faults on which libraries differ: those are in library-matrix.test.ts. */
const malformed: readonly [string, string, CertificateRecipe][] = [
  ['bytes behind an RSA key', 'too many', { editTbs: replaced(6, rsaKeyAndMore(derNull())) }],
  ['version 2', 'version', { editTbs: replaced(0, explicit(0, integer(1))) }],
  [
    'two subject alternative names',
    'occurs twice',
    { extraExtensions: [{ oid: '2.5.29.17', critical: true, value: sequence() }] },
  ],
  ['a field after the extensions', 'bytes too many', { editTbs: (elements) => [...elements, derNull()] }],
  ['an empty list of extensions', 'empty list', { editTbs: replaced(7, explicit(3, sequence())) }],
  ['an issuer without names', 'empty issuer', { issuer: [] }],
  [
    'the same algorithm spelt differently inside',
    'differs from signatureAlgorithm',
    { innerAlgorithm: sequence(oid('1.2.840.10045.4.3.2'), derNull()) },
  ],
  [
    'RSA parameters that are not NULL',
    'not NULL',
    { signatureAlgorithm: sequence(oid('1.2.840.113549.1.1.11'), integer(1)) },
  ],
  ['an empty serial number', '0 bytes', { serial: new Uint8Array() }],
  [
    'something after an extension’s value',
    'bytes too many',
    { editTbs: withExtension(sequence(oid('1.2.3'), octetString(), derNull())) },
  ],
  ['a date that does not exist', 'does not exist', { notAfter: utc('270230000000Z') }],
  ['an hour that does not exist', 'does not exist', { notAfter: utc('270228240000Z') }],
  ['UTCTime without seconds', 'YYMMDDhhmmssZ', { notAfter: utc('2702280000Z') }],
  ['UTCTime in another time zone', 'YYMMDDhhmmssZ', { notAfter: utc('270228000000+0100') }],
  ['GeneralizedTime with fractions', 'YYYYMMDDhhmmssZ', { notAfter: generalized('20500101000000.5Z') }],
  ['a time as text', 'neither', { notAfter: utf8String('270228000000Z') }],
  [
    'bytes after basicConstraints',
    'too many',
    withValue('basicConstraints', '2.5.29.19', Buffer.concat([sequence(), derNull()])),
  ],
  [
    'a negative path length',
    'negative',
    withValue('basicConstraints', '2.5.29.19', sequence(tlv(1, Uint8Array.of(255)), tlv(2, Uint8Array.of(255)))),
  ],
  [
    'key usage with unused bits set',
    'unused bits',
    withValue('keyUsage', '2.5.29.15', bitString(Uint8Array.of(0x21), 5)),
  ],
  [
    'key usage with nine unused bits',
    'unused bits',
    withValue('keyUsage', '2.5.29.15', bitString(Uint8Array.of(0x20), 9)),
  ],
  ['an extended key usage without purposes', 'missing', withValue('extKeyUsage', '2.5.29.37', sequence())],
  ['a compressed point', 'uncompressed', { editTbs: replaced(6, point(2, ...Array<number>(32).fill(1))) }],
  ['a point that is cut off', 'uncompressed', { editTbs: replaced(6, point(4, ...Array<number>(63).fill(1))) }],
  [
    'a non-ASCII character in a PrintableString',
    'outside ASCII',
    { editTbs: replaced(5, sequence(set(sequence(oid('2.5.4.3'), tlv(0x13, Uint8Array.of(0xe4)))))) },
  ],
  [
    'text that is not UTF-8',
    'not valid utf-8',
    { editTbs: replaced(5, sequence(set(sequence(oid('2.5.4.3'), tlv(0x0c, Uint8Array.of(0xff)))))) },
  ],
  ['a relative name without attributes', 'without attributes', { editTbs: replaced(5, sequence(set())) }],
];

test.each(malformed)('rejects %s', (_, reason, leaf) => {
  const der = mint(leaf);
  expect(() => parseCertificate(der)).toThrow(MalformedCertificateError);
  expect(() => parseCertificate(der)).toThrow(reason);
});

test('rejects bytes after the certificate, which OpenSSL drops in silence', () => {
  const der = Buffer.concat([mint({}), Uint8Array.of(0)]);
  expect(new X509Certificate(der).raw.length).toBe(der.length - 1);
  expect(() => parseCertificate(der)).toThrow('1 bytes too many');
});

test('rejects a hundred thousand extensions by the size of the certificate', () => {
  const many = Array.from({ length: 100_000 }, (_, i) => ({ oid: `1.3.6.1.${i}`, value: derNull() }));
  const der = mint({ editTbs: replaced(7, explicit(3, tlv(0x30, Buffer.concat(many.map(extension))))) });
  expect(() => parseCertificate(der)).toThrow('more than 16384');
});

test('reads a certificate of the largest size, and none one byte larger', () => {
  const sized = (filling: number): Uint8Array =>
    mint({
      serial: Uint8Array.of(1),
      extraExtensions: [{ oid: '1.2.3', value: octetString(new Uint8Array(filling)) }],
    });
  const around = Array.from({ length: 24 }, (_, i) => sized(15_840 + i * 8)).map((der) => ({ der, size: der.length }));
  for (const { der, size } of around) {
    if (size <= 16_384) expect(() => parseCertificate(der)).not.toThrow();
    else expect(() => parseCertificate(der)).toThrow('more than 16384');
  }
  expect(around.some(({ size }) => size <= 16_384) && around.some(({ size }) => size > 16_384)).toBe(true);
});

test('rejects a subject nested 300 deep', () => {
  let value = derNull();
  for (let i = 0; i < 300; i++) value = sequence(value);
  const der = mint({ editTbs: replaced(5, sequence(set(sequence(oid('2.5.4.3'), value, value)))) });
  expect(() => parseCertificate(der)).toThrow(MalformedCertificateError);
});

test('a Buffer as input leaves no Buffer in the certificate', () => {
  const certificate = parseCertificate(Buffer.from(mint({ subject: commonName('x') })));
  expect(
    Buffer.isBuffer(certificate.der) || Buffer.isBuffer(certificate.tbs) || Buffer.isBuffer(certificate.serial),
  ).toBe(false);
});

function attribute(type: string, text: string): Uint8Array {
  return sequence(oid(type), tlv(0x13, ascii(text)));
}

/** Puts one more element into the list of extensions, as it is. */
function withExtension(element: Uint8Array): NonNullable<CertificateRecipe['editTbs']> {
  const sound = extension({ oid: '2.5.29.14', value: octetString(Uint8Array.of(1)) });
  return replaced(7, explicit(3, sequence(sound, element)));
}

/** Replaces the value of one of the standard extensions. */
function withValue(
  field: 'basicConstraints' | 'keyUsage' | 'extKeyUsage',
  type: string,
  value: Uint8Array,
): CertificateRecipe {
  return { [field]: null, extraExtensions: [{ oid: type, critical: true, value }] };
}
