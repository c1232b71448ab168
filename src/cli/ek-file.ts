/** A saved endorsement key, in whichever form the tool at hand wrote it. Reads bytes; opens no file. */
import type { KeyObject } from 'node:crypto';
import { readToolsKey } from '../evidence/tpm2-tools.ts';
import { certificateOfAnswer } from '../tpm/certificate-services.ts';
import { publicKeyHash, publicKeyOf, samePublicKey } from '../tpm/public-key.ts';
import { MalformedError } from '../tpm/structures/malformed.ts';
import type { TpmtPublic } from '../tpm/structures/public.ts';
import { ekTemplateOf } from '../tpm/templates.ts';
import { type Certificate, parseCertificate } from '../x509/certificate.ts';
import { DerReader, TAG } from '../x509/der.ts';
import { MAX_CHAIN_BYTES, takeCertificate } from '../x509/intake.ts';
import { MalformedCertificateError } from '../x509/malformed-certificate.ts';
import { base64Octets, looksLikePem, readPem } from '../x509/pem.ts';
import { importPublicKey, readSubjectPublicKeyInfo } from '../x509/subject-public-key.ts';

export type EkFileForm =
  /** CERTIFICATE blocks, the endorsement key's own first; a PUBLIC KEY block of the same key may be among them. */
  | 'certificate-pem'
  | 'certificate-der'
  /** Contents of the NV index, with a TCG header or padding. */
  | 'certificate-nv'
  /** JSON as Intel's service answers it. */
  | 'certificate-intel'
  | 'public-key-pem'
  | 'public-key-der'
  /** As `tpm2_createek -u` and `tpm2_readpublic -o` write it. */
  | 'tpm2b-public'
  | 'tpmt-public';

export interface EkFile {
  readonly form: EkFileForm;
  /** Lower-case hexadecimal SHA-256 of the SPKI: the machine's name in agent IDs and in `hash_path`. */
  readonly spkiHash: string;
  readonly publicKey: KeyObject;
  readonly key: { readonly algorithm: 'rsa' | 'ecc'; readonly bits: number };
  /** DER; undefined for a bare key. */
  readonly certificate: Uint8Array | undefined;
  /** DER, in the order of the file. */
  readonly intermediates: readonly Uint8Array[];
  /** In what the file differs from the rule, or from the common case, and is read all the same. */
  readonly oddities: readonly string[];
  /** Only where the file is one. */
  readonly publicArea: TpmtPublic | undefined;
}

/** Largest file read: a chain as a TPM may keep it. */
export const MAX_EK_FILE_BYTES: number = MAX_CHAIN_BYTES;

/** A file that holds no endorsement key. */
export class EkFileError extends Error {
  override readonly name = 'EkFileError';
  readonly code = 'ERR_EK_FILE';
}

/** NIST curves, by the names OpenSSL has for them. */
const CURVE_BITS: Readonly<Record<string, number>> = { prime256v1: 256, secp384r1: 384, secp521r1: 521 };

const PUBLIC_KEY_BLOCK = /-----BEGIN PUBLIC KEY-----\s([A-Za-z0-9+/=\s]*)-----END PUBLIC KEY-----/g;

/** What a file holds, before the key is looked at. */
interface Contents {
  readonly form: EkFileForm;
  readonly publicKey: KeyObject | undefined;
  readonly certificates?: readonly Uint8Array[];
  readonly oddities?: readonly string[];
  readonly publicArea?: TpmtPublic;
}

/**
 * Reads a saved endorsement key of at most 64 KiB. What is read has not been verified.
 *
 * @throws EkFileError
 */
export function readEkFile(bytes: Uint8Array): EkFile {
  if (bytes.length > MAX_EK_FILE_BYTES) throw new EkFileError(`larger than ${MAX_EK_FILE_BYTES} bytes`);
  try {
    const { form, publicKey, certificates = [], oddities = [], publicArea } = contentsOf(bytes);
    const [certificate, ...intermediates] = certificates;
    const key = publicKey === undefined ? undefined : kindOf(publicKey);
    if (publicKey === undefined || key === undefined)
      throw new EkFileError('its key is of a kind that no endorsement key has');
    const spkiHash = publicKeyHash(publicKey);
    return { form, spkiHash, publicKey, key, certificate, intermediates, oddities, publicArea };
  } catch (cause) {
    if (!(cause instanceof MalformedCertificateError) && !(cause instanceof MalformedError)) throw cause;
    throw new EkFileError(cause.message, { cause });
  }
}

/** By its first bytes, which no two forms share. */
function contentsOf(bytes: Uint8Array): Contents {
  const [first] = bytes;
  if (first === undefined) throw new EkFileError('empty');
  if ((first === 0x00 || first === 0xff) && bytes.every((byte) => byte === first))
    throw new EkFileError('an NV index that was reserved and never filled');
  if (looksLikePem(bytes)) return pemContents(bytes);
  const answered = certificateOfAnswer(bytes);
  if (answered !== undefined) return ofCertificates('certificate-intel', [answered]);
  if (isSubjectPublicKeyInfo(bytes)) return { form: 'public-key-der', publicKey: importSpki(bytes) };
  if (first === TAG.SEQUENCE || first === STORED_CERTIFICATE) return ofCertificates(undefined, [bytes]);
  return publicAreaContents(bytes);
}

