/** Input files, whose absence is the caller's to mend, and output files, which are whole or not there. */
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

/** As a path: standard input, or standard output. */
export const STANDARD = '-';

/** No evidence, key or policy is as large. */
export const MAX_INPUT_BYTES: number = 4 * 1024 * 1024;

/** Before a full pipe is tried again. */
const FULL_PIPE_PAUSE_MS = 5;

let standardInputIsRead = false;

/** @throws UsageError */
export function readInput(path: string, maxBytes: number = MAX_INPUT_BYTES): Uint8Array {
  const contents = readBeginning(path, maxBytes + 1);
  if (contents.length > maxBytes) throw unreadable(path, new Error(`larger than ${maxBytes} bytes`));
  return contents;
}

/** The first bytes of a file, however long it is. @throws UsageError */
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
 * Paths of the regular files in a folder, links to such included, in the order of their names; those that begin with a dot
 * are left out, as by `ls`. Undefined for a path that is no folder.
 *
 * @throws UsageError for a folder that cannot be read
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

/** What cannot be looked at counts as a file: who reads it says why. */
function isKind(path: string, kind: 'file' | 'folder'): boolean {
  try {
    const stats = statSync(path);
    return kind === 'file' ? stats.isFile() : stats.isDirectory();
  } catch {
    return kind === 'file';
  }
}

/** For messages: the whole path, where a relative one does not say what it was relative to. */
export function nameOf(path: string): string {
  return path === STANDARD ? 'standard input' : resolve(path);
}

/** UTF-8, and nothing else. @throws UsageError */
export function readText(path: string): string {
  const text = utf8Text(readInput(path));
  if (text === undefined) throw new UsageError(`${nameOf(path)} is not UTF-8 text`);
  return text;
}

/** Undefined for bytes that are not UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Before anything is written: an output that replaced an input would destroy what the command was asked about.
 *
 * @param inputs those that are not given are undefined
 * @throws UsageError
 */
export function refuseInputAsOutput(outputs: readonly string[], inputs: readonly (string | undefined)[]): void {
  const read = new Set(inputs.map((path) => path && regularFile(path)).filter(Boolean));
  const both = outputs.find((path) => path !== STANDARD && read.has(regularFile(path)));
  if (both !== undefined)
    throw new UsageError(`${resolve(both)} is also an input of this command; give another file to write`);
}

/** Which one it is, by whatever name; undefined for what is none. That it cannot be read is said by its reader. */
function regularFile(path: string): string | undefined {
  try {
    const stats = path === STANDARD ? fstatSync(0) : statSync(path);
    return stats.isFile() ? `${stats.dev}:${stats.ino}` : undefined;
  } catch {
    return undefined;
  }
}

/** Replaces `path` in one step, with the mode of what was there. @throws UsageError when it cannot be written */
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

/** /dev/stdout by any name. Opened once more, a file would lose what was written to it before. */
function isStandardOutput(path: string): boolean {
  try {
    const [there, output] = [statSync(path), fstatSync(1)];
    return there.dev === output.dev && there.ino === output.ino;
  } catch {
    return false;
  }
}

/**
 * The file that a new one can take the place of; a link stays one. Undefined for what is written through: a pipe, a
 * terminal, a descriptor that the shell has opened.
 */
function replaceableFile(path: string): { readonly path: string; readonly mode: number | undefined } | undefined {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return { path, mode: undefined };
  const found = there.isSymbolicLink() ? statSync(path, { throwIfNoEntry: false }) : there;
  if (found?.isFile() !== true || realpathSync(dirname(resolve(path))).startsWith('/proc/')) return undefined;
  return { path: realpathSync(path), mode: found.mode & 0o777 };
}

/** For its owner alone, in the folder that was named: through no link, and into no pipe. @throws UsageError */
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

/** A pipe without a reader would hold a blocking open for ever, and a full one a blocking write. Signals are handled meanwhile. */
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
 * With those above it; one that is there already is right, too. Not `recursive`: Node 20 then tries for ever where a file
 * system answers ENOENT, as /proc does.
 *
 * @throws UsageError; no folder is left that was made for it
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
    // Somebody has put something there meanwhile.
  }
}

/** From the outermost inwards. */
function missingFolders(path: string): readonly string[] {
  const there = statSync(path, { throwIfNoEntry: false });
  if (there === undefined) return [...missingFolders(dirname(path)), path];
  if (!there.isDirectory()) throw new Error(`${path} is no folder`);
  return [];
}

/** @param mode undefined for that of any new file */
function replaceWhole(path: string, contents: string | Uint8Array, mode: number | undefined): void {
  const unfinished = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = openSync(unfinished, 'wx', mode === undefined ? 0o644 : 0o600);
  try {
    try {
      // Not narrowed by the umask.
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
