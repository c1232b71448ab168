/**
 * Reads a regular file that an operator named. It never waits for a pipe, and never trusts the size that stat reports.
 */
import { close, closeSync, constants, fstat, fstatSync, open, openSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { atOnce, type Steps, type Wait, waitFor } from './steps.ts';

const LATER = { open: promisify(open), stat: promisify(fstat), read: promisify(read), close: promisify(close) };
const CHUNK_BYTES = 256 * 1024;
/** Without O_NONBLOCK, opening a pipe waits until another process opens it for writing. */
// tooth A79 [constants.O_RDONLY | constants.O_NONBLOCK -> constants.O_RDONLY]: the server waits for a pipe
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/** The file is a folder, a pipe or a device, or it is larger than the limit. */
export class RegularFileError extends Error {
  override readonly name = 'RegularFileError';
  readonly code = 'ERR_REGULAR_FILE';
  readonly found: 'folder' | 'special' | 'too large';
  /** The message without the path, to continue a sentence that has already named the file. */
  readonly reason: string;

  constructor(path: string, found: RegularFileError['found'], reason: string) {
    super(`${path} ${reason}`);
    this.found = found;
    this.reason = reason;
  }
}

/** @throws Error of node:fs, RegularFileError */
export function readRegularFile(path: string, maxBytes: number): Uint8Array {
  return atOnce(regularFile(path, maxBytes));
}

/** At most the first `maxBytes` bytes of a file of any length. @throws as `readRegularFile` */
export function readBeginning(path: string, maxBytes: number): Uint8Array {
  return atOnce(joined((take) => beginningInChunks(path, maxBytes, take)));
}

/** @throws as `readRegularFile` */
export function regularFile(path: string, maxBytes: number): Steps<Uint8Array> {
  return joined((take) => chunksOfRegularFile(path, maxBytes, take));
}

/** Must not keep the chunk: the next one overwrites its bytes. */
type Take = (chunk: Uint8Array) => Steps<void>;

/**
 * Calls `take` with each chunk of the file.
 *
 * @throws as `readRegularFile`, and what `take` throws
 */
export function* chunksOfRegularFile(path: string, maxBytes: number, take: Take): Steps<void> {
  let length = 0;
  // A byte beyond the limit shows that the file is too large.
  yield* beginningInChunks(path, maxBytes + 1, function* counted(chunk) {
    length += chunk.length;
    if (length > maxBytes) throw new RegularFileError(path, 'too large', `is larger than ${maxBytes} bytes`);
    yield* take(chunk);
  });
}

function* joined(read: (take: Take) => Steps<void>): Steps<Uint8Array> {
  const chunks: Uint8Array[] = [];
  yield* read(function* keep(chunk) {
    chunks.push(chunk.slice());
    yield;
  });
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
}

function* beginningInChunks(path: string, maxBytes: number, take: Take): Steps<void> {
  const file = yield* waitFor(opening(path));
  try {
    const stat = yield* waitFor(statOf(file));
    if (!stat.isFile())
      throw new RegularFileError(path, stat.isDirectory() ? 'folder' : 'special', 'is not a regular file');
    // The size is only a hint. One more byte of space lets the first read show that the file has ended.
    const isSmall = stat.size > 0 && stat.size < CHUNK_BYTES;
    const chunk = new Uint8Array(isSmall ? stat.size + 1 : CHUNK_BYTES);
    for (let length = 0; length < maxBytes; ) {
      const bytesRead = yield* waitFor(reading(file, chunk));
      if (bytesRead > 0) yield* take(chunk.subarray(0, Math.min(bytesRead, maxBytes - length)));
      length += bytesRead;
      if (bytesRead === 0 || (length === stat.size && bytesRead < chunk.length)) return;
    }
  } finally {
    yield* waitFor(closing(file));
  }
}

const opening = (path: string): Wait<number> => ({
  atOnce: () => openSync(path, FLAGS),
  later: () => LATER.open(path, FLAGS),
});
const statOf = (file: number): Wait<{ readonly size: number; isFile(): boolean; isDirectory(): boolean }> => ({
  atOnce: () => fstatSync(file),
  later: () => LATER.stat(file),
});
const reading = (file: number, chunk: Uint8Array): Wait<number> => ({
  atOnce: () => readSync(file, chunk),
  later: async () => (await LATER.read(file, chunk, 0, chunk.length, null)).bytesRead,
});
const closing = (file: number): Wait<void> => ({ atOnce: () => closeSync(file), later: () => LATER.close(file) });
