/** The file of an endorsement certificate that the TPM does not hold. */
import type { KeyObject } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { parseCertificate } from '../../x509/certificate.ts';
import { readKeyFile } from '../../x509/file/key-file.ts';
import { MAX_CHAIN_CERTIFICATES } from '../../x509/intake.ts';
import { MalformedCertificateError } from '../../x509/malformed-certificate.ts';

/** As much as is read of a chain in the TPM. */
const MAX_FILE_BYTES = 65_536;

/** A file that holds no endorsement certificate, or one of another TPM. */
export class CertificateFileError extends Error {
  override readonly name: string = 'CertificateFileError';
  readonly code: 'ERR_CERTIFICATE_FILE' = 'ERR_CERTIFICATE_FILE' as const;
}

export interface CertificateFile {
  readonly path: string;
  /** Of the endorsement key. */
  readonly publicKey: KeyObject;
  /** DER, the endorsement key's own first. */
  readonly certificates: readonly Uint8Array[];
}

/**
 * Reads a regular file of at most 64 KiB: the endorsement key's certificate and at most nine of its chain, in any form that
 * `readKeyFile` knows.
 *
 * @throws CertificateFileError
 */
export async function readCertificateFile(path: string): Promise<CertificateFile> {
  try {
    const certificates = certificatesIn(await contentsOf(path));
    const publicKey = keysOf(certificates)[0];
    if (publicKey === undefined) throw new Error('its first certificate has a key of a kind that no TPM has');
    return { path, publicKey, certificates };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CertificateFileError(`no endorsement certificate can be read from ${path}: ${reason}`, { cause });
  }
}

async function contentsOf(path: string): Promise<Uint8Array> {
  // Without O_NONBLOCK a pipe that nobody writes into takes a thread of the pool for good.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new Error('it is not a regular file');
    const bytes = new Uint8Array(MAX_FILE_BYTES + 1);
    let length = 0;
    for (let bytesRead = -1; bytesRead !== 0 && length < bytes.length; length += bytesRead) {
      ({ bytesRead } = await file.read(bytes, length, bytes.length - length, null));
    }
    if (length > MAX_FILE_BYTES) throw new Error(`it is larger than ${MAX_FILE_BYTES} bytes`);
    return bytes.slice(0, length);
  } finally {
    await file.close();
  }
}

function certificatesIn(contents: Uint8Array): readonly Uint8Array[] {
  const { certificates } = readKeyFile(contents, 'certificate');
  if (certificates.length > MAX_CHAIN_CERTIFICATES)
    throw new Error(`it holds more than ${MAX_CHAIN_CERTIFICATES} certificates`);
  return certificates.map(({ der }) => der.slice());
}

/** Every certificate is read: one that is broken is the operator's to mend, not the server's to find. */
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
