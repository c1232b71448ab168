/**
 * `tpm-attestor/verifier`: judges evidence. Pure: time and randomness are arguments, distrust is a returned verdict.
 *
 * Stable: `begin`, `finish`, `policyOf`, finding codes. The rest may change before 1.0, and CHANGELOG.md says so.
 */
export { finished, type Pausable } from '../bytes/pausable.ts';
export type { Entropy } from '../tpm/make-credential.ts';
export { ALLOWANCES, type Allowance, allowing } from '../verifier/allowances.ts';
export { type AttestationKey, judgeAttestationKey, judgeBareKey } from '../verifier/attestation-key.ts';
export { type CertificateVerdict, judgeEkCertificate } from '../verifier/ek-certificate.ts';
export { type Finding, type FindingCode, REMEDIES } from '../verifier/findings.ts';
export { finishKept, type KeptChallenge, keptOf } from '../verifier/kept-challenge.ts';
export { KnownMachines } from '../verifier/known-machines.ts';
export { LinkedKeys } from '../verifier/linked-keys.ts';
export { type Bundle, type BundleRules, type Policy, STRICT_RULES } from '../verifier/policy.ts';
export { POLICY_DEFAULTS, type PolicyOptions, policyOf } from '../verifier/policy-options.ts';
export { type QuoteExpectation, type SignedQuote, type VerifiedQuote, verifyQuote } from '../verifier/quote.ts';
export { Findings, type Trusted, type Untrusted, type Verdict } from '../verifier/verdict.ts';
export { type Begun, begin, beginInSteps, finish, type Pending } from '../verifier/verify.ts';
