/** Input files, whose absence is the caller's to mend, and output files, which are whole or not there. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { resolve } from 'node:path';
import { fileFailure } from '../server-plugin/file-failure.ts';
import { UsageError } from './failure.ts';
import { sayAll } from './terminal.ts';

/** As a path: standard input, or standard output. */
export const STANDARD = '-';

/** No evidence, key or policy is as large. */
const MAX_INPUT_BYTES = 4 * 1024 * 1024;

let standardInputIsRead = false;

/** @throws UsageError */
export function readInput(path: string): Uint8Array {
  if (path === STANDARD) {
    if (standardInputIsRead) throw new UsageError('only one file can be "-", which is standard input');
    standardInputIsRead = true;
  }
  try {
    if (path === STANDARD) return readWithinLimit(0);
    // A pipe that nobody writes to would hold a blocking open for ever, and with it the signals.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!fstatSync(file).isFile()) throw new Error('not a regular file; give - for standard input');
      return readWithinLimit(file);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw new UsageError(`${nameOf(path)} cannot be read: ${fileFailure(cause)}`, { cause });
  }
}

/** What a size says is believed of no file: what is read is counted. */
function readWithinLimit(file: number): Uint8Array {
  const contents = new Uint8Array(MAX_INPUT_BYTES + 1);
  let length = 0;
  for (let read = -1; read !== 0 && length < contents.length; length += read) {
    read = readSync(file, contents, length, contents.length - length, null);
  }
  if (length > MAX_INPUT_BYTES) throw new Error(`larger than ${MAX_INPUT_BYTES} bytes`);
  return contents.slice(0, length);
}

/** For messages: the whole path, where a relative one does not say what it was relative to. */
export function nameOf(path: string): string {
  return path === STANDARD ? 'standard input' : resolve(path);
}

/** UTF-8, and nothing else. @throws UsageError */
export function readText(path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readInput(path));
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(`${nameOf(path)} is not UTF-8 text`, { cause });
  }
}

/** Replaces `path` in one step. @throws UsageError when it cannot be written */
export function writeOutput(path: string, contents: string | Uint8Array, mode = 0o644): void {
  if (path === STANDARD) {
    sayAll(contents);
    return;
  }
  try {
    // A link stays one (/dev/stdout is), and a pipe or terminal cannot be replaced: all of them are written through.
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === false) writeFileSync(path, contents);
    else replaceWhole(path, contents, mode);
  } catch (cause) {
    throw new UsageError(`${resolve(path)} cannot be written: ${fileFailure(cause)}`, { cause });
  }
}

/** With those above it; one that is there already is right, too. @throws UsageError */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    throw new UsageError(`${resolve(path)} cannot be made: ${fileFailure(cause)}`, { cause });
  }
}

function replaceWhole(path: string, contents: string | Uint8Array, mode: number): void {
  const unfinished = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = openSync(unfinished, 'wx', mode);
  try {
    try {
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
