/**
 * Reads and fills the folder of `ca_path` for `ca import`. It adds whole files and never changes a file that exists.
 */
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { fileFailure } from '../../files/file-failure.ts';
import { makeScratchFolder, removeScratchFolder } from '../../files/scratch-folder.ts';
import { readTrustStore, trustFileNames } from '../../policy/trust-files.ts';
import { UsageError } from '../terminal/failure.ts';
import { makeFolder, nameOf, regularFilesIn } from '../terminal/files.ts';

export interface NewFile {
  readonly name: string;
  readonly text: string;
}

/**
 * The files that the server would read. A broken link is an error, as in the server. @throws UsageError with its path
 */
export function filesOfCaPath(caPath: string): readonly string[] {
  try {
    return trustFileNames(caPath);
  } catch (cause) {
    const path = (cause as NodeJS.ErrnoException).path ?? caPath;
    throw new UsageError(`${resolve(path)} cannot be read: ${fileFailure(cause)}`, { cause });
  }
}

const FILL_CA_PATH = 'put CA certificates there, for example with "tpm-attestor ca import"';

/**
 * Why no certificate was found, with a remedy for an empty folder or for unreadable files.
 *
 * @param remedy for an empty folder
 */
export function nothingFound(paths: readonly string[], remedy: string = FILL_CA_PATH): string {
  const empty = paths.filter((path) => regularFilesIn(path)?.length === 0);
  if (empty.length < paths.length) return 'nothing there can be read as a certificate; give CA certificates';
  return `${empty.map(nameOf).join(', ')} has no files; ${remedy}`;
}

/** The fingerprints of all certificates in the folder's files. Other contents are ignored. @throws UsageError */
export function fingerprintsIn(folder: string): ReadonlySet<string> {
  const fingerprints = new Set<string>();
  const there = lookAt(folder);
  if (there === undefined) return fingerprints;
  if (!there.isDirectory()) throw new UsageError(`${resolve(folder)} is not a folder; give a folder as --to`);
  for (const file of filesOfCaPath(folder)) {
    try {
      for (const { fingerprint } of readTrustStore(file).anchors.certificates) fingerprints.add(fingerprint);
    } catch (cause) {
      // The server would refuse the folder because of this file, and its certificates are unknown.
      throw new UsageError(`${resolve(file)} cannot be read: ${fileFailure(cause)}`, { cause });
    }
  }
  return fingerprints;
}

function lookAt(folder: string): Stats | undefined {
  try {
    return statSync(folder, { throwIfNoEntry: false });
  } catch (cause) {
    throw new UsageError(`${resolve(folder)} cannot be used: ${fileFailure(cause)}`, { cause });
  }
}

/** Whether the folder has an entry with this name. */
export function isTaken(folder: string, name: string): boolean {
  return lstatSync(join(folder, name), { throwIfNoEntry: false }) !== undefined;
}

/**
 * Writes all files into a hidden subfolder, which the server ignores, and then moves each into place. If a name is
 * taken meanwhile, it stops with an error.
 *
 * @throws UsageError if the folder cannot be made or written to
 */
export async function addFiles(folder: string, files: readonly NewFile[]): Promise<void> {
  makeFolder(folder);
  const scratch = scratchIn(folder);
  try {
    for (const { name, text } of files) {
      // Signals are handled here, before any file is in place. The moves below run without a pause.
      await new Promise((resolve) => setImmediate(resolve));
      writeWhole(join(scratch, name), text);
    }
    for (const { name } of files) putInPlace(join(scratch, name), join(folder, name));
  } finally {
    await removeScratchFolder(scratch);
  }
}

function scratchIn(folder: string): string {
  try {
    return makeScratchFolder('.import-', folder);
  } catch (cause) {
    throw new UsageError(`${resolve(folder)} cannot be written to: ${fileFailure(cause)}`, { cause });
  }
}

function writeWhole(path: string, text: string): void {
  const file = openSync(path, 'wx', 0o644);
  try {
    // Overrides the umask: the server refuses a folder with a file that it cannot read.
    fchmodSync(file, 0o644);
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Makes a hard link: unlike a rename, it never replaces a file that exists. */
function putInPlace(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      throw new Error(`${resolve(to)} was made by somebody else meanwhile; run the import again`, { cause });
    // Some file systems have no hard links, such as those of memory sticks.
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code)) throw cause;
    if (lstatSync(to, { throwIfNoEntry: false }) !== undefined)
      throw new Error(`${resolve(to)} was made by somebody else meanwhile; run the import again`, { cause });
    renameSync(from, to);
  }
}
