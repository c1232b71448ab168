/** Reads input files, with errors for the user, and writes output files, as a whole or not at all. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileFailure } from '../../files/file-failure.ts';
import { readBeginning as beginningOf, RegularFileError } from '../../files/regular-file.ts';
import { UsageError } from './failure.ts';
import { interruptible, waitOrThrow } from './signals.ts';
import { sayAll } from './terminal.ts';

/** The path that means standard input or standard output. */
export const STANDARD = '-';

/** Larger than any evidence, key or policy. */
export const MAX_INPUT_BYTES: number = 4 * 1024 * 1024;

/** How long to wait before a full pipe is tried again. */
const FULL_PIPE_PAUSE_MS = 5;

let standardInputIsRead = false;

/** @throws UsageError */
export function readInput(path: string, maxBytes: number = MAX_INPUT_BYTES): Uint8Array {
  const contents = readBeginning(path, maxBytes + 1);
  if (contents.length > maxBytes) throw unreadable(path, new Error(`larger than ${maxBytes} bytes`));
  return contents;
}

/** The first bytes of a file of any length. @throws UsageError */
export function readBeginning(path: string, maxBytes: number): Uint8Array {
  if (path === STANDARD) {
    if (standardInputIsRead)
      throw new UsageError('two files are "-", which is standard input; give one of them by its path');
    standardInputIsRead = true;
  }
  try {
    return path === STANDARD ? interruptible(() => standardInput(maxBytes)) : beginningOf(path, maxBytes);
  } catch (cause) {
    if (!(cause instanceof RegularFileError)) throw unreadable(path, cause);
    throw unreadable(
      path,
      cause.found === 'folder'
        ? new Error('it is a folder; give a file in it')
        : new Error('it is not a regular file; give - for standard input'),
    );
  }
}

function unreadable(path: string, cause: unknown): UsageError {
  return new UsageError(`${nameOf(path)} cannot be read: ${fileFailure(cause)}`, { cause });
}

function standardInput(maxBytes: number): Uint8Array {
  const contents = new Uint8Array(maxBytes);
  let length = 0;
  for (let read = -1; read !== 0 && length < contents.length; ) {
    try {
      read = readSync(0, contents, length, contents.length - length, null);
      length += read;
    } catch (error) {
      waitOrThrow(error);
    }
  }
  return contents.slice(0, length);
}

/**
 * The paths of the regular files in a folder, including links to files, in the order of their names. Like `ls`, it
 * leaves out names that begin with a dot. Undefined if the path is not a folder.
 *
 * @throws UsageError if the folder cannot be read
 */
export function regularFilesIn(path: string): readonly string[] | undefined {
  if (path === STANDARD || !isKind(path, 'folder')) return undefined;
  try {
    return readdirSync(path)
      .filter((name) => !name.startsWith('.'))
      .sort()
      .map((name) => join(path, name))
      .filter((file) => isKind(file, 'file'));
  } catch (cause) {
    throw new UsageError(`${resolve(path)} cannot be read: ${fileFailure(cause)}`, { cause });
  }
}

/** A path that cannot be examined counts as a file: reading it then reports the reason. */
function isKind(path: string, kind: 'file' | 'folder'): boolean {
  try {
    const stats = statSync(path);
    return kind === 'file' ? stats.isFile() : stats.isDirectory();
  } catch {
    return kind === 'file';
  }
}

/** The name of a file in messages: its absolute path, because a relative one does not name its base. */
export function nameOf(path: string): string {
  return path === STANDARD ? 'standard input' : resolve(path);
}

/** Reads UTF-8 text. @throws UsageError also for other encodings */
export function readText(path: string): string {
  const text = utf8Text(readInput(path));
  if (text === undefined) throw new UsageError(`${nameOf(path)} is not UTF-8 text`);
  return text;
}

/** Undefined if the bytes are not UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Refuses an output that is also an input: writing it would destroy the input. Call it before anything is written.
 *
 * @param inputs undefined for an input that is not given
 * @throws UsageError
 */
export function refuseInputAsOutput(outputs: readonly string[], inputs: readonly (string | undefined)[]): void {
  const read = new Set(inputs.map((path) => path && regularFile(path)).filter(Boolean));
  const both = outputs.find((path) => path !== STANDARD && read.has(regularFile(path)));
  if (both !== undefined)
    throw new UsageError(`${resolve(both)} is also an input of this command; give another file to write`);
}

