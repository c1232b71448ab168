/** Reads what an operator named, whatever it turns out to be: no pipe is waited for, no size trusted. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

const CHUNK_BYTES = 64 * 1024;

/** @throws Error of node:fs, and one for a file of another kind or of more than `maxBytes` */
export function readRegularFile(path: string, maxBytes: number): Uint8Array {
  // Opening a pipe would wait for somebody who writes into it.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(file).isFile()) throw new Error(`${path} is not a regular file`);
    return readBounded(file, path, maxBytes);
  } finally {
    closeSync(file);
  }
}

/** Whatever size the file says it has. */
function readBounded(file: number, path: string, maxBytes: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  for (let length = 0; ; ) {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    const bytesRead = readSync(file, chunk);
    if (bytesRead === 0) return Buffer.concat(chunks, length);
    length += bytesRead;
    if (length > maxBytes) throw new Error(`${path} is larger than ${maxBytes} bytes`);
    chunks.push(chunk.subarray(0, bytesRead));
  }
}
