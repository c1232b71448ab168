/** The folder of `ca_path` as `ca import` finds and fills it: whole files, and none that was there is changed. */
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

/** As the server takes them: a link that leads nowhere stops it. @throws UsageError that names what does */
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
 * Why no certificate was found. An empty folder is mended otherwise than files that cannot be read, which are listed.
 *
 * @param remedy for an empty folder
 */
export function nothingFound(paths: readonly string[], remedy: string = FILL_CA_PATH): string {
  const empty = paths.filter((path) => regularFilesIn(path)?.length === 0);
  if (empty.length < paths.length) return 'nothing there can be read as a certificate; give CA certificates';
  return `${empty.map(nameOf).join(', ')} has no files; ${remedy}`;
}

/** Of every certificate in the folder, whatever file it is in; a file that is none has no say. @throws UsageError */
export function fingerprintsIn(folder: string): ReadonlySet<string> {
  const fingerprints = new Set<string>();
  const there = lookAt(folder);
  if (there === undefined) return fingerprints;
  if (!there.isDirectory()) throw new UsageError(`${resolve(folder)} is not a folder; give a folder as --to`);
  for (const file of filesOfCaPath(folder)) {
    try {
      for (const { fingerprint } of readTrustStore(file).anchors.certificates) fingerprints.add(fingerprint);
    } catch (cause) {
      // The server would refuse the folder for it, and what it holds cannot be known.
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

/** Whether something of this name is there. */
export function isTaken(folder: string, name: string): boolean {
  return lstatSync(join(folder, name), { throwIfNoEntry: false }) !== undefined;
}

/**
 * All are written into a hidden folder in the folder first, which `ca_path` does not look into, and then put in place
 * one by one, each whole. A name that is taken meanwhile ends it.
 *
 * @throws UsageError where the folder cannot be made or written to
 */
export async function addFiles(folder: string, files: readonly NewFile[]): Promise<void> {
  makeFolder(folder);
  const scratch = scratchIn(folder);
  try {
    for (const { name, text } of files) {
      // Until the last is written a signal leaves nothing behind; those in place are then put there without a pause.
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
    // Not narrowed by the umask: the server refuses a folder in which it cannot read a file.
    fchmodSync(file, 0o644);
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** A link, unlike a renamed file, never takes the place of what is there. */
function putInPlace(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      throw new Error(`${resolve(to)} was made by somebody else meanwhile; run the import again`, { cause });
    // File systems without links, such as those of memory sticks.
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code)) throw cause;
    if (lstatSync(to, { throwIfNoEntry: false }) !== undefined)
      throw new Error(`${resolve(to)} was made by somebody else meanwhile; run the import again`, { cause });
    renameSync(from, to);
  }
}
