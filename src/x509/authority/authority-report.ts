/** What a CA certificate says, for people who decide whether to trust it. */
import { Buffer } from 'node:buffer';
import { type Certificate, certifiedKey, type Oddity } from '../certificate.ts';
import type { TpmKind } from '../ek/vendors.ts';
import { formatName } from '../name.ts';
import { EXTENSION } from '../object-identifiers.ts';
import { describeSignature, verifySignature } from '../signature-algorithm.ts';
import { keyHash, type SubjectKey, weakness } from '../subject-public-key.ts';
import { authorityKind, authorityManufacturer } from './authority-kinds.ts';

/** One certificate. Names are formatted for people, byte strings are lower-case hexadecimal, times RFC 3339. */
export interface AuthorityReport {
  readonly subject: string;
  readonly issuer: string;
  /** Null where the names do not tell. */
  readonly manufacturer: string | null;
  readonly kind: TpmKind | null;
  /** `root`: signed by itself. Any other is an intermediate, one that is called root and cross-signed included. */
  readonly role: 'root' | 'intermediate';
  /** `RSA-2048`, `P-384`, or the object identifier of a kind that is not supported. */
  readonly key: string;
  /** Null where the kind is not supported. */
  readonly key_bits: number | null;
  readonly signature: string;
  /** SHA-256 of the key, which is the same in each certificate of this CA. */
  readonly spki_sha256: string;
  /** SHA-256 of the certificate. */
  readonly fingerprint: string;
  readonly serial: string;
  readonly not_before: string;
  readonly not_after: string;
  /** Dotted object identifiers; null for a CA that is restricted to none. */
  readonly eku: readonly string[] | null;
  /** Null for no limit. */
  readonly path_length: number | null;
  readonly oddities: readonly Oddity[];
  /** Whether it says where revocations, and where its issuer's certificate, are to be had. */
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
 * Whether the certificate was signed with its own key, by whatever hash: the signature of an anchor on itself is no
 * reason to trust it. `no` for that of another issuer, also one of the same name; `unchecked` where key or algorithm is
 * not supported.
 */
export function selfSignature(certificate: Certificate): SelfSignature {
  const known = selfSignatures.get(certificate);
  if (known !== undefined) return known;
  const found = checkSelfSignature(certificate);
  selfSignatures.set(certificate, found);
  return found;
}

export type SelfSignature = 'good' | 'bad' | 'no' | 'unchecked';

/** Each is asked for several times, and a check of a signature is what costs most here. */
const selfSignatures = new WeakMap<Certificate, SelfSignature>();

function checkSelfSignature(certificate: Certificate): SelfSignature {
  const { subject, issuer, authorityKeyId, subjectKeyId, subjectPublicKeyInfo } = certificate;
  if (subject.canonical !== issuer.canonical) return 'no';
  if (!mayBeKeyOf(authorityKeyId, subjectKeyId)) return 'no';
  const { key } = subjectPublicKeyInfo;
  // Checking a signature may cost anything with the numbers that are refused there.
  if (weakness(key) !== undefined || certificate.signatureAlgorithm.scheme === 'other') return 'unchecked';
  const signer = certifiedKey(certificate);
  if (signer?.imported === undefined) return 'unchecked';
  const { signatureAlgorithm, tbs, signature } = certificate;
  return verifySignature(signatureAlgorithm, tbs, signature, signer) ? 'good' : 'bad';
}

/** Whether the key identifiers allow that the second one's key signed the first one's certificate. */
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
