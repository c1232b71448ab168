/** A file with an endorsement certificate, and behind it perhaps its chain: PEM, DER, or what an NV index held. */
import { type Certificate, parseCertificate } from '../x509/certificate.ts';
import { type IntakeOddity, takeCertificate } from '../x509/intake.ts';
import { looksLikePem, readPem } from '../x509/pem.ts';
import { readInput } from './files.ts';

export interface CertificateFile {
  readonly leaf: Certificate;
  readonly oddities: readonly IntakeOddity[];
  /** The others of a PEM file, in its order. */
  readonly intermediates: readonly Certificate[];
}

/**
 * @throws UsageError for a file that is not there
 * @throws {MalformedCertificateError} for what is no certificate
 */
export function readCertificateFile(path: string): CertificateFile {
  const bytes = readInput(path);
  if (!looksLikePem(bytes)) {
    const { der, oddities } = takeCertificate(bytes);
    return { leaf: parseCertificate(der), oddities, intermediates: [] };
  }
  const [first = new Uint8Array(), ...others] = readPem(bytes).map(({ der }) => der);
  return { leaf: parseCertificate(first), oddities: [], intermediates: others.map(parseCertificate) };
}
