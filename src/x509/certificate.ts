/** Parses X.509 certificates (RFC 5280) strictly, without verifying them. */
import { Buffer } from 'node:buffer';
import { hash, type KeyObject } from 'node:crypto';
import { LazyKey, type PublicKey } from '../public-key/public-key.ts';
import { DerReader, isShortestInteger, TAG } from './der.ts';
import {
  type BasicConstraints,
  type Extension,
  type ExtensionOddity,
  type KeyUsage,
  readAuthorityKeyIdentifier,
  readBasicConstraints,
  readExtensions,
  readExtKeyUsage,
  readKeyUsage,
  readSubjectKeyIdentifier,
} from './extensions.ts';
import { MalformedCertificateError } from './malformed-certificate.ts';
import { isEmptyName, type Name, type NameOddity, readName } from './name.ts';
import { EXTENSION } from './object-identifiers.ts';
import { readSignatureAlgorithm, type SignatureAlgorithm, type SignatureOddity } from './signature-algorithm.ts';
import { importPublicKey, readSubjectPublicKeyInfo, type SubjectPublicKeyInfo } from './subject-public-key.ts';
import { readValidity, type TimeOddity } from './validity.ts';

/**
 * The largest certificate accepted, in bytes. It is ten times the size of the largest known endorsement certificate.
 */
export const MAX_CERTIFICATE_BYTES = 16_384;

/** The longest serial number, in bytes: 20 by RFC 5280 §4.1.2.2, and one more for CAs that did not count the sign. */
const MAX_SERIAL_BYTES = 21;

/** Ways in which shipped certificates break a rule, or differ from the common case. The parser accepts them. */
export type Oddity =
  | 'serial-nonminimal'
  | 'serial-negative'
  | 'serial-zero'
  | 'empty-subject'
  | 'RSAES-OAEP-SPKI'
  | 'RSASSA-PSS-SPKI'
  | ExtensionOddity
  | NameOddity
  | SignatureOddity
  | TimeOddity;

/** A parsed certificate. Nothing in it has been verified. */
export interface Certificate {
  /** The certificate's own bytes. Like all byte fields here, it is a view of the input. */
  readonly der: Uint8Array;
  /** The bytes that the signature covers. */
  readonly tbs: Uint8Array;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  /** The content of the INTEGER, including any leading zeros. */
  readonly serial: Uint8Array;
  readonly issuer: Name;
  readonly subject: Name;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly subjectPublicKeyInfo: SubjectPublicKeyInfo;
  /** By dotted object identifier, in the certificate's order. */
  readonly extensions: ReadonlyMap<string, Extension>;
  readonly basicConstraints: BasicConstraints | undefined;
  readonly keyUsage: ReadonlySet<KeyUsage> | undefined;
  /** Dotted object identifiers; undefined when the extension is absent. */
  readonly extKeyUsage: readonly string[] | undefined;
  readonly authorityKeyId: Uint8Array | undefined;
  readonly subjectKeyId: Uint8Array | undefined;
  readonly oddities: readonly Oddity[];
  /** The subject's key, imported at first use. Undefined if its kind is not supported or the key is invalid. */
  readonly publicKey: KeyObject | undefined;
  /** SHA-256 of the certificate in lower-case hex. */
  readonly fingerprint: string;
}

/**
 * Parses an X.509 version 3 certificate (RFC 5280 §4.1) that fills the given bytes exactly.
 *
 * The parser requires DER, except for what `oddities` names: shipped TPMs and their CAs have those forms, and their
 * signatures cover those very bytes. Nothing is re-encoded or copied: a later change to the bytes changes the
 * certificate.
 *
 * @throws {MalformedCertificateError} for all other input
 */
