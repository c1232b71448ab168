/** Reads a saved endorsement key in any form that common tools write. Reads bytes; opens no file. */
import type { KeyObject } from 'node:crypto';
import { MalformedError } from '../bytes/malformed.ts';
import { nistCurveByOpenssl } from '../bytes/nist-curves.ts';
import { readToolsKey } from '../evidence/tpm2-tools.ts';
import { publicKeyHash, publicKeyOf, samePublicKey } from '../tpm/public-key.ts';
import type { TpmtPublic } from '../tpm/structures/public.ts';
import { ekTemplateOf } from '../tpm/templates.ts';
import { type Certificate, parseCertificate } from '../x509/certificate.ts';
import { DerReader, TAG } from '../x509/der.ts';
import { type Carrier, type KeyFile, readKeyFile, StrangerError } from '../x509/file/key-file.ts';
import { MAX_CHAIN_BYTES } from '../x509/intake.ts';
import { MalformedCertificateError } from '../x509/malformed-certificate.ts';
import { importPublicKey, readSubjectPublicKeyInfo } from '../x509/subject-public-key.ts';

/**
 * The content of the file and its encoding. `certificate-…` ends with `pem`, `der`, `nv` (contents of the NV index,
 * with a TCG header or padding), `pkcs7`, `base64`, or the service that answered it; `public-key-…` likewise. A public
 * area in TPM form is `tpm2b-public` (as `tpm2_createek -u` writes it) or `tpmt-public`; in an answer of a service,
 * `public-area-…`.
 */
export type EkFileForm =
  | `certificate-${Carrier | 'nv'}`
  | `public-key-${Carrier}`
  | `public-area-${Carrier}`
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
  /** Deviations from the rule or the common case that do not keep the file from being read. */
  readonly oddities: readonly string[];
  /** Only when the file contains a public area. */
  readonly publicArea: TpmtPublic | undefined;
}

/** Largest file that is read: the same limit as for a certificate chain in a TPM. */
export const MAX_EK_FILE_BYTES: number = MAX_CHAIN_BYTES;

/** The file holds no endorsement key. */
export class EkFileError extends Error {
  override readonly name = 'EkFileError';
  readonly code = 'ERR_EK_FILE';
}

/**
 * Reads a saved endorsement key of at most 64 KiB. The result has not been verified.
 *
 * @throws EkFileError
 */
export function readEkFile(bytes: Uint8Array): EkFile {
  if (bytes.length > MAX_EK_FILE_BYTES) throw new EkFileError(`larger than ${MAX_EK_FILE_BYTES} bytes`);
  try {
    return ekFileOf(readKeyFile(bytes, 'key'));
  } catch (cause) {
    if (
      !(cause instanceof MalformedCertificateError || cause instanceof MalformedError || cause instanceof StrangerError)
    )
      throw cause;
    throw new EkFileError(cause.message, { cause });
  }
}

function ekFileOf(file: KeyFile): EkFile {
  const [own, ...chain] = file.certificates;
  const certified = own === undefined ? undefined : endorsementCertificate(own.der, file.certificates.length);
  const publicArea = file.publicArea === undefined ? undefined : publicAreaIn(file.publicArea);
  const bare = publicArea === undefined ? importSpki(file.publicKey) : publicKeyOf(publicArea);
  if (certified?.publicKey !== undefined && bare !== undefined && !samePublicKey(certified.publicKey, bare))
    throw new EkFileError('its public key and its certificate are for different keys');
  const publicKey = certified === undefined ? bare : certified.publicKey;
  const key = publicKey === undefined ? undefined : kindOf(publicKey);
  if (publicKey === undefined || key === undefined)
    throw new EkFileError('its key is of a kind that endorsement keys do not have');
  const oddities = [
    ...file.certificates.flatMap((one) => one.oddities),
    ...(certified === undefined ? [] : ownOddities(certified)),
    ...(publicArea === undefined || ekTemplateOf(publicArea) !== undefined ? [] : ['not-of-a-TCG-template']),
    ...(file.hasFurtherKey ? ['further-key-in-file'] : []),
  ];
  return {
    ...{ form: formOf(file), spkiHash: publicKeyHash(publicKey), publicKey, key, oddities, publicArea },
    certificate: own === undefined ? undefined : Uint8Array.from(own.der),
    intermediates: chain.map(({ der }) => Uint8Array.from(der)),
  };
}

function formOf({ carrier, certificates: [own], publicArea }: KeyFile): EkFileForm {
  if (own !== undefined) return `certificate-${carrier === 'der' && own.oddities.length > 0 ? 'nv' : carrier}`;
  if (publicArea === undefined) return `public-key-${carrier}`;
  if (carrier !== 'der') return `public-area-${carrier}`;
  return isSized(publicArea) ? 'tpm2b-public' : 'tpmt-public';
}

function endorsementCertificate(der: Uint8Array, certificates: number): Certificate {
  const own = parseCertificate(der);
  if (own.basicConstraints?.ca !== true) return own;
  const which = certificates === 1 ? 'the certificate' : 'the first certificate';
  throw new EkFileError(
    `${which} is a CA's; ${certificates === 1 ? 'give that of an endorsement key' : "the endorsement key's own comes first"}`,
  );
}

/** Leaves out the empty subject, which every EK certificate of a hardware TPM has. */
function ownOddities({ oddities }: Certificate): readonly string[] {
  return oddities.filter((oddity) => oddity !== 'empty-subject');
}

function importSpki(der: Uint8Array | undefined): KeyObject | undefined {
  if (der === undefined) return undefined;
  const reader = new DerReader(der, 'input');
  const element = reader.take(TAG.SEQUENCE, 'subjectPublicKeyInfo');
  reader.finish();
  return importPublicKey(readSubjectPublicKeyInfo(element));
}

function publicAreaIn(bytes: Uint8Array): TpmtPublic {
  const read = readToolsKey(bytes);
  if (read.kind !== 'public area') throw new EkFileError('holds no public area');
  return read.publicArea;
}

function isSized(bytes: Uint8Array): boolean {
  return ((bytes[0] ?? 0) << 8) + (bytes[1] ?? 0) === bytes.length - 2;
}

/** Undefined for a kind of key that no endorsement key has. */
function kindOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): EkFile['key'] | undefined {
  const { modulusLength, namedCurve = '' } = asymmetricKeyDetails ?? {};
  if (asymmetricKeyType === 'rsa' && modulusLength !== undefined) return { algorithm: 'rsa', bits: modulusLength };
  const bits = asymmetricKeyType === 'ec' ? nistCurveByOpenssl(namedCurve)?.bits : undefined;
  return bits === undefined ? undefined : { algorithm: 'ecc', bits };
}
