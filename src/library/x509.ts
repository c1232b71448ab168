/** `tpm-attestor/x509`: certificates of endorsement keys and of the CAs above them, and revocation lists. Pure. */
export { type Certificate, parseCertificate } from '../x509/certificate.ts';
export { type CertificateRevocationList, parseCrl } from '../x509/crl/crl.ts';
export { checkEkProfile, type EkCertificateFacts } from '../x509/ek/ek-profile.ts';
export { type AnchorSet, anchorsOf, type TrustStore, trustStoreFrom } from '../x509/file/trust-store.ts';
export { takeCertificate, takeChain } from '../x509/intake.ts';
export { MalformedCertificateError } from '../x509/malformed-certificate.ts';
export { formatName } from '../x509/name.ts';
export { type PathQuestion, type PathVerdict, validatePath } from '../x509/path/path.ts';
export { type CrlSet, crlsFrom } from '../x509/path/revocation.ts';
