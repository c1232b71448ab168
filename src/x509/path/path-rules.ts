/** The rules for each certificate and each signature of a path (RFC 5280 §6.1). */
import { NODE_SIGNATURES, type SignatureSteps } from '../../public-key/signature-steps.ts';
import { type Certificate, certifiedKey } from '../certificate.ts';
import { formatName } from '../name.ts';
import { EXTENSION, KEY_PURPOSE } from '../object-identifiers.ts';
import { hasRocaFingerprint } from '../roca.ts';
import { describeSignature, type SignatureAlgorithm, unsoundness, verifySignature } from '../signature-algorithm.ts';
import { weakness } from '../subject-public-key.ts';

/** Codes are stable. */
export type PathProblemCode =
  | 'unknown_issuer'
  | 'bad_signature'
  | 'weak_signature'
  | 'unsupported_signature'
  | 'weak_key'
  | 'roca'
  | 'revoked'
  | 'revocation_unknown'
  | 'expired'
  | 'not_yet_valid'
  | 'not_a_ca'
  | 'missing_key_cert_sign'
  | 'path_length'
  | 'unknown_critical_extension'
  | 'eku'
  | 'too_deep'
  | 'too_many_candidates';

/** Why a path is not trusted. Codes are stable; messages are for people and safe to log. */
export interface PathProblem {
  readonly code: PathProblemCode;
  readonly message: string;
}

/**
 * Extensions that these rules or the EK profile process. Any other critical extension refuses the path. That includes
 * name and policy constraints: no CA of a TPM vendor has any.
 */
const PROCESSED: ReadonlySet<string> = new Set([
  EXTENSION.basicConstraints,
  EXTENSION.keyUsage,
  EXTENSION.extKeyUsage,
  EXTENSION.subjectAltName,
  // Every policy is acceptable, so there is nothing to process.
  EXTENSION.certificatePolicies,
]);

export function criticalExtensionProblems(certificate: Certificate): PathProblem[] {
  const unknown = [...certificate.extensions.values()]
    .filter(({ oid, critical }) => critical && !PROCESSED.has(oid))
    .map(({ oid }) => oid);
  if (unknown.length === 0) return [];
  const message = `${describe(certificate)} has critical extensions that are not supported: ${listed(unknown)}`;
  return [{ code: 'unknown_critical_extension', message }];
}

/** Exceptions that a policy may allow in an otherwise sound path. None by default. */
export interface PathAllowances {
  /** Accepts an expired leaf. */
  readonly allowExpiredLeaf?: boolean | undefined;
  /** Accepts certificates that are not valid yet, for a machine whose clock may not be set. */
  readonly allowNotYetValid?: boolean | undefined;
  /** Accepts signatures over SHA-1. Whoever chooses the signed message can find a second one with the same hash. */
  readonly allowSha1?: boolean | undefined;
}

/** @param allowExpired set only for a leaf */
export function validityProblems(
  certificate: Certificate,
  now: Date,
  allowExpired = false,
  allowNotYetValid = false,
): PathProblem[] {
  const { notBefore, notAfter } = certificate;
  if (now < notBefore && !allowNotYetValid) {
    const message = `${describe(certificate)} is not valid before ${notBefore.toISOString()}`;
    return [{ code: 'not_yet_valid', message }];
  }
  if (now > notAfter && !allowExpired) {
    return [{ code: 'expired', message: `${describe(certificate)} expired at ${notAfter.toISOString()}` }];
  }
  return [];
}

/**
 * The leaf must list this very key purpose: anyExtendedKeyUsage does not show that the key is in a TPM.
 *
 * @param withoutPurposes whether a leaf without any key purpose is accepted
 */
export function leafUsageProblems(leaf: Certificate, purpose: string, withoutPurposes = false): PathProblem[] {
  if (leaf.extKeyUsage?.includes(purpose) || (leaf.extKeyUsage === undefined && withoutPurposes)) return [];
  const has = leaf.extKeyUsage === undefined ? 'names no key purpose' : `is for ${listed(leaf.extKeyUsage)}`;
  return [{ code: 'eku', message: `${describe(leaf)} ${has}, not for ${purpose}` }];
}

/** A CA that lists purposes may issue for those only. A CA that lists none is not restricted. */
function caUsageProblems(ca: Certificate, purpose: string): PathProblem[] {
  const purposes = ca.extKeyUsage;
  if (purposes === undefined || purposes.includes(purpose) || purposes.includes(KEY_PURPOSE.any)) return [];
  return [{ code: 'eku', message: `${describe(ca)} may issue for ${listed(purposes)} only, not for ${purpose}` }];
}

/**
 * Why a certificate cannot be a CA in any path (RFC 5280 §6.1.4). The same rules hold for an anchor: the operator
 * configured it as a certificate, with the limits in it.
 */
