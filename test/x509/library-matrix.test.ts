/**
 * Faults and oddities on which X.509 libraries differ, each as one chain that is otherwise sound: what this judge says
 * of it, and of the nearest chain of which it says the opposite.
 */
import { Buffer } from 'node:buffer';
import { constants, sign, X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { concat } from '../../src/bytes/bytes.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import {
  type CertificateRecipe,
  commonName,
  type NameRecipe,
  NOW,
  name,
  tpmName,
  tpmSpecification,
} from '../support/certificate-recipe.ts';
import {
  bitString,
  boolean,
  derNull,
  explicit,
  integer,
  octetString,
  oid,
  sequence,
  tlv,
} from '../support/der-writer.ts';
import { type EkEvidence, evidenceOf, mintEvidence, OK, tampered, verdictOn } from '../support/ek-verdict.ts';
import { type EkChainRecipe, keyPair, mintAuthority, mintEkChain, spkiOf } from '../support/pki.ts';

const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const octets = (...values: number[]): Uint8Array => Uint8Array.from(values);
const filled = (octet: number, count: number): Uint8Array => new Uint8Array(count).fill(octet);

const SOUND = mintEkChain();
const sound = evidenceOf(SOUND);

type Opinion = readonly [evidence: EkEvidence, says: readonly string[]];
interface Row {
  readonly fault: string;
  readonly opinion: Opinion;
  readonly neighbour: Opinion;
}

/** A row that is refused, beside a chain that is not: the sound one, where no other is nearer. */
const refused = (
  fault: string,
  says: string,
  recipe: EkChainRecipe | EkEvidence,
  nearest?: EkChainRecipe | EkEvidence,
): Row => ({
  fault,
  opinion: [made(recipe), [says]],
  neighbour: [nearest === undefined ? sound : made(nearest), OK],
});

/** A row that is admitted, beside one that is not. */
const admitted = (
  fault: string,
  recipe: EkChainRecipe | EkEvidence,
  says: string,
  nearest: EkChainRecipe | EkEvidence,
): Row => ({ fault, opinion: [made(recipe), OK], neighbour: [made(nearest), [says]] });

const made = (recipe: EkChainRecipe | EkEvidence): EkEvidence => ('anchors' in recipe ? recipe : mintEvidence(recipe));

const extended = (oid: string, critical: boolean, value: Uint8Array): CertificateRecipe => ({
  extraExtensions: [{ oid, critical, value }],
});
const unknown = (critical: boolean): CertificateRecipe => extended('1.3.6.1.4.1.99999.1', critical, derNull());
const directoryAttributes = (critical: boolean): CertificateRecipe => ({
  family: null,
  ...extended('2.5.29.9', critical, tpmSpecification('2.0')),
});

/** permittedSubtrees with one directoryName, which the leaf's names are not below (RFC 5280 §4.2.1.10). */
const nameConstraint = (critical: boolean): CertificateRecipe =>
  extended('2.5.29.30', critical, sequence(explicit(0, sequence(tlv(0xa4, name(commonName('Elsewhere')))))));

/** A TBSCertificate whose header is another one, the content being the same. */
const headed =
  (
    header: (length: number) => readonly number[],
    end: readonly number[] = [],
  ): NonNullable<CertificateRecipe['editTbsBytes']> =>
  (tbs) => {
    const content = tbs.subarray(4);
    return concat(octets(0x30, ...header(content.length)), content, octets(...end));
  };

/** RSASSA-PSS with one hash throughout (RFC 4055 §3.1), as an RSA key of any use makes it. */
const pss = (hash: 'sha256' | 'sha384', saltBytes: number, madeWith = saltBytes): CertificateRecipe => {
  const digest = sequence(oid(hash === 'sha256' ? '2.16.840.1.101.3.4.2.1' : '2.16.840.1.101.3.4.2.2'));
  const mask = sequence(oid('1.2.840.113549.1.1.8'), digest);
  const parameters = sequence(explicit(0, digest), explicit(1, mask), explicit(2, integer(saltBytes)));
  return {
    signatureAlgorithm: sequence(oid('1.2.840.113549.1.1.10'), parameters),
    signTbs: (tbs) =>
      sign(hash, tbs, {
        key: keyPair('rsa2048', 'intermediate').privateKey,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: madeWith,
      }),
  };
};