/** The identity of a regular file, under any name. Undefined for all else; reading the file then reports an error. */
function regularFile(path: string): string | undefined {
  try {
    const stats = path === STANDARD ? fstatSync(0) : statSync(path);
    return stats.isFile() ? `${stats.dev}:${stats.ino}` : undefined;
  } catch {
    return undefined;
  }
}

/** Replaces the file in one step, and keeps its mode. @throws UsageError if it cannot be written */
export async function writeOutput(path: string, contents: string | Uint8Array): Promise<void> {
  if (path === STANDARD || isStandardOutput(path)) {
    sayAll(contents);
    return;
  }
  await written(path, async () => {
    const file = replaceableFile(path);
    if (file === undefined) await writeThrough(path, Buffer.from(contents));
    else replaceWhole(file.path, contents, file.mode);
  });
}

/** Whether the path is standard output, such as /dev/stdout. A second opening would truncate a file behind it. */
function isStandardOutput(path: string): boolean {
  try {
    const [there, output] = [statSync(path), fstatSync(1)];
    return there.dev === output.dev && there.ino === output.ino;
  } catch {
    return false;
  }
}

/**
 * The file that a new file can replace. A link stays: its target is replaced. Undefined for a pipe, a terminal or a
 * descriptor that the shell has opened, which are written directly.
 */
function replaceableFile(path: string): { readonly path: string; readonly mode: number | undefined } | undefined {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return { path, mode: undefined };
  const found = there.isSymbolicLink() ? statSync(path, { throwIfNoEntry: false }) : there;
  if (found?.isFile() !== true || realpathSync(dirname(resolve(path))).startsWith('/proc/')) return undefined;
  return { path: realpathSync(path), mode: found.mode & 0o777 };
}

/** Writes a file that only its owner can read. It follows no link and writes into no pipe. @throws UsageError */
export async function writeSecret(path: string, contents: string): Promise<void> {
  await written(path, async () => {
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === false)
      throw new Error('a secret goes only into a regular file, and something else is there; remove it');
    replaceWhole(path, contents, 0o600);
  });
}

async function written(path: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (cause) {
    throw new UsageError(`${resolve(path)} cannot be written: ${fileFailure(cause)}`, { cause });
  }
}

/**
 * Writes without blocking, so that signals are handled: a blocking open would hang on a pipe without a reader, and a
 * blocking write on a full pipe.
 */
async function writeThrough(path: string, contents: Uint8Array): Promise<void> {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NONBLOCK } = constants;
  const file = openForWriting(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK);
  try {
    for (let offset = 0; offset < contents.length; ) {
      try {
        offset += writeSync(file, contents, offset);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        await sleep(FULL_PIPE_PAUSE_MS);
      }
    }
  } finally {
    closeSync(file);
  }
}

function openForWriting(path: string, flags: number): number {
  const there = statSync(path, { throwIfNoEntry: false });
  if (there?.isBlockDevice() || there?.isSocket())
    throw new Error(`it is a ${there.isSocket() ? 'socket' : 'block device'}; give a file`);
  try {
    return openSync(path, flags, 0o644);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENXIO' || there?.isFIFO() !== true) throw cause;
    throw new Error('nobody reads this pipe; start its reader first', { cause });
  }
}

/**
 * Makes a folder and its missing parents. A folder that exists is no error. It does not use `recursive`: with that,
 * Node 20 loops for ever on a file system that answers ENOENT, such as /proc.
 *
 * @throws UsageError, after removing the folders it has made
 */
export function makeFolder(path: string): void {
  const made: string[] = [];
  try {
    for (const folder of missingFolders(resolve(path))) {
      mkdirSync(folder);
      made.unshift(folder);
    }
  } catch (cause) {
    for (const folder of made) removeEmpty(folder);
    throw new UsageError(`${resolve(path)} cannot be made: ${fileFailure(cause)}`, { cause });
  }
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Another process has put a file there meanwhile.
  }
}

/** The missing folders of a path, the outermost first. */
function missingFolders(path: string): readonly string[] {
  const there = statSync(path, { throwIfNoEntry: false });
  if (there === undefined) return [...missingFolders(dirname(path)), path];
  if (!there.isDirectory()) throw new Error(`${path} is no folder`);
  return [];
}

/** Writes a temporary file and renames it. @param mode undefined for the default mode of new files */
function replaceWhole(path: string, contents: string | Uint8Array, mode: number | undefined): void {
  const unfinished = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = openSync(unfinished, 'wx', mode === undefined ? 0o644 : 0o600);
  try {
    try {
      // Overrides the umask.
      if (mode !== undefined) fchmodSync(file, mode);
      writeFileSync(file, contents);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(unfinished, path);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
}
