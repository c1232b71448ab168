/** A file with an endorsement certificate, and behind it perhaps its chain: PEM, DER, or what an NV index held. */
import { type Certificate, parseCertificate } from '../x509/certificate.ts';
import { type IntakeOddity, takeCertificate } from '../x509/intake.ts';
import { MalformedCertificateError } from '../x509/malformed-certificate.ts';
import { looksLikePem, readPem } from '../x509/pem.ts';
import { nameOf, readInput } from './files.ts';

export interface CertificateFile {
  readonly leaf: Certificate;
  readonly oddities: readonly IntakeOddity[];
  /** The others of a PEM file, in its order. */
  readonly intermediates: readonly Certificate[];
  /** Those that cannot be read, one sentence each: the server, too, goes on without them. */
  readonly leftOut: readonly string[];
}

/**
 * @throws UsageError for a file that is not there
 * @throws {MalformedCertificateError} for what is no certificate
 */
export function readCertificateFile(path: string): CertificateFile {
  const bytes = readInput(path);
  if (!looksLikePem(bytes)) {
    const { der, oddities } = takeCertificate(bytes);
    return { leaf: parseCertificate(der), oddities, intermediates: [], leftOut: [] };
  }
  const [first, ...others] = readPem(bytes);
  const leaf = parseCertificate(first?.der ?? new Uint8Array());
  const intermediates: Certificate[] = [];
  const leftOut: string[] = [];
  for (const { der, line } of others) {
    try {
      intermediates.push(parseCertificate(der));
    } catch (error) {
      if (!(error instanceof MalformedCertificateError)) throw error;
      leftOut.push(`${nameOf(path)}:${line} is left out: ${error.message}`);
    }
  }
  return { leaf, oddities: [], intermediates, leftOut };
}
