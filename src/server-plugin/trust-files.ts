/** The files of `ca_path` and `crl_path`: one file, or a folder of files. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TrustStore, type TrustStoreFile, trustStoreFrom } from '../x509/trust-store.ts';
import { readRegularFile } from './regular-file.ts';

/** More than any collection of TPM CAs has, and little enough to read in one go. */
const FILE_BYTES = 16 * 1024 * 1024;

/**
 * Every certificate in the files is an anchor.
 *
 * @throws Error of node:fs, and one for a file of another kind or beyond the size limit
 */
export function readTrustStore(caPath: string): TrustStore {
  return trustStoreFrom(readTrustFiles(caPath));
}

/** @throws as `readTrustStore` */
export function readTrustFiles(path: string): readonly TrustStoreFile[] {
  return trustFileNames(path).map(readTrustFile);
}

/** @throws as `readTrustStore` */
export function readTrustFile(path: string): TrustStoreFile {
  return { name: path, bytes: readRegularFile(path, FILE_BYTES) };
}

/**
 * Folders below the folder and hidden files are left out: editors and mounts leave both.
 *
 * @throws Error of node:fs
 */
export function trustFileNames(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => !name.startsWith('.'))
    .sort()
    .map((name) => join(path, name))
    .filter((file) => statSync(file).isFile());
}
