/** The report about an endorsement key that commands print. */
import type { Endorsement } from '../agent/endorsement/load-endorsement.ts';
import { hex } from '../bytes/bytes.ts';
import { certificateAddresses } from '../tpm/certificate-services.ts';
import { keyAlgorithmName, publicKeyHash, publicKeyOf } from '../tpm/public-key.ts';
import { decode } from '../tpm/structures/codec.ts';
import { tpmtPublic } from '../tpm/structures/public.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { MalformedCertificateError } from '../x509/malformed-certificate.ts';
import { formatName } from '../x509/name.ts';

export interface CertificateReport {
  readonly issuer: string;
  readonly serial: string;
  readonly not_before: string;
  readonly not_after: string;
}

export interface EndorsementReport {
  /** `L-1`: the template of the TCG EK Credential Profile. */
  readonly template: string;
  readonly algorithm: string;
  /** SHA-256 of the SPKI, hexadecimal: the machine's name in agent IDs and in `hash_path`. */
  readonly pub_hash: string;
  /** Hexadecimal Name. */
  readonly name: string;
  /** `0x81010001`; null for a key that the TPM makes from its template when it is needed. */
  readonly persistent_handle: string | null;
  readonly certificate: CertificateReport | null;
  /** Where the certificate was found; null when there is none. */
  readonly certificate_source: string | null;
  /** For a key of Intel or AMD without a certificate: addresses that may have it. Nothing is fetched. */
  readonly certificate_urls: readonly string[];
  /** Number of chain certificates in the TPM or the file. */
  readonly chain: number;
  readonly notes: readonly string[];
}

/** @param manufacturerId of the TPM; eight hexadecimal digits */
export function endorsementReport(endorsement: Endorsement, manufacturerId: string): EndorsementReport {
  const publicArea = decode(tpmtPublic, endorsement.publicArea);
  const key = publicKeyOf(publicArea);
  if (key === undefined)
    throw new RangeError('the endorsement key of this TPM is neither an RSA key nor on a NIST curve');
  const [certificate, ...chain] = endorsement.certificates;
  const notes = [...endorsement.notes];
  return {
    template: endorsement.template.name,
    algorithm: keyAlgorithmName(publicArea),
    pub_hash: publicKeyHash(key),
    name: hex(endorsement.name),
    persistent_handle: endorsement.persistentHandle === undefined ? null : handleText(endorsement.persistentHandle),
    certificate: certificate === undefined ? null : certificateReport(certificate, notes),
    certificate_source: endorsement.certificateSource ?? null,
    certificate_urls: certificate === undefined ? certificateAddresses(key, manufacturerId).map(({ url }) => url) : [],
    chain: chain.length,
    notes,
  };
}

export function handleText(handle: number): string {
  return `0x${handle.toString(16).padStart(8, '0')}`;
}

function certificateReport(der: Uint8Array, notes: string[]): CertificateReport | null {
  try {
    const { issuer, serial, notBefore, notAfter } = parseCertificate(der);
    return {
      issuer: formatName(issuer),
      serial: hex(serial),
      not_before: notBefore.toISOString(),
      not_after: notAfter.toISOString(),
    };
  } catch (error) {
    if (!(error instanceof MalformedCertificateError)) throw error;
    notes.push(`the endorsement certificate cannot be read: ${error.message}`);
    return null;
  }
}
