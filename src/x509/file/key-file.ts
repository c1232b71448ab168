/**
 * Reads an endorsement key (EK) from a file, in every form that tools and services write. All commands and the agent
 * use this reader. It opens no file and verifies nothing.
 */
import { Buffer } from 'node:buffer';
import { createPublicKey } from 'node:crypto';
import { parseCertificate } from '../certificate.ts';
import { TAG } from '../der.ts';
import { type IntakeOddity, takeCertificate } from '../intake.ts';
import { MalformedCertificateError } from '../malformed-certificate.ts';
import { BY_HASH, derTags, type FileKind, kindSentence, looksLikePublicArea, strangerKind } from './file-kind.ts';
import { isTextOctet, unmarked } from './file-text.ts';
import { looksLikePem, readPem } from './pem.ts';
import { looksLikePkcs7, readPkcs7 } from './pkcs7.ts';
import {
  octetsOfText,
  readJsonString,
  readServiceAnswer,
  type Service,
  type ServiceAnswer,
} from './service-answers.ts';

/** The outer format of the file. */
export type Carrier = 'pem' | 'der' | 'pkcs7' | 'base64' | Service;

export interface FileCertificate {
  /** The certificate without the header and padding of an NV index. */
  readonly der: Uint8Array;
  /** The line of its PEM block, counted from 1. */
  readonly line: number | undefined;
  readonly oddities: readonly IntakeOddity[];
}

export interface KeyFile {
  readonly carrier: Carrier;
  /** Not parsed. The EK certificate comes first. */
  readonly certificates: readonly FileCertificate[];
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Uint8Array | undefined;
  /** TPM2B_PUBLIC or TPMT_PUBLIC, recognized by its first octets. Not parsed. */
  readonly publicArea: Uint8Array | undefined;
  /** Whether the file has another EK of the same machine. It is ignored. */
  readonly hasFurtherKey: boolean;
}

/** The file is of another kind. The message names that kind and says what to do. */
export class StrangerError extends Error {
  override readonly name = 'StrangerError';
  readonly code = 'ERR_STRANGER';

  constructor(kind: FileKind) {
    super(kindSentence(kind));
  }
}

/** The deepest nesting of formats: base64 of PKCS#7 inside JSON has three levels. */
const MAX_DEPTH = 3;
/** Every certificate, key or public area has at least this many base64 characters. */
const MIN_BASE64_CHARS = 64;

/**
 * @throws {MalformedCertificateError} if the file claims to be a certificate or key, but is malformed
 * @throws {StrangerError} if the file is of another kind
 */
export function readKeyFile(stored: Uint8Array, wanted: 'certificate' | 'key'): KeyFile {
  const file = read(unmarked(stored), 0);
  if (wanted === 'key' || file.certificates.length > 0) return file;
  throw new StrangerError({
    what: `${file.publicArea === undefined ? 'a public key' : 'the public area of a TPM key'} without certificate`,
    remedy: BY_HASH,
  });
}

function read(bytes: Uint8Array, depth: number, via?: Carrier): KeyFile {
  if (looksLikePublicArea(bytes)) return keyFile(via ?? 'der', [], { publicArea: bytes });
  const isText = looksLikeText(bytes);
  const carried = isText && depth < MAX_DEPTH ? carriedIn(bytes, depth) : undefined;
  if (carried !== undefined) return via === undefined ? carried : { ...carried, carrier: via };
  if (looksLikePkcs7(bytes)) return keyFile(via ?? 'pkcs7', ofBundle(readPkcs7(bytes)));
  const stranger = strangerKind(bytes, 'key');
  if (stranger !== undefined) throw new StrangerError(stranger);
  if (isText) return ofPem(bytes, via);
  const { outer } = derTags(bytes);
  if (outer === SPKI_TAGS) return keyFile(via ?? 'der', [], { publicKey: bytes });
  if (outer === PKCS1_TAGS) return keyFile(via ?? 'der', [], { publicKey: spkiOfPkcs1(bytes) });
  return keyFile(via ?? 'der', [{ ...takeCertificate(bytes), line: undefined }]);
}

const SPKI_TAGS = '30 03';
const PKCS1_TAGS = '02 02';

function keyFile(
  carrier: Carrier,
  certificates: readonly FileCertificate[],
  { publicKey, publicArea, hasFurtherKey = false }: Partial<KeyFile> = {},
): KeyFile {
  return { carrier, certificates, publicKey, publicArea, hasFurtherKey };
}

/** DER is no text, and neither are bytes with control characters near the beginning. */
function looksLikeText(bytes: Uint8Array): boolean {
  const [first, second = 0] = bytes;
  if (first === undefined || (first === TAG.SEQUENCE && second >= 0x80)) return false;
  return bytes.subarray(0, TEXT_BYTES).every((octet) => octet >= 0x80 || isTextOctet(octet));
}

