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
import { UsageError } from './failure.ts';

/** No evidence, key or policy is as large. */
const MAX_INPUT_BYTES = 4 * 1024 * 1024;

/** @throws UsageError */
export function readInput(path: string): Uint8Array {
  try {
    const { size } = statSync(path);
    if (size > MAX_INPUT_BYTES) throw new Error(`larger than ${MAX_INPUT_BYTES} bytes`);
    return Uint8Array.from(readFileSync(path));
  } catch (cause) {
    throw new UsageError(`${path} cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

/** UTF-8, and nothing else. @throws UsageError */
export function readText(path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readInput(path));
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(`${path} is not UTF-8 text`, { cause });
  }
}

/** Replaces `path` in one step. @throws UsageError when it cannot be written */
export function writeOutput(path: string, contents: string | Uint8Array, mode = 0o644): void {
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
    throw new UsageError(`${path} cannot be written: ${reasonOf(cause)}`, { cause });
  }
}

/** With those above it; one that is there already is right, too. @throws UsageError */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    throw new UsageError(`${path} cannot be made: ${reasonOf(cause)}`, { cause });
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

/** The message of node:fs without the call and the path. */
function reasonOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.replace(/^[A-Z]+: /, '').replace(/, \w+( '.*')?$/, '');
}