export function authorityProblems(
  ca: Certificate,
  rules: PathAllowances & { readonly now: Date; readonly requireEku?: string | undefined },
): PathProblem[] {
  const problems = [
    ...validityProblems(ca, rules.now, false, rules.allowNotYetValid),
    ...criticalExtensionProblems(ca),
  ];
  if (ca.basicConstraints?.ca !== true) {
    problems.push({ code: 'not_a_ca', message: `${describe(ca)} is not a CA certificate` });
  }
  if (ca.keyUsage?.has('keyCertSign') === false) {
    problems.push({ code: 'missing_key_cert_sign', message: `${describe(ca)} may not sign certificates` });
  }
  if (rules.requireEku !== undefined) problems.push(...caUsageProblems(ca, rules.requireEku));
  return problems;
}

/** Anybody can compute such a private key from its public key (CVE-2017-15361), and then sign with it. */
export function rocaProblems(ca: Certificate): PathProblem[] {
  const { key } = ca.subjectPublicKeyInfo;
  if (key.type !== 'rsa' || !hasRocaFingerprint(key.modulus)) return [];
  return [{ code: 'roca', message: `${describe(ca)} has an RSA key with the fingerprint of CVE-2017-15361 (ROCA)` }];
}

/** Why a CA may not extend a path. @param below the path without the CA, leaf first */
export function pathLengthProblems(ca: Certificate, below: readonly Certificate[]): PathProblem[] {
  const limit = ca.basicConstraints?.pathLength;
  if (limit === undefined) return [];
  const authoritiesBelow = below.slice(1).filter((certificate) => !isSelfIssued(certificate)).length;
  if (authoritiesBelow <= limit) return [];
  const message = `${describe(ca)} allows ${limit} CAs below it, the path has ${authoritiesBelow}`;
  return [{ code: 'path_length', message }];
}

/**
 * Why the signature of `issuer` on `subject` does not hold; undefined if it does. Weak keys and algorithms are refused
 * before the signature is checked.
 *
 * @param isVerified whether this signature was verified with this key before; it is then not checked again
 */
export function signatureProblem(
  subject: Certificate,
  issuer: Certificate,
  { allowSha1 }: PathAllowances = {},
  isVerified = false,
  steps: SignatureSteps = NODE_SIGNATURES,
): PathProblem | undefined {
  return signatureProblemOf(subject, () => describe(subject), issuer, { allowSha1 }, isVerified, steps);
}

/** The signed parts of a certificate or a revocation list. */
export interface Signed {
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly tbs: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * Like `signatureProblem`, for certificates and lists. @param described names the signed item; called only for a
 * problem
 */
export function signatureProblemOf(
  { signatureAlgorithm: algorithm, tbs, signature }: Signed,
  described: () => string,
  issuer: Certificate,
  { allowSha1 }: Pick<PathAllowances, 'allowSha1'> = {},
  isVerified = false,
  steps: SignatureSteps = NODE_SIGNATURES,
): PathProblem | undefined {
  const unsound = unsoundness(algorithm);
  if (unsound !== undefined && !(unsound === 'weak_signature' && allowSha1)) {
    const unsupported = unsound === 'unsupported_signature' ? ', which is not supported' : '';
    return { code: unsound, message: `${described()} is signed with ${describeSignature(algorithm)}${unsupported}` };
  }
  const { key } = issuer.subjectPublicKeyInfo;
  const weak = weakness(key);
  if (weak !== undefined) return { code: 'weak_key', message: `${describe(issuer)} has ${weak}` };
  if (isVerified) return undefined;
  const signer = certifiedKey(issuer);
  if (signer !== undefined && verifySignature(algorithm, tbs, signature, signer, steps)) return undefined;
  // Asked afterwards: a good signature is one by a key.
  if (signer === undefined || !steps.isKey(signer))
    return { code: 'weak_key', message: `${describe(issuer)} has an invalid public key` };
  return { code: 'bad_signature', message: `${described()} was not signed with the key of ${describe(issuer)}` };
}

function isSelfIssued(certificate: Certificate): boolean {
  return certificate.subject.canonical === certificate.issuer.canonical;
}

/** The most object identifiers that a message names. */
const MAX_LISTED = 4;

function listed(oids: readonly string[]): string {
  const more = oids.length - MAX_LISTED;
  return more > 0 ? `${oids.slice(0, MAX_LISTED).join(', ')} and ${more} more` : oids.join(', ');
}

/**
 * Names a certificate for people, in up to 280 characters: its subject, or if it has none its serial number and issuer.
 */
export function describe(certificate: Certificate): string {
  if (certificate.subject.relativeNames.length > 0) return `"${formatName(certificate.subject)}"`;
  const serial = Array.from(certificate.serial, (octet) => octet.toString(16).padStart(2, '0')).join('');
  return `certificate ${serial} issued by "${formatName(certificate.issuer)}"`;
}
