/**
 * Certificates of endorsement keys and of the CAs above them, and revocation lists. Pure.
 *
 * All of it may change before 1.0.
 *
 * @module tpm-attestor/x509
 */
export type { NistCurve, NistCurveName } from '../bytes/nist-curves.ts';
export { type Certificate, type Oddity, parseCertificate } from '../x509/certificate.ts';
export { type CertificateRevocationList, parseCrl, type Revocation } from '../x509/crl/crl.ts';
export type { CrlScope } from '../x509/crl/crl-scope.ts';
export {
  checkEkProfile,
  type EkCertificateFacts,
  type EkOddity,
  type EkProblem,
  type EkProblemCode,
  type EkProfileOptions,
  type EkProfileVerdict,
} from '../x509/ek/ek-profile.ts';
export type { EkRules } from '../x509/ek/ek-rules.ts';
export type { TpmSpecification } from '../x509/ek/tcg-attributes.ts';
export { TPM_KINDS, type TpmKind } from '../x509/ek/vendors.ts';
export type { BasicConstraints, Extension, ExtensionOddity, KeyUsage } from '../x509/extensions.ts';
export { KEY_USAGES } from '../x509/extensions.ts';
export type { FileKind } from '../x509/file/file-kind.ts';
export {
  type AnchorSet,
  anchorsOf,
  type TrustStore,
  type TrustStoreFile,
  type TrustStoreProblem,
  trustStoreFrom,
} from '../x509/file/trust-store.ts';
export { type ChainIntake, type Intake, type IntakeOddity, takeCertificate, takeChain } from '../x509/intake.ts';
export { MalformedCertificateError } from '../x509/malformed-certificate.ts';
export { formatName, type Name, type NameAttribute, type NameOddity } from '../x509/name.ts';
export { type MissingIssuer, type PathQuestion, type PathVerdict, validatePath } from '../x509/path/path.ts';
export { PathCache } from '../x509/path/path-cache.ts';
export type { RevocationRule } from '../x509/path/path-revocation.ts';
export type { PathAllowances, PathProblem, PathProblemCode } from '../x509/path/path-rules.ts';
export { type CrlSet, crlsFrom } from '../x509/path/revocation.ts';
export { type CheckBudget, type CheckPurpose, SignatureChecks } from '../x509/path/signature-checks.ts';
export type { Hash, SignatureAlgorithm, SignatureOddity } from '../x509/signature-algorithm.ts';
export type {
  EcSubjectKey,
  OtherSubjectKey,
  RsaSubjectKey,
  SubjectKey,
  SubjectPublicKeyInfo,
} from '../x509/subject-public-key.ts';
export type { Period, TimeOddity } from '../x509/validity.ts';
