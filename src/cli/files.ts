/** Input files, whose absence is the caller's to mend, and output files, which are whole or not there. */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
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
    return readWithinLimit(path === STANDARD ? 0 : path);
  } catch (cause) {
    throw new UsageError(`${nameOf(path)} cannot be read: ${fileFailure(cause)}`, { cause });
  }
}

/** The size of a pipe is known at its end. */
function readWithinLimit(file: string | number): Uint8Array {
  const tooLarge = new Error(`larger than ${MAX_INPUT_BYTES} bytes`);
  if (typeof file === 'string' && statSync(file).size > MAX_INPUT_BYTES) throw tooLarge;
  const contents = Uint8Array.from(readFileSync(file));
  if (contents.length > MAX_INPUT_BYTES) throw tooLarge;
  return contents;
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
  const unfinished = `${path}.${process.pid}.tmp`;
  try {
    // A pipe or terminal (/dev/stdout) cannot be replaced, and is never half a file.
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) {
      writeFileSync(path, contents);
      return;
    }
    writeWhole(unfinished, contents, mode);
    renameSync(unfinished, path);
  } catch (cause) {
    rmSync(unfinished, { force: true });
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

function writeWhole(path: string, contents: string | Uint8Array, mode: number): void {
  const file = openSync(path, 'wx', mode);
  try {
    writeFileSync(file, contents);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
