/** Reads what an operator named, whatever it turns out to be: no pipe is waited for, no size trusted. */
import { close, closeSync, constants, fstat, fstatSync, open, openSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { atOnce, type Steps, type Wait, waitFor } from './steps.ts';

const LATER = { open: promisify(open), stat: promisify(fstat), read: promisify(read), close: promisify(close) };
const CHUNK_BYTES = 256 * 1024;
/** Opening a pipe would wait for somebody who writes into it. */
// tooth A79 [constants.O_RDONLY | constants.O_NONBLOCK -> constants.O_RDONLY]: the server waits for a pipe
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/** A file that is not read: a folder, a pipe or a device, or one beyond the limit. */
export class RegularFileError extends Error {
  override readonly name = 'RegularFileError';
  readonly code = 'ERR_REGULAR_FILE';
  readonly found: 'folder' | 'special' | 'too large';
  /** The message without the path, for a sentence that has named the file. */
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

/** The first bytes of a file, however long it is. @throws as `readRegularFile` */
export function readBeginning(path: string, maxBytes: number): Uint8Array {
  return atOnce(joined((take) => beginningInChunks(path, maxBytes, take)));
}

/** @throws as `readRegularFile` */
export function regularFile(path: string, maxBytes: number): Steps<Uint8Array> {
  return joined((take) => chunksOfRegularFile(path, maxBytes, take));
}

/** Must not keep the bytes, which the next piece replaces. */
type Take = (chunk: Uint8Array) => Steps<void>;

/**
 * Hands over the file piece by piece.
 *
 * @throws as `readRegularFile`, and what `take` throws
 */
export function* chunksOfRegularFile(path: string, maxBytes: number, take: Take): Steps<void> {
  let length = 0;
  // One octet beyond the limit shows that there was more.
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
    // Whatever size the file says it has; one octet more than that shows the end at the first read.
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
