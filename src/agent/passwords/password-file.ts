/**
 * Reads a short password file, or a pipe, without waiting long. `files/regular-file` does not fit: it refuses pipes,
 * and leaves copies in memory that are not wiped.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** Longer than any password; the caller rejects a content of this length. */
const MAX_BYTES = 512;
/** Time in which the writer of a pipe must close it. */
const PIPE_MS = 1000;
const PIPE_POLL_MS = 10;
const OTHERS_MAY = 0o006;

export interface PasswordFile {
  /** What the file holds, or its first 512 bytes. The caller wipes it. */
  readonly content: Uint8Array;
  /** True when every user of the machine may read or write the file. */
  readonly openToOthers: boolean;
}

/**
 * Reads a regular file, or a pipe that its writer closes in time.
 *
 * @throws Error of node:fs; Error for another kind of file, for an empty pipe, and for a pipe that stays open
 */
export async function readPasswordFile(path: string): Promise<PasswordFile> {
  // Without O_NONBLOCK, a pipe without a writer would block a pool thread for good.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile() && !stats.isFIFO()) throw new Error('it is neither a regular file nor a pipe');
    const bytes = new Uint8Array(MAX_BYTES);
    const length = await readInto(file, bytes);
    if (length === 0 && stats.isFIFO()) throw new Error('it is a pipe without contents');
    return { content: bytes.subarray(0, length), openToOthers: (stats.mode & OTHERS_MAY) !== 0 };
  } finally {
    await file.close();
  }
}

/** Reads until the file ends or `bytes` is full. */
async function readInto(file: FileHandle, bytes: Uint8Array): Promise<number> {
  let length = 0;
  for (let waited = 0; length < bytes.length; ) {
    const read = await file.read(bytes, length, bytes.length - length, null).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EAGAIN') throw error;
      if (waited >= PIPE_MS) throw new Error(`it is a pipe that its writer did not close within ${PIPE_MS} ms`);
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