/** The issuer's name in two attributes that share one relative name, in this order. */
const issuedBy = (...texts: readonly (readonly [type: string, text: string])[]): NameRecipe => [
  texts.map(([type, text]) => ({ type, text })),
];
const COUNTRY = ['2.5.4.6', 'TW'] as const;
const COMMON = ['2.5.4.3', 'NuvotonTPMRootCA2110'] as const;

/** Of the endorsement key, under RSAES-OAEP with these parameters. */
const oaep = (parameters: Uint8Array, algorithm = '1.2.840.113549.1.1.7'): CertificateRecipe => {
  const plain = Buffer.from(spkiOf(keyPair('rsa2048', 'ek').publicKey));
  const bits = plain.subarray(plain.indexOf(octets(0x03, 0x82)));
  return {
    keyUsage: ['keyEncipherment'],
    editTbs: (tbs) => tbs.with(6, sequence(sequence(oid(algorithm), parameters), bits)),
  };
};
const SHA1 = sequence(oid('1.3.14.3.2.26'), derNull());
const source = (label: string): Uint8Array =>
  explicit(2, sequence(oid('1.2.840.113549.1.1.9'), octetString(ascii(label))));
/** RSAES-OAEP-params (RFC 4055 §4.1) in the two forms that are in the field. */
const OAEP_FORMS = {
  'the label alone': sequence(source('TCPA')),
  'all parameters and a label with NUL': sequence(
    explicit(0, SHA1),
    explicit(1, sequence(oid('1.2.840.113549.1.1.8'), SHA1)),
    source('TCPA\0'),
  ),
} as const;

/** id-ml-dsa-65 (FIPS 204), whose public keys have 1,952 octets. */
const ML_DSA = sequence(sequence(oid('2.16.840.1.101.3.4.3.18')), bitString(filled(0x5a, 1952)));

const stored = (...parts: readonly Uint8Array[]): EkEvidence => ({ ...sound, leaf: concat(...parts) });
const u16 = (value: number): Uint8Array => octets(value >> 8, value & 0xff);
const leaf = SOUND.leaf.der;
const TBS = 'malformed input.certificate.tbsCertificate';
const LONG_SERIAL = `${TBS}.serialNumber: a serial number of 22 bytes`;
const FLAG = `${TBS}.extensions.value.[5].critical: a BOOLEAN that is not 00 or ff`;
const padding = (bytes: number): string => `malformed input: ${bytes} bytes after the certificate, not padding`;
const claims = (bytes: number, left: number): string => `claims ${bytes} bytes, ${left} are left`;

/** A CA with name and key of the right one, from a root that nobody has. */
const deadEnd = mintAuthority(
  'Test TPM Intermediate CA',
  SOUND.intermediateKey,
  { issuer: 'Fake Root CA', key: keyPair('p256', 'fake root') },
  { serial: octets(5) },
).der;
const between = (...intermediates: readonly Uint8Array[]): EkEvidence => ({ ...sound, intermediates });
const right = SOUND.intermediate.der;

const keyUsageBits = (value: Uint8Array): CertificateRecipe => ({
  keyUsage: null,
  ...extended('2.5.29.15', true, value),
});
const san = (...names: readonly Uint8Array[]): CertificateRecipe => ({
  san: null,
  ...extended('2.5.29.17', true, sequence(...names)),
});
const otherName = tlv(0xa0, oid('2.23.133.5.4.1'), explicit(0, tlv(0x1e, octets(0, 0x41, 0, 0x42))));
/** The GeneralName inside the alternative name of a sound leaf. */
const directoryName = tpmName({}).subarray(2);

const constraints = (critical: boolean | Uint8Array, value: Uint8Array): CertificateRecipe => ({
  basicConstraints: null,
  extraExtensions: [{ oid: '2.5.29.19', critical, value }],
});

