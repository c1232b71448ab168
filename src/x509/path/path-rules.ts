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
 * Extensions that are acted on here or in the endorsement profile. Any other one that is critical refuses the path;
 * name and policy constraints are among those, as no CA of a TPM vendor has any.
 */
const PROCESSED: ReadonlySet<string> = new Set([
  EXTENSION.basicConstraints,
  EXTENSION.keyUsage,
  EXTENSION.extKeyUsage,
  EXTENSION.subjectAltName,
  // Any policy is acceptable, which leaves nothing to process.
  EXTENSION.certificatePolicies,
]);

export function criticalExtensionProblems(certificate: Certificate): PathProblem[] {
  const unknown = [...certificate.extensions.values()]
    .filter(({ oid, critical }) => critical && !PROCESSED.has(oid))
    .map(({ oid }) => oid);
  if (unknown.length === 0) return [];
  const message = `${describe(certificate)} has critical extensions that are not processed here: ${listed(unknown)}`;
  return [{ code: 'unknown_critical_extension', message }];
}

/** What a policy may let pass in a path that is sound otherwise. Nothing by default. */
export interface PathAllowances {
  /** A leaf after its end. */
  readonly allowExpiredLeaf?: boolean | undefined;
  /** Certificates before their beginning, for a judge whose clock may not be set yet. */
  readonly allowNotYetValid?: boolean | undefined;
  /** Signatures over SHA-1, for which a second message can be found by whoever chooses the first. */
  readonly allowSha1?: boolean | undefined;
}

/** @param allowExpired of the certificate that is the leaf */
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
 * The end of the path must be certified for the purpose, by name: a certificate for anything says nothing of a TPM.
 *
 * @param withoutPurposes whether one that lists none is accepted
 */
export function leafUsageProblems(leaf: Certificate, purpose: string, withoutPurposes = false): PathProblem[] {
  if (leaf.extKeyUsage?.includes(purpose) || (leaf.extKeyUsage === undefined && withoutPurposes)) return [];
  const has = leaf.extKeyUsage === undefined ? 'names no key purpose' : `is for ${listed(leaf.extKeyUsage)}`;
  return [{ code: 'eku', message: `${describe(leaf)} ${has}, not for ${purpose}` }];
}

/** A CA that lists purposes vouches for no others; one that lists none is not restricted. */
function caUsageProblems(ca: Certificate, purpose: string): PathProblem[] {
  const purposes = ca.extKeyUsage;
  if (purposes === undefined || purposes.includes(purpose) || purposes.includes(KEY_PURPOSE.any)) return [];
  return [{ code: 'eku', message: `${describe(ca)} may issue for ${listed(purposes)} only, not for ${purpose}` }];
}

/**
 * What keeps a certificate from being a CA in any path (RFC 5280 §6.1.4). An anchor is held to the same: it was
 * configured as a certificate, with the limits in it.
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

/** An RSA key that can be computed from its public half (CVE-2017-15361) signs for whoever did so. */
export function rocaProblems(ca: Certificate): PathProblem[] {
  const { key } = ca.subjectPublicKeyInfo;
  if (key.type !== 'rsa' || !hasRocaFingerprint(key.modulus)) return [];
  return [{ code: 'roca', message: `${describe(ca)} has an RSA key with the fingerprint of CVE-2017-15361 (ROCA)` }];
}

/** What keeps a CA from standing above `below`, the path up to it with the leaf first. */
export function pathLengthProblems(ca: Certificate, below: readonly Certificate[]): PathProblem[] {
  const limit = ca.basicConstraints?.pathLength;
  if (limit === undefined) return [];
  const authoritiesBelow = below.slice(1).filter((certificate) => !isSelfIssued(certificate)).length;
  if (authoritiesBelow <= limit) return [];
  const message = `${describe(ca)} allows ${limit} CAs below it, the path has ${authoritiesBelow}`;
  return [{ code: 'path_length', message }];
}

/**
 * Whether `issuer` made the signature on `subject`; key and algorithm are looked at before they are trusted to say.
 *
 * @param isVerified whether that very key is known to have made that very signature
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

/** What X.509 signs: a certificate, or a revocation list. */
export interface Signed {
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly tbs: Uint8Array;
  readonly signature: Uint8Array;
}

/** As `signatureProblem`, of anything that is signed; `described` is asked for what to call it only in a problem. */
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

/** Most object identifiers that a message names. */
const MAX_LISTED = 4;

function listed(oids: readonly string[]): string {
  const more = oids.length - MAX_LISTED;
  return more > 0 ? `${oids.slice(0, MAX_LISTED).join(', ')} and ${more} more` : oids.join(', ');
}

/** For people: the subject, or for an endorsement certificate without one its serial number and issuer. Up to 280 characters. */
export function describe(certificate: Certificate): string {
  if (certificate.subject.relativeNames.length > 0) return `"${formatName(certificate.subject)}"`;
  const serial = Array.from(certificate.serial, (octet) => octet.toString(16).padStart(2, '0')).join('');
  return `certificate ${serial} issued by "${formatName(certificate.issuer)}"`;
}
