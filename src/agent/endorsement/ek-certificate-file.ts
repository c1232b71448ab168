/** Reads the file of an EK certificate that the TPM does not store. */
import type { KeyObject } from 'node:crypto';
import { RegularFileError, regularFile } from '../../files/regular-file.ts';
import { inSlices } from '../../files/steps.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import { readKeyFile } from '../../x509/file/key-file.ts';
import { MAX_CHAIN_CERTIFICATES } from '../../x509/intake.ts';
import { MalformedCertificateError } from '../../x509/malformed-certificate.ts';

/** The same limit as for a certificate chain in the TPM. */
const MAX_FILE_BYTES = 65_536;

/** The file holds no EK certificate, or the certificate of another TPM. */
export class CertificateFileError extends Error {
  override readonly name: string = 'CertificateFileError';
  readonly code: 'ERR_CERTIFICATE_FILE' = 'ERR_CERTIFICATE_FILE' as const;
}

export interface CertificateFile {
  readonly path: string;
  /** The endorsement key of the first certificate. */
  readonly publicKey: KeyObject;
  /** DER, with the certificate of the endorsement key first. */
  readonly certificates: readonly Uint8Array[];
}

/**
 * Reads a regular file of at most 64 KiB: the EK certificate and at most nine certificates of its chain, in any form
 * that `readKeyFile` knows.
 *
 * @throws CertificateFileError
 */
export async function readCertificateFile(path: string): Promise<CertificateFile> {
  try {
    const contents = await inSlices(regularFile(path, MAX_FILE_BYTES), new AbortController().signal);
    const certificates = certificatesIn(contents);
    const publicKey = keysOf(certificates)[0];
    if (publicKey === undefined) throw new Error('the key of its first certificate is of a kind that no TPM has');
    return { path, publicKey, certificates };
  } catch (cause) {
    const reason = cause instanceof RegularFileError ? `it ${cause.reason}` : errorText(cause);
    throw new CertificateFileError(`no endorsement certificate can be read from ${path}: ${reason}`, { cause });
  }
}

function errorText(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function certificatesIn(contents: Uint8Array): readonly Uint8Array[] {
  const { certificates } = readKeyFile(contents, 'certificate');
  if (certificates.length > MAX_CHAIN_CERTIFICATES)
    throw new Error(`it holds more than ${MAX_CHAIN_CERTIFICATES} certificates`);
  return certificates.map(({ der }) => der.slice());
}

/** Reads every certificate, so that the operator learns of a broken one here and not from the server. */
function keysOf(certificates: readonly Uint8Array[]): readonly (KeyObject | undefined)[] {
  return certificates.map((der, i) => {
    try {
      return parseCertificate(der).publicKey;
    } catch (cause) {
      if (!(cause instanceof MalformedCertificateError)) throw cause;
      throw new Error(`its certificate ${i + 1} cannot be read: ${cause.message}`, { cause });
    }
  });
}