const LIBRARIES: readonly Row[] = [
  refused(
    'an unknown critical extension in the leaf',
    'path unknown_critical_extension',
    { leaf: unknown(true) },
    { leaf: unknown(false) },
  ),
  refused(
    'an unknown critical extension in a CA',
    'path unknown_critical_extension',
    { intermediate: unknown(true) },
    { intermediate: unknown(false) },
  ),
  refused(
    'critical subject directory attributes',
    'path unknown_critical_extension',
    { leaf: directoryAttributes(true) },
    { leaf: directoryAttributes(false) },
  ),
  refused('a CA without basicConstraints', 'path not_a_ca', { intermediate: { basicConstraints: null } }),
  refused('a CA with cA false', 'path not_a_ca', { intermediate: { basicConstraints: { ca: false } } }),
  refused(
    'a CA without keyCertSign',
    'path missing_key_cert_sign',
    { intermediate: { keyUsage: ['cRLSign'] } },
    { intermediate: { keyUsage: ['keyCertSign'] } },
  ),
  refused(
    'a pathLen that is exceeded',
    'path path_length',
    { root: { basicConstraints: { ca: true, pathLength: 0 } } },
    { root: { basicConstraints: { ca: true, pathLength: 1 } } },
  ),
  // Not critical, it breaks RFC 5280 §4.2.1.10 and binds nobody who does not know it.
  refused(
    'a name constraint that is violated',
    'path unknown_critical_extension',
    { root: nameConstraint(true) },
    { root: nameConstraint(false) },
  ),
  refused(
    'another purpose in a CA',
    'path eku',
    { intermediate: { extKeyUsage: ['2.23.133.8.3'] } },
    { intermediate: { extKeyUsage: ['2.23.133.8.3', '2.23.133.8.1'] } },
  ),
  refused(
    'an expired CA',
    'path expired',
    { intermediate: { notAfter: new Date(NOW.getTime() - 1000) } },
    { intermediate: { notAfter: NOW } },
  ),
  admitted(
    'a notAfter of 9999',
    { leaf: { notAfter: new Date('9999-12-31T23:59:59Z') }, root: { notAfter: new Date('9999-12-31T23:59:59Z') } },
    `${TBS}.validity.notAfter: a GeneralizedTime that is not YYYYMMDDhhmmssZ`,
    { leaf: { notAfter: tlv(0x18, ascii('10000-12-31235959Z')) } },
  ),
  admitted(
    'a notAfter of 2100',
    { leaf: { notAfter: new Date('2100-01-01') }, intermediate: { notAfter: new Date('2100-01-01') } },
    'path expired',
    { leaf: { notAfter: tlv(0x17, ascii('000101000000Z')) } },
  ),
  admitted('RSA-PSS with SHA-256', { keyAlgorithm: 'rsa2048', leaf: pss('sha256', 32) }, 'path bad_signature', {
    keyAlgorithm: 'rsa2048',
    leaf: pss('sha256', 32, 20),
  }),
  admitted('RSA-PSS with SHA-384', { keyAlgorithm: 'rsa2048', leaf: pss('sha384', 48) }, 'path bad_signature', {
    keyAlgorithm: 'rsa2048',
    leaf: pss('sha384', 48, 32),
  }),
  admitted('P-521', { keyAlgorithm: 'p521', leaf: { hash: 'sha512' } }, 'path bad_signature', {
    keyAlgorithm: 'p521',
    leaf: { hash: 'sha512', signTbs: (tbs) => sign('sha384', tbs, keyPair('p521', 'intermediate').privateKey) },
  }),
  refused(
    'a negative serial number',
    'profile serial',
    { leaf: { serial: octets(0x80) } },
    { leaf: { serial: octets(0x00, 0x80) } },
  ),
  refused('the serial number zero', 'profile serial', { leaf: { serial: octets(0) } }, { leaf: { serial: octets(1) } }),
  refused(
    'a serial number of 22 octets',
    LONG_SERIAL,
    { leaf: { serial: filled(1, 22) } },
    { leaf: { serial: filled(1, 21) } },
  ),
  refused(
    'a TBSCertificate whose length is not minimal',
    `${TBS}: length is not in its shortest form`,
    { leaf: { editTbsBytes: headed((length) => [0x83, 0, ...u16(length)]) } },
    { leaf: { editTbsBytes: headed((length) => [0x82, ...u16(length)]) } },
  ),
  refused('a TBSCertificate of indefinite length', `${TBS}: indefinite length`, {
    leaf: { editTbsBytes: headed(() => [0x80], [0, 0]) },
  }),
  refused(
    'a critical TRUE written as 01',
    FLAG,
    { leaf: constraints(octets(0x01, 1, 0x01), sequence()) },
    { leaf: constraints(true, sequence()) },
  ),
  refused('version 1 with extensions', `${TBS}.version: expected tag 0xa0, found 0x02`, {
    leaf: { editTbs: (tbs) => tbs.slice(1) },
  }),
  refused('trailing bytes', padding(431), stored(leaf, filled(0xff, 430), octets(0)), stored(leaf, filled(0xff, 430))),
  refused('a tampered signature', 'path bad_signature', tampered(sound)),
  refused('an issuer by another name', 'path unknown_issuer', {
    leaf: { issuer: commonName('Test TPM Intermediate CB') },
  }),
  refused('algorithms that differ inside and outside', `${TBS}.signature: differs from signatureAlgorithm`, {
    leaf: { innerAlgorithm: sequence(oid('1.2.840.10045.4.3.3')) },
  }),
  refused('a leaf without keyUsage', 'profile key_usage', { leaf: { keyUsage: null } }),
  admitted('a leaf without basicConstraints', { leaf: { basicConstraints: null } }, 'profile leaf_is_ca', {
    leaf: { basicConstraints: { ca: true } },
  }),
  refused('basicConstraints twice', `${TBS}.extensions.value.[6]: extension 2.5.29.19 occurs twice`, {
    leaf: extended('2.5.29.19', true, sequence()),
  }),
  admitted(
    'an issuer in UTF8String whose subject is a PrintableString',
    { intermediate: { subject: commonName('Test TPM Intermediate CA', 'printable') } },
    'path unknown_issuer',
    { intermediate: { subject: commonName('Test TPM Intermediate CB', 'printable') } },
  ),
  admitted(
    'an issuer that differs in case',
    { leaf: { issuer: commonName('TEST tpm Intermediate CA') } },
    'path unknown_issuer',
    { leaf: { issuer: commonName('TEST tpm Intermediate CÄ') } },
  ),
  admitted(
    'an issuer that differs in a run of spaces',
    { leaf: { issuer: commonName(' Test TPM  Intermediate CA ') } },
    'path unknown_issuer',
    { leaf: { issuer: commonName('Test TPMIntermediate CA') } },
  ),
  admitted(
    'a dead end of the same name and key before the right CA',
    between(deadEnd, right),
    'path unknown_issuer',
    between(deadEnd),
  ),
  admitted(
    'a dead end of the same name and key after the right CA',
    between(right, deadEnd),
    'path unknown_issuer',
    between(deadEnd),
  ),
];