const TEXT_BYTES = 512;

/** The key inside a JSON string, a service's answer or base64. Undefined for PEM and all other text. */
function carriedIn(bytes: Uint8Array, depth: number): KeyFile | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const quoted = readJsonString(text);
  if (quoted !== undefined) return read(Uint8Array.from(Buffer.from(quoted, 'utf8')), depth + 1);
  const answer = readServiceAnswer(text);
  if (answer !== undefined) return ofAnswer(answer, depth + 1);
  const octets = octetsOfBase64File(bytes);
  return octets === undefined ? undefined : read(octets, depth + 1, 'base64');
}

/** Decodes a file of nothing but base64. Undefined for any other file. */
export function octetsOfBase64File(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length < MIN_BASE64_CHARS || !looksLikeText(bytes) || looksLikePem(bytes)) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  // Hexadecimal hashes and dumps use the same characters.
  return /^[0-9a-f\s]*$/i.test(text) ? undefined : octetsOfText(text);
}

function ofAnswer({ service, certificates, keys: [key], hasFurtherKey }: ServiceAnswer, depth: number): KeyFile {
  const files = certificates.map((file) => read(file, depth, service));
  const ofKey = key === undefined ? undefined : read(key, depth, service);
  const { own, chain, others } = sorted(files.flatMap((file) => file.certificates));
  return keyFile(service, [...own, ...chain], { ...ofKey, hasFurtherKey: hasFurtherKey || others > 0 });
}

/** Sorts the certificates: a bundle is a SET, in any order (RFC 5652 §10.2.3). */
function ofBundle(ders: readonly Uint8Array[]): readonly FileCertificate[] {
  const { own, chain, others } = sorted(ders.map((der) => ({ der, line: undefined, oddities: [] })));
  if (others === 0) return [...own, ...chain];
  throw new StrangerError({
    what: 'a PKCS#7 bundle with certificates of several keys that are not CAs',
    remedy: 'Give the certificate of one machine and its chain',
  });
}

interface Sorted {
  /** The EK certificate: one, or none. */
  readonly own: readonly FileCertificate[];
  readonly chain: readonly FileCertificate[];
  /** How many other certificates are not CA certificates. */
  readonly others: number;
}

/** Prefers the RSA key among several: agents and servers use it by default. */
function sorted(certificates: readonly FileCertificate[]): Sorted {
  const kinds = certificates.map((certificate) => ({ certificate, ...kindOf(certificate.der) }));
  const leaves = kinds.filter(({ isCa }) => !isCa);
  const own = leaves.find(({ isRsa }) => isRsa) ?? leaves[0];
  return {
    own: own === undefined ? [] : [own.certificate],
    chain: kinds.filter(({ isCa }) => isCa).map(({ certificate }) => certificate),
    others: Math.max(0, leaves.length - 1),
  };
}

/** An unreadable certificate counts as the EK certificate: the caller then parses it and reports the error. */
function kindOf(der: Uint8Array): { readonly isCa: boolean; readonly isRsa: boolean } {
  try {
    const { basicConstraints, subjectPublicKeyInfo } = parseCertificate(der);
    return { isCa: basicConstraints?.ca === true, isRsa: subjectPublicKeyInfo.key.type === 'rsa' };
  } catch (error) {
    if (!(error instanceof MalformedCertificateError)) throw error;
    return { isCa: false, isRsa: false };
  }
}

function ofPem(bytes: Uint8Array, via: Carrier | undefined): KeyFile {
  const blocks = readPem(bytes, 'CERTIFICATE', 'PUBLIC KEY', 'RSA PUBLIC KEY');
  const [key, second] = blocks.filter(({ label }) => label !== 'CERTIFICATE');
  if (second !== undefined)
    throw new StrangerError({ what: 'a file with more than one public key', remedy: 'Write each key to its own file' });
  const certificates = blocks
    .filter(({ label }) => label === 'CERTIFICATE')
    .map(({ der, line }) => ({ ...takeCertificate(der), line: via === undefined ? line : undefined }));
  const publicKey = key?.label === 'RSA PUBLIC KEY' ? spkiOfPkcs1(key.der) : key?.der;
  return keyFile(via ?? 'pem', certificates, { publicKey });
}

/** Converts RSAPublicKey (RFC 8017 A.1.1), the form that Windows writes. */
function spkiOfPkcs1(der: Uint8Array): Uint8Array {
  try {
    const key = createPublicKey({ key: Buffer.from(der), format: 'der', type: 'pkcs1' });
    return Uint8Array.from(key.export({ format: 'der', type: 'spki' }));
  } catch (cause) {
    const error = new MalformedCertificateError('pkcs1', 0, 'not a valid RSA public key');
    error.cause = cause;
    throw error;
  }
}
