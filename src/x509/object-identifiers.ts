/** Object identifiers of certificates and revocation lists, in dotted decimal form. */

/** Extensions of certificates (RFC 5280 §4.2). */
export const EXTENSION = {
  subjectDirectoryAttributes: '2.5.29.9',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  cRLDistributionPoints: '2.5.29.31',
  certificatePolicies: '2.5.29.32',
  authorityKeyIdentifier: '2.5.29.35',
  policyConstraints: '2.5.29.36',
  extKeyUsage: '2.5.29.37',
  inhibitAnyPolicy: '2.5.29.54',
  authorityInfoAccess: '1.3.6.1.5.5.7.1.1',
  /** The zone, project and instance of a Google Compute Engine machine. */
  googleInstance: '1.3.6.1.4.1.11129.2.1.21',
} as const;

/** Supported extensions of revocation lists (RFC 5280 §5.2). */
export const CRL_EXTENSION = {
  cRLNumber: '2.5.29.20',
  deltaCRLIndicator: '2.5.29.27',
  issuingDistributionPoint: '2.5.29.28',
  authorityKeyIdentifier: '2.5.29.35',
} as const;

/** Supported extensions of an entry of a revocation list (RFC 5280 §5.3). */
export const CRL_ENTRY_EXTENSION = {
  reasonCode: '2.5.29.21',
  certificateIssuer: '2.5.29.29',
} as const;

/** Key purposes: TCG EK Credential Profile §3.2, RFC 5280 §4.2.1.12. */
export const KEY_PURPOSE = {
  any: '2.5.29.37.0',
  /** tcg-kp-EKCertificate: the key is a TPM's endorsement key. */
  ekCertificate: '2.23.133.8.1',
  /** tcg-kp-PlatformAttributeCertificate */
  platformCertificate: '2.23.133.8.2',
  /** tcg-kp-AIKCertificate: the key is an attestation key. */
  aikCertificate: '2.23.133.8.3',
} as const;

/** TCG attributes in the subject alternative name and the subject directory attributes. */
export const TCG_ATTRIBUTE = {
  tpmManufacturer: '2.23.133.2.1',
  tpmModel: '2.23.133.2.2',
  tpmVersion: '2.23.133.2.3',
  tpmSpecification: '2.23.133.2.16',
} as const;

/** id-ad-caIssuers (RFC 5280 §4.2.2.1): where the issuer's certificate can be fetched. */
export const ACCESS_CA_ISSUERS = '1.3.6.1.5.5.7.48.2';
