/** The files of `ca_path`: a file or a folder of files, PEM or DER, every certificate in them an anchor. */
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TrustStore, type TrustStoreFile, trustStoreFrom } from '../x509/trust-store.ts';

/** More than any collection of TPM CAs has, and little enough to read in one go. */
const FILE_BYTES = 16 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;

/** @throws Error of node:fs, and one for a file of another kind or beyond the size limit */
export function readTrustStore(caPath: string): TrustStore {
  return trustStoreFrom(caFiles(caPath).map(readCaFile));
}

/** Folders below the folder and hidden files are left out: editors and mounts leave both. */
function caFiles(caPath: string): readonly string[] {
  if (!statSync(caPath).isDirectory()) return [caPath];
  return readdirSync(caPath)
    .filter((name) => !name.startsWith('.'))
    .sort()
    .map((name) => join(caPath, name))
    .filter((path) => statSync(path).isFile());
}

function readCaFile(path: string): TrustStoreFile {
  // Opening a pipe would wait for somebody who writes into it.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(file).isFile()) throw new Error(`${path} is not a regular file`);
    return { name: path, bytes: readBounded(file, path) };
  } finally {
    closeSync(file);
  }
}

/** Whatever size the file says it has. */
function readBounded(file: number, path: string): Uint8Array {
  const chunks: Uint8Array[] = [];
  for (let length = 0; ; ) {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    const bytesRead = readSync(file, chunk);
    if (bytesRead === 0) return Buffer.concat(chunks, length);
    length += bytesRead;
    if (length > FILE_BYTES) throw new Error(`${path} is larger than ${FILE_BYTES} bytes`);
    chunks.push(chunk.subarray(0, bytesRead));
  }
}