/** Of the header in front of a certificate in NV; no public area begins so, being neither 4 KiB long nor of this type. */
const STORED_CERTIFICATE = 0x10;

/** @param form undefined for what is DER, or the contents of an NV index */
function ofCertificates(form: EkFileForm | undefined, stored: readonly Uint8Array[]): Contents {
  const taken = stored.map((bytes) => takeCertificate(bytes));
  const [own] = taken.map(({ der }) => parseCertificate(der));
  if (own === undefined) throw new EkFileError('holds no certificate');
  if (own.basicConstraints?.ca === true) throw new EkFileError(caReason(taken.length));
  const atIntake = taken.flatMap(({ oddities }) => oddities);
  return {
    form: form ?? (atIntake.length === 0 ? 'certificate-der' : 'certificate-nv'),
    publicKey: own.publicKey,
    certificates: taken.map(({ der }) => Uint8Array.from(der)),
    oddities: [...atIntake, ...ownOddities(own)],
  };
}

function caReason(certificates: number): string {
  const which = certificates === 1 ? 'the certificate' : 'the first certificate';
  return `${which} is a CA's; ${certificates === 1 ? "an endorsement key's is none" : "the endorsement key's own comes first"}`;
}

/** Every endorsement certificate of hardware has an empty subject. */
function ownOddities({ oddities }: Certificate): readonly string[] {
  return oddities.filter((oddity) => oddity !== 'empty-subject');
}

function pemContents(bytes: Uint8Array): Contents {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const keys = [...text.matchAll(PUBLIC_KEY_BLOCK)].map(([, base64 = '']) => importSpki(decodeBase64(base64)));
  if (keys.length > 1) throw new EkFileError('holds more than one public key');
  // What is left may be certificates alone: that a private key lies there is said, not passed over.
  const blocks = readPem(Buffer.from(text.replace(PUBLIC_KEY_BLOCK, ''), 'latin1'));
  const [publicKey] = keys;
  if (blocks.length === 0) return { form: 'public-key-pem', publicKey };
  const contents = ofCertificates(
    'certificate-pem',
    blocks.map(({ der }) => der),
  );
  if (keys.length > 0 && !isSameKey(publicKey, contents.publicKey))
    throw new EkFileError('the public key is not that of the certificate');
  return contents;
}

function isSameKey(a: KeyObject | undefined, b: KeyObject | undefined): boolean {
  return a !== undefined && b !== undefined && samePublicKey(a, b);
}

function decodeBase64(text: string): Uint8Array {
  const der = base64Octets(text.replace(/\s/g, ''));
  if (der === undefined) throw new EkFileError('a PUBLIC KEY block that is not base64');
  return der;
}

/** A SEQUENCE that begins with the algorithm, which begins with its identifier; a certificate's begins otherwise. */
function isSubjectPublicKeyInfo(bytes: Uint8Array): boolean {
  try {
    const info = new DerReader(bytes, 'input').take(TAG.SEQUENCE, 'subjectPublicKeyInfo').enter();
    return info.take(TAG.SEQUENCE, 'algorithm').enter().nextTag === TAG.OBJECT_IDENTIFIER;
  } catch (error) {
    if (error instanceof MalformedCertificateError) return false;
    throw error;
  }
}

function importSpki(bytes: Uint8Array): KeyObject | undefined {
  const reader = new DerReader(bytes, 'input');
  const element = reader.take(TAG.SEQUENCE, 'subjectPublicKeyInfo');
  reader.finish();
  return importPublicKey(readSubjectPublicKeyInfo(element));
}

function publicAreaContents(bytes: Uint8Array): Contents {
  const read = readToolsKey(bytes);
  if (read.kind !== 'public area') throw new EkFileError('holds no public area');
  const { publicArea } = read;
  const sized = ((bytes[0] ?? 0) << 8) + (bytes[1] ?? 0) === bytes.length - 2;
  return {
    form: sized ? 'tpm2b-public' : 'tpmt-public',
    publicKey: publicKeyOf(publicArea),
    publicArea,
    oddities: ekTemplateOf(publicArea) === undefined ? ['not-of-a-TCG-template'] : [],
  };
}

/** Undefined for a key that no endorsement key is. */
function kindOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): EkFile['key'] | undefined {
  const { modulusLength, namedCurve = '' } = asymmetricKeyDetails ?? {};
  if (asymmetricKeyType === 'rsa' && modulusLength !== undefined) return { algorithm: 'rsa', bits: modulusLength };
  const bits = asymmetricKeyType === 'ec' ? CURVE_BITS[namedCurve] : undefined;
  return bits === undefined ? undefined : { algorithm: 'ecc', bits };
}
