/** Reads the files of `ca_path` and `crl_path`: one file, or a folder of files. */
import { readdir, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type FileState, stateOf } from '../files/file-state.ts';
import { regularFile } from '../files/regular-file.ts';
import { atOnce, type Steps, waitFor } from '../files/steps.ts';
import { type TrustStore, type TrustStoreFile, trustStoreFrom } from '../x509/file/trust-store.ts';

const readFolder = promisify(readdir);
/** More than any collection of TPM CAs takes, and small enough to read at once. */
const FILE_BYTES = 16 * 1024 * 1024;

/**
 * Reads the trust anchors: every certificate in the files is one.
 *
 * @throws Error of node:fs, or an error if a path is not a regular file or a file is too large
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
  return atOnce(trustFile(path));
}

/** @throws as `readTrustStore` */
export function* trustFile(path: string): Steps<TrustStoreFile> {
  return { name: path, bytes: yield* regularFile(path, FILE_BYTES) };
}

/** @throws Error of node:fs */
export function trustFileNames(path: string): readonly string[] {
  return [...atOnce(trustFilesAt(path)).keys()];
}

/**
 * The files by name. Hidden files and subfolders are ignored: editors and mounts leave them there.
 *
 * @throws Error of node:fs
 */
export function* trustFilesAt(path: string): Steps<ReadonlyMap<string, FileState>> {
  const state = yield* stateOf(path);
  if (state.kind !== 'folder') return new Map([[path, state]]);
  const names = yield* waitFor({ atOnce: () => readdirSync(path), later: () => readFolder(path) });
  const files = new Map<string, FileState>();
  for (const name of names.filter((one) => !one.startsWith('.')).sort()) {
    const file = join(path, name);
    const ofFile = yield* stateOf(file);
    if (ofFile.kind === 'file') files.set(file, ofFile);
  }
  return files;
}
