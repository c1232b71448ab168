/**
 * Judges evidence. Pure: time and randomness are arguments, distrust is a returned verdict.
 *
 * Stable: `begin`, `beginInSteps`, `finish`, `policyOf`, finding codes, and the agent ID and selectors of a verdict. The
 * rest may change before 1.0.
 *
 * @module tpm-attestor/verifier
 */
export { finished, type Pausable } from '../bytes/pausable.ts';
export type { EcNumbers, PublicKey, PublicNumbers, RsaNumbers } from '../public-key/public-key.ts';
export type { SignatureForm, SignatureSteps } from '../public-key/signature-steps.ts';
export type { CredentialRecipe, CredentialSteps, SealedCredential } from '../tpm/credential-steps.ts';
export type { Entropy } from '../tpm/make-credential.ts';
export { NODE_STEPS, type PublicKeySteps } from '../tpm/public-key-steps.ts';
export type { HashAlgorithm } from '../tpm/structures/algorithms.ts';
export { ALLOWANCES, type Allowance, type AllowanceRow, allowing } from '../verifier/allowances.ts';
export {
  type AcceptableAk,
  type AttestationKey,
  judgeAttestationKey,
  judgeBareKey,
} from '../verifier/attestation-key.ts';
export {
  type CertificateProblem,
  type CertificateQuestion,
  type CertificateVerdict,
  type CertifiedEk,
  judgeEkCertificate,
} from '../verifier/ek-certificate.ts';
export type { AdmittedBy, TrustedEk } from '../verifier/endorsement.ts';
export type { BegunExchange, PendingCredential } from '../verifier/exchange.ts';
export { type Finding, type FindingCode, MEANINGS, REMEDIES } from '../verifier/findings.ts';
export { type Asked, finishKept, type KeptChallenge, keptOf } from '../verifier/kept-challenge.ts';
export { type Judged, KnownMachines } from '../verifier/known-machines.ts';
export { type Keys, LinkedKeys } from '../verifier/linked-keys.ts';
export type { OperatorLists } from '../verifier/operator-lists.ts';
export {
  type Bundle,
  type BundleRules,
  CRL_POLICIES,
  type CrlPolicy,
  type DenySubject,
  MODES,
  type Mode,
  type PcrRequirement,
  type Policy,
  STRICT_RULES,
} from '../verifier/policy.ts';
export { POLICY_DEFAULTS, type PolicyDefaults, type PolicyOptions, policyOf } from '../verifier/policy-options.ts';
export { type QuoteExpectation, type SignedQuote, type VerifiedQuote, verifyQuote } from '../verifier/quote.ts';
export {
  Findings,
  type PcrValue,
  type ProvedKeys,
  type Trusted,
  type TrustedDevice,
  type Untrusted,
  type Verdict,
} from '../verifier/verdict.ts';
export { type Begun, begin, beginInSteps, finish, type Pending } from '../verifier/verify.ts';
