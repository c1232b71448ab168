/** Reads the input file of `ek verify`: an EK certificate, perhaps followed by its chain. */
import { type Certificate, parseCertificate } from '../../x509/certificate.ts';
import { readKeyFile, StrangerError } from '../../x509/file/key-file.ts';
import type { IntakeOddity } from '../../x509/intake.ts';
import { MalformedCertificateError } from '../../x509/malformed-certificate.ts';
import { UsageError } from '../terminal/failure.ts';
import { nameOf, readInput } from '../terminal/files.ts';

export interface CertificateFile {
  readonly leaf: Certificate;
  readonly oddities: readonly IntakeOddity[];
  /** The other certificates, in the order of the file. */
  readonly intermediates: readonly Certificate[];
  /** One sentence for each unreadable certificate. The server ignores such certificates, too. */
  readonly leftOut: readonly string[];
}

/**
 * @throws UsageError if the file does not exist, or is of another kind
 * @throws {MalformedCertificateError} if the EK certificate is malformed
 */
export function readCertificateFile(path: string): CertificateFile {
  const [own, ...others] = certificatesIn(path);
  const leaf = parseCertificate(own?.der ?? new Uint8Array());
  const intermediates: Certificate[] = [];
  const leftOut: string[] = [];
  for (const { der, line } of others) {
    try {
      intermediates.push(parseCertificate(der));
    } catch (error) {
      if (!(error instanceof MalformedCertificateError)) throw error;
      leftOut.push(`${nameOf(path)}${line === undefined ? '' : `:${line}`} is left out: ${error.message}`);
    }
  }
  return { leaf, oddities: own?.oddities ?? [], intermediates, leftOut };
}

function certificatesIn(path: string): ReturnType<typeof readKeyFile>['certificates'] {
  try {
    return readKeyFile(readInput(path), 'certificate').certificates;
  } catch (cause) {
    if (!(cause instanceof StrangerError)) throw cause;
    throw new UsageError(`${nameOf(path)} holds no endorsement certificate: ${cause.message}`, { cause });
  }
}
