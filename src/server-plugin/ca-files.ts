/** The files of `ca_path`: a file or a folder of files, PEM or DER, every certificate in them an anchor. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TrustStore, type TrustStoreFile, trustStoreFrom } from '../x509/trust-store.ts';

/** More than any collection of TPM CAs has, and little enough to read in one go. */
const FILE_BYTES = 16 * 1024 * 1024;

/** @throws Error of node:fs, and one for a file beyond the size limit */
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
  if (statSync(path).size > FILE_BYTES) throw new Error(`${path} is larger than ${FILE_BYTES} bytes`);
  return { name: path, bytes: readFileSync(path) };
}
