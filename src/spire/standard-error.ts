import { writeSync } from 'node:fs';

/** How long a full pipe in non-blocking mode may hold the process up before the line is given up. */
const FULL_PIPE_MS = 2000;
const RETRY_MS = 2;

let torn = false;

/**
 * Writes all of `text` to file descriptor 2 before it returns.
 *
 * `process.stderr` would queue what a pipe does not take at once and lose it at exit, and its first use puts the pipe
 * into non-blocking mode for everybody. Never throws: without a reader the line is lost.
 */
export function writeStandardError(text: string): void {
  // After a line that could not be finished, the next one must not be glued to it.
  torn = !writeFully(2, torn ? `\n${text}` : text);
}

/** The same for file descriptor 1: the handshake line, written once. False when nobody reads it. */
export function writeStandardOutput(text: string): boolean {
  return writeFully(1, text);
}

/** Whether all of it was taken. */
function writeFully(fd: number, text: string): boolean {
  let rest = Buffer.from(text, 'utf8');
  let waitedMs = 0;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      const full = (error as NodeJS.ErrnoException).code === 'EAGAIN';
      if (!full || waitedMs >= FULL_PIPE_MS) return false;
      sleep(RETRY_MS);
      waitedMs += RETRY_MS;
    }
  }
  return true;
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
