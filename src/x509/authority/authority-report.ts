/** Reports the contents of a CA certificate, for the operator who decides whether to trust it. */
import { Buffer } from 'node:buffer';
import { type Certificate, certifiedKey, type Oddity } from '../certificate.ts';
import type { TpmKind } from '../ek/vendors.ts';
import { formatName } from '../name.ts';
import { EXTENSION } from '../object-identifiers.ts';
import { describeSignature, verifySignature } from '../signature-algorithm.ts';
import { keyHash, type SubjectKey, weakness } from '../subject-public-key.ts';
import { authorityKind, authorityManufacturer } from './authority-kinds.ts';

/** The report of one certificate. Byte strings are lower-case hexadecimal, times are RFC 3339. */
export interface AuthorityReport {
  readonly subject: string;
  readonly issuer: string;
  /** Null if the names do not tell. */
  readonly manufacturer: string | null;
  readonly kind: TpmKind | null;
  /** `root`: self-signed. All others are `intermediate`, even a cross-signed certificate that is called root. */
  readonly role: 'root' | 'intermediate';
  /** `RSA-2048`, `P-384`, or the object identifier of an unsupported kind. */
  readonly key: string;
  /** Null if the kind is not supported. */
  readonly key_bits: number | null;
  readonly signature: string;
  /** SHA-256 of the key. It is the same in every certificate of this CA's key. */
  readonly spki_sha256: string;
  /** SHA-256 of the certificate. */
  readonly fingerprint: string;
  readonly serial: string;
  readonly not_before: string;
  readonly not_after: string;
  /** The key purposes the CA is restricted to, as dotted object identifiers. Null if it is not restricted. */
  readonly eku: readonly string[] | null;
  /** Null if there is no limit. */
  readonly path_length: number | null;
  readonly oddities: readonly Oddity[];
  /** Whether the certificate has addresses for a revocation list, and for its issuer's certificate. */
  readonly lists_crl: boolean;
  readonly lists_issuer: boolean;
}

export function authorityReport(certificate: Certificate): AuthorityReport {
  const { subjectPublicKeyInfo, basicConstraints, extKeyUsage, extensions } = certificate;
  const { key } = subjectPublicKeyInfo;
  return {
    subject: formatName(certificate.subject),
    issuer: formatName(certificate.issuer),
    manufacturer: authorityManufacturer(certificate) ?? null,
    kind: authorityKind(certificate) ?? null,
    role: selfSignature(certificate) === 'no' ? 'intermediate' : 'root',
    key: keyText(key),
    key_bits: key.type === 'other' ? null : key.bits,
    signature: describeSignature(certificate.signatureAlgorithm),
    spki_sha256: keyHash(subjectPublicKeyInfo),
    fingerprint: certificate.fingerprint,
    serial: Buffer.from(certificate.serial).toString('hex'),
    not_before: certificate.notBefore.toISOString(),
    not_after: certificate.notAfter.toISOString(),
    eku: extKeyUsage ?? null,
    path_length: basicConstraints?.pathLength ?? null,
    oddities: certificate.oddities,
    lists_crl: extensions.has(EXTENSION.cRLDistributionPoints),
    lists_issuer: extensions.has(EXTENSION.authorityInfoAccess),
  };
}

/**
 * Whether the certificate was signed with its own key. Any hash will do: nothing trusts an anchor for its
 * self-signature. `no`: another issuer signed it, perhaps one with the same name. `unchecked`: the key is weak, or key
 * or algorithm is not supported.
 */
export function selfSignature(certificate: Certificate): SelfSignature {
  const known = selfSignatures.get(certificate);
  if (known !== undefined) return known;
  const found = checkSelfSignature(certificate);
  selfSignatures.set(certificate, found);
  return found;
}

export type SelfSignature = 'good' | 'bad' | 'no' | 'unchecked';

/** Results are kept: each is asked for several times, and a signature check is the most expensive step of a report. */
const selfSignatures = new WeakMap<Certificate, SelfSignature>();

function checkSelfSignature(certificate: Certificate): SelfSignature {
  const { subject, issuer, authorityKeyId, subjectKeyId, subjectPublicKeyInfo } = certificate;
  if (subject.canonical !== issuer.canonical) return 'no';
  if (!mayBeKeyOf(authorityKeyId, subjectKeyId)) return 'no';
  const { key } = subjectPublicKeyInfo;
  // With a weak key, the cost of a signature check would have no limit.
  if (weakness(key) !== undefined || certificate.signatureAlgorithm.scheme === 'other') return 'unchecked';
  const signer = certifiedKey(certificate);
  if (signer?.imported === undefined) return 'unchecked';
  const { signatureAlgorithm, tbs, signature } = certificate;
  return verifySignature(signatureAlgorithm, tbs, signature, signer) ? 'good' : 'bad';
}

/** Whether the key identifiers allow that the key with `subjectKeyId` signed the certificate with `authorityKeyId`. */
export function mayBeKeyOf(authorityKeyId: Uint8Array | undefined, subjectKeyId: Uint8Array | undefined): boolean {
  return (
    authorityKeyId === undefined || subjectKeyId === undefined || Buffer.compare(authorityKeyId, subjectKeyId) === 0
  );
}

function keyText(key: SubjectKey): string {
  switch (key.type) {
    case 'rsa':
      return `RSA-${key.bits}${key.use === 'any' ? '' : ` (${key.use} only)`}`;
    case 'ec':
      return key.curve;
    case 'other':
      return key.algorithm;
  }
}