export function parseCertificate(bytes: Uint8Array): Certificate {
  if (bytes.length > MAX_CERTIFICATE_BYTES) {
    throw new MalformedCertificateError('certificate', 0, `${bytes.length} bytes, more than ${MAX_CERTIFICATE_BYTES}`);
  }
  // Not a Buffer: each subarray of a Buffer is a Buffer.
  const input = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const oddities = new Set<Oddity>();
  const onOddity = (oddity: Oddity): void => {
    oddities.add(oddity);
  };

  const outer = new DerReader(input, 'input');
  const element = outer.take(TAG.SEQUENCE, 'certificate');
  outer.finish();
  const certificate = element.enter();
  const signed = certificate.take(TAG.SEQUENCE, 'tbsCertificate');
  const algorithm = certificate.take(TAG.SEQUENCE, 'signatureAlgorithm');
  const signature = certificate.octetsOfBitString('signatureValue');
  certificate.finish();

  const tbs = signed.enter();
  readVersion(tbs);
  const serial = readSerial(tbs, onOddity);
  const innerAlgorithm = tbs.take(TAG.SEQUENCE, 'signature');
  // The signature covers only the inner algorithm (RFC 5280 §4.1.1.2).
  // tooth A85: the algorithm counts that nobody signed
  if (Buffer.compare(innerAlgorithm.der, algorithm.der) !== 0) innerAlgorithm.fail('differs from signatureAlgorithm');
  const signatureAlgorithm = readSignatureAlgorithm(algorithm, onOddity);
  const issuer = readName(tbs.take(TAG.SEQUENCE, 'issuer'), onOddity);
  if (isEmptyName(issuer)) tbs.fail('an empty issuer');
  const { notBefore, notAfter } = readValidity(tbs.enter(TAG.SEQUENCE, 'validity'), onOddity);
  const subject = readName(tbs.take(TAG.SEQUENCE, 'subject'), onOddity);
  if (isEmptyName(subject)) onOddity('empty-subject');
  const subjectPublicKeyInfo = readSubjectPublicKeyInfo(tbs.take(TAG.SEQUENCE, 'subjectPublicKeyInfo'));
  noteKeyUse(subjectPublicKeyInfo, onOddity);
  tbs.takeIf(0x81, 'issuerUniqueID');
  tbs.takeIf(0x82, 'subjectUniqueID');
  const extensions = readAllExtensions(tbs, onOddity);
  // tooth A85: more may follow what was signed
  tbs.finish();

  const read = <T>(
    oid: string,
    reader: (value: Uint8Array, onOddity: (oddity: Oddity) => void) => T,
  ): T | undefined => {
    const extension = extensions.get(oid);
    return extension === undefined ? undefined : reader(extension.value, onOddity);
  };
  const keyUsage = read(EXTENSION.keyUsage, readKeyUsage);
  if (keyUsage !== undefined && !extensions.get(EXTENSION.keyUsage)?.critical) onOddity('keyUsage-noncritical');

  return Object.assign(new LazyParts(element.der, subjectPublicKeyInfo), {
    tbs: signed.der,
    signatureAlgorithm,
    signature,
    serial,
    issuer,
    subject,
    notBefore,
    notAfter,
    extensions,
    basicConstraints: read(EXTENSION.basicConstraints, readBasicConstraints),
    keyUsage,
    extKeyUsage: read(EXTENSION.extKeyUsage, readExtKeyUsage),
    authorityKeyId: read(EXTENSION.authorityKeyIdentifier, readAuthorityKeyIdentifier),
    subjectKeyId: read(EXTENSION.subjectKeyIdentifier, readSubjectKeyIdentifier),
    oddities: [...oddities],
  });
}

/** The certificate's key in the form that the steps take. Undefined for a kind that is not used. */
export function certifiedKey(certificate: Certificate): PublicKey | undefined {
  const { key } = certificate.subjectPublicKeyInfo;
  return key.type === 'other' ? undefined : new LazyKey(key, () => certificate.publicKey);
}

/** Fields computed at first use. A class: an object literal with accessors would cost as much as the whole parsing. */
class LazyParts implements Pick<Certificate, 'der' | 'subjectPublicKeyInfo' | 'publicKey' | 'fingerprint'> {
  readonly der: Uint8Array;
  readonly subjectPublicKeyInfo: SubjectPublicKeyInfo;
  #publicKey: KeyObject | 'unusable' | undefined;
  #fingerprint: string | undefined;

  constructor(der: Uint8Array, subjectPublicKeyInfo: SubjectPublicKeyInfo) {
    this.der = der;
    this.subjectPublicKeyInfo = subjectPublicKeyInfo;
  }

  get publicKey(): KeyObject | undefined {
    this.#publicKey ??= importPublicKey(this.subjectPublicKeyInfo) ?? 'unusable';
    return this.#publicKey === 'unusable' ? undefined : this.#publicKey;
  }

  get fingerprint(): string {
    this.#fingerprint ??= hash('sha256', this.der, 'hex');
    return this.#fingerprint;
  }
}

function readVersion(tbs: DerReader): void {
  const wrapper = tbs.enter(0xa0, 'version');
  const version = wrapper.integer('value');
  wrapper.finish();
  // tooth A85: a certificate of any version will do
  if (version.length !== 1 || version[0] !== 2) wrapper.fail('not a version 3 certificate');
}

function readSerial(tbs: DerReader, onOddity: (oddity: Oddity) => void): Uint8Array {
  const element = tbs.take(TAG.INTEGER, 'serialNumber');
  const content = element.content;
  if (content.length === 0 || content.length > MAX_SERIAL_BYTES) {
    element.fail(`a serial number of ${content.length} bytes`);
  }
  if (!isShortestInteger(content)) onOddity('serial-nonminimal');
  if ((content[0] ?? 0) >= 0x80) onOddity('serial-negative');
  if (content.every((octet) => octet === 0)) onOddity('serial-zero');
  return content;
}

function noteKeyUse({ key }: SubjectPublicKeyInfo, onOddity: (oddity: Oddity) => void): void {
  if (key.type !== 'rsa' || key.use === 'any') return;
  onOddity(key.use === 'oaep' ? 'RSAES-OAEP-SPKI' : 'RSASSA-PSS-SPKI');
}

function readAllExtensions(tbs: DerReader, onOddity: (oddity: Oddity) => void): ReadonlyMap<string, Extension> {
  const wrapper = tbs.takeIf(0xa3, 'extensions')?.enter();
  if (wrapper === undefined) return new Map();
  const list = wrapper.enter(TAG.SEQUENCE, 'value');
  wrapper.finish();
  return readExtensions(list, onOddity);
}
