import type { Certificate } from './certificate.ts';
import { formatName } from './name.ts';
import { EXTENSION, KEY_PURPOSE } from './object-identifiers.ts';
import { describeSignature, unsoundness, verifySignature } from './signature-algorithm.ts';
import { weakness } from './subject-public-key.ts';

export type PathProblemCode =
  | 'unknown_issuer'
  | 'bad_signature'
  | 'weak_signature'
  | 'unsupported_signature'
  | 'weak_key'
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

export function validityProblems(certificate: Certificate, now: Date, allowExpired = false): PathProblem[] {
  const { notBefore, notAfter } = certificate;
  if (now < notBefore) {
    const message = `${describe(certificate)} is not valid before ${notBefore.toISOString()}`;
    return [{ code: 'not_yet_valid', message }];
  }
  if (now > notAfter && !allowExpired) {
    return [{ code: 'expired', message: `${describe(certificate)} expired at ${notAfter.toISOString()}` }];
  }
  return [];
}

/** The end of the path must be certified for the purpose, by name: a certificate for anything says nothing of a TPM. */
export function leafUsageProblems(leaf: Certificate, purpose: string): PathProblem[] {
  if (leaf.extKeyUsage?.includes(purpose)) return [];
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
  rules: { readonly now: Date; readonly requireEku?: string | undefined },
): PathProblem[] {
  const problems = [...validityProblems(ca, rules.now), ...criticalExtensionProblems(ca)];
  if (ca.basicConstraints?.ca !== true) {
    problems.push({ code: 'not_a_ca', message: `${describe(ca)} is not a CA certificate` });
  }
  if (ca.keyUsage?.has('keyCertSign') === false) {
    problems.push({ code: 'missing_key_cert_sign', message: `${describe(ca)} may not sign certificates` });
  }
  if (rules.requireEku !== undefined) problems.push(...caUsageProblems(ca, rules.requireEku));
  return problems;
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

/** Whether `issuer` made the signature on `subject`; key and algorithm are looked at before they are trusted to say. */
export function signatureProblem(subject: Certificate, issuer: Certificate): PathProblem | undefined {
  const algorithm = subject.signatureAlgorithm;
  const unsound = unsoundness(algorithm);
  if (unsound !== undefined) {
    return { code: unsound, message: `${describe(subject)} is signed with ${describeSignature(algorithm)}` };
  }
  const { key } = issuer.subjectPublicKeyInfo;
  const weak = weakness(key);
  if (weak !== undefined) return { code: 'weak_key', message: `${describe(issuer)} has ${weak}` };
  const { publicKey } = issuer;
  if (publicKey === undefined) return { code: 'weak_key', message: `${describe(issuer)} has a key that is none` };
  if (verifySignature(algorithm, subject.tbs, subject.signature, { key, publicKey })) return undefined;
  return { code: 'bad_signature', message: `${describe(subject)} was not signed with the key of ${describe(issuer)}` };
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

/** For people: the subject, or for an endorsement certificate without one its serial and issuer. Up to 270 characters. */
export function describe(certificate: Certificate): string {
  if (certificate.subject.relativeNames.length > 0) return `"${formatName(certificate.subject)}"`;
  const serial = Array.from(certificate.serial, (octet) => octet.toString(16).padStart(2, '0')).join('');
  return `certificate ${serial} of "${formatName(certificate.issuer)}"`;
}