const ENCODINGS: readonly Row[] = [
  admitted(
    'a serial number that is not minimal, in a CA',
    { intermediate: { serial: octets(0, 0, 0, 1) } },
    LONG_SERIAL,
    {
      intermediate: { serial: new Uint8Array(22).with(21, 1) },
    },
  ),
  admitted(
    'a serial number that is not minimal, in the leaf',
    { leaf: { serial: octets(0, 0, 0, 1) } },
    'profile serial',
    { leaf: { serial: octets(0, 0, 0, 0) } },
  ),
  admitted(
    'a relative name that is not sorted',
    { intermediate: { subject: issuedBy(COUNTRY, COMMON) }, leaf: { issuer: issuedBy(COUNTRY, COMMON) } },
    'path unknown_issuer',
    { intermediate: { subject: issuedBy(COUNTRY, COMMON) }, leaf: { issuer: issuedBy(COUNTRY, COUNTRY) } },
  ),
  admitted(
    'a relative name that only the issuer sorts',
    { intermediate: { subject: issuedBy(COMMON, COUNTRY) }, leaf: { issuer: issuedBy(COUNTRY, COMMON) } },
    'path unknown_issuer',
    {
      intermediate: { subject: issuedBy(COMMON, COUNTRY) },
      leaf: { issuer: [issuedBy(COUNTRY), issuedBy(COMMON)].flat() },
    },
  ),
  admitted('a critical FALSE that is encoded', { leaf: constraints(boolean(false), sequence()) }, FLAG, {
    leaf: constraints(octets(0x01, 1, 0x02), sequence()),
  }),
  admitted('a cA FALSE that is encoded', { leaf: constraints(true, sequence(boolean(false))) }, 'profile leaf_is_ca', {
    leaf: constraints(true, sequence(boolean(true))),
  }),
  ...Object.entries(OAEP_FORMS).map(([form, parameters]) =>
    admitted(`an RSAES-OAEP key with ${form}`, { leaf: oaep(parameters) }, 'profile weak_key', {
      // RSASSA-PSS: a key for signatures only.
      leaf: oaep(parameters, '1.2.840.113549.1.1.10'),
    }),
  ),
  admitted('a negative serial number in a CA', { intermediate: { serial: octets(0xd0, 0x53) } }, 'profile serial', {
    leaf: { serial: octets(0xd0, 0x53) },
  }),
  admitted(
    '431 octets of ff behind the certificate',
    stored(leaf, filled(0xff, 431)),
    padding(431),
    stored(leaf, filled(0xff, 430), octets(0xfe)),
  ),
  admitted(
    '192 octets of 11 behind the certificate',
    stored(leaf, filled(0x11, 192)),
    padding(192),
    stored(leaf, filled(0x12, 192)),
  ),
  admitted(
    'a TCG header of seven octets',
    stored(octets(0x10, 1, 0), u16(leaf.length + 2), octets(0x10, 2), leaf),
    `malformed input.certificate: ${claims(leaf.length - 4, leaf.length - 6)}`,
    stored(octets(0x10, 1, 0), u16(leaf.length), octets(0x10, 2), leaf),
  ),
  admitted(
    'a TCG header of five octets',
    stored(octets(0x10, 1, 0), u16(leaf.length), leaf),
    `malformed input.header: ${claims(leaf.length + 1, leaf.length)}`,
    stored(octets(0x10, 1, 0), u16(leaf.length + 1), leaf),
  ),
  admitted(
    'an otherName with a BMPString beside the TPM’s',
    { leaf: san(otherName, directoryName) },
    'profile tpm_attributes',
    { leaf: san(otherName) },
  ),
  admitted(
    'a keyUsage with trailing zeros',
    { leaf: keyUsageBits(bitString(octets(0x08))) },
    'malformed keyUsage.value: a BIT STRING with unused bits set',
    { leaf: keyUsageBits(bitString(octets(0x09), 1)) },
  ),
  refused(
    'an ML-DSA key in the leaf',
    'profile weak_key',
    { leaf: { keyUsage: ['keyEncipherment'], editTbs: (tbs) => tbs.with(6, ML_DSA) } },
    { leaf: { keyUsage: ['keyEncipherment'] } },
  ),
  refused('an ML-DSA key in a CA', 'path weak_key', { intermediate: { publicKey: ML_DSA } }),
  refused('an ML-DSA signature', 'path unsupported_signature', {
    leaf: { signatureAlgorithm: sequence(oid('2.16.840.1.101.3.4.3.18')) },
  }),
];

