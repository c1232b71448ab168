/** The file of a password: short, and there at once. `files/regular-file` waits for no pipe, and keeps copies that nobody wipes. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** Most that is read. No password is as long; whoever reads it says so. */
const MAX_BYTES = 512;
/** For who writes into a pipe. */
const PIPE_MS = 1000;
const PIPE_POLL_MS = 10;
const OTHERS_MAY = 0o006;

export interface PasswordFile {
  /** What the file holds, or its first 512 bytes. The caller wipes it. */
  readonly content: Uint8Array;
  /** Every user of the machine may read or write the file. */
  readonly openToOthers: boolean;
}

/**
 * Reads a regular file, or a pipe that somebody writes into and closes.
 *
 * @throws Error of node:fs, and one for a file of another kind or a pipe that gives nothing
 */
export async function readPasswordFile(path: string): Promise<PasswordFile> {
  // Without O_NONBLOCK a pipe that nobody writes into takes a thread of the pool for good.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile() && !stats.isFIFO()) throw new Error('it is neither a regular file nor a pipe');
    const bytes = new Uint8Array(MAX_BYTES);
    const length = await readInto(file, bytes);
    if (length === 0 && stats.isFIFO()) throw new Error('it is a pipe that gives nothing');
    return { content: bytes.subarray(0, length), openToOthers: (stats.mode & OTHERS_MAY) !== 0 };
  } finally {
    await file.close();
  }
}

/** Up to the end of the file, or of the bytes. */
async function readInto(file: FileHandle, bytes: Uint8Array): Promise<number> {
  let length = 0;
  for (let waited = 0; length < bytes.length; ) {
    const read = await file.read(bytes, length, bytes.length - length, null).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EAGAIN') throw error;
      if (waited >= PIPE_MS) throw new Error(`it is a pipe that is not closed within ${PIPE_MS} ms`);
      return undefined;
    });
    if (read?.bytesRead === 0) break;
    length += read?.bytesRead ?? 0;
    if (read !== undefined) continue;
    await delay(PIPE_POLL_MS);
    waited += PIPE_POLL_MS;
  }
  return length;
}