test.each([
  ['a length that is not minimal', headed((length) => [0x83, 0, ...u16(length)])],
  ['an indefinite length', headed(() => [0x80], [0, 0])],
])('OpenSSL reads a TBSCertificate with %s, and its signature holds: it takes this reader to refuse it', (_, edit) => {
  const certificate = new X509Certificate(mintEvidence({ leaf: { editTbsBytes: edit } }).leaf);
  expect(certificate.verify(SOUND.intermediateKey.publicKey)).toBe(true);
});

test.each(Object.entries(OAEP_FORMS))('an RSAES-OAEP key with %s is read as the RSA key it is', (_, parameters) => {
  const certificate = parseCertificate(Uint8Array.from(mintEvidence({ leaf: oaep(parameters) }).leaf));
  const { publicKey } = keyPair('rsa2048', 'ek');
  expect(certificate.oddities).toContain('RSAES-OAEP-SPKI');
  expect(certificate.publicKey?.equals(publicKey)).toBe(true);
  expect(certificate.subjectPublicKeyInfo.plainDer).toEqual(new Uint8Array(spkiOf(publicKey)));
});

const rows = [...LIBRARIES, ...ENCODINGS].map((row) => [row.fault, row] as const);
const isAdmitted = ([, { opinion }]: (typeof rows)[number]): boolean => opinion[1] === OK;

test.each(rows.filter((row) => !isAdmitted(row)))(
  'refuses %s, and admits its neighbour',
  (_, { opinion: [evidence, says], neighbour: [nearest, opposite] }) => {
    expect(verdictOn(evidence)).toEqual(says);
    expect(verdictOn(nearest)).toEqual(opposite);
    expect(opposite).toBe(OK);
  },
);

test.each(rows.filter(isAdmitted))(
  'admits %s, and refuses its neighbour',
  (_, { opinion: [evidence, says], neighbour: [nearest, opposite] }) => {
    expect(verdictOn(evidence)).toEqual(says);
    expect(verdictOn(nearest)).toEqual(opposite);
    expect(verdictOn(tampered(evidence))).toEqual(['path bad_signature']);
  },
);
