/** The output of commands: the answer on standard output, everything else on standard error. */
import { isatty } from 'node:tty';
import { printable } from '../../spire/log/hclog.ts';
import { Output } from '../../spire/log/output.ts';

const MAX_LINE_CHARS = 4096;

const standardOutput = new Output(1);
const standardError = new Output(2);

/** Prints a line of the answer. */
export function say(line = ''): void {
  sayAll(`${printable(line, MAX_LINE_CHARS)}\n`);
}

/** Control and format characters that JSON does not escape: C1 characters control a terminal, others reverse text. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Prints the document of `--json`. */
export function sayJson(document: unknown): void {
  const text = JSON.stringify(document, null, 2).replace(UNSEEN, (character) =>
    character === '\n' ? character : escaped(character),
  );
  sayAll(`${text}\n`);
}

/** Escapes each UTF-16 code unit as JSON does. */
function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
  ).join('');
}

/** Prints a line that is not part of the answer: progress, notes, errors. */
export function remark(line: string): void {
  standardError.write(`${printable(line, MAX_LINE_CHARS)}\n`);
}

/** Prints text that is not part of the answer, unchanged. */
export function complain(text: string): void {
  standardError.write(text);
}

/** Prints an answer unchanged. */
export function sayAll(contents: string | Uint8Array): void {
  standardOutput.write(contents);
}

/**
 * Resolves when all output is written. If a pipe is full, it waits for the reader.
 *
 * @param timeoutMs the longest wait for each of the two outputs
 * @throws NodeJS.ErrnoException if the answer could not be written, for example to a full disk
 */
export async function allSaid(timeoutMs?: number): Promise<void> {
  await standardOutput.flushed(timeoutMs);
  await standardError.flushed(timeoutMs);
  const { failure } = standardOutput;
  // EPIPE is no error: the reader has read enough (`| head`).
  if (failure !== undefined && failure.code !== 'EPIPE') throw failure;
}

/** A shorter list shows no progress: it is done too soon. */
const PROGRESS_FROM = 300;

/** Shows the progress of a long list on standard error, if that is a terminal and the list itself goes elsewhere. */
export class Progress {
  readonly #what: string;
  readonly #total: number;
  readonly #shown: boolean;

  constructor(what: string, total: number) {
    this.#what = what;
    this.#total = total;
    this.#shown = total >= PROGRESS_FROM && isatty(2) && !isatty(1);
  }

  show(done: number): void {
    if (this.#shown) standardError.write(`\r${done} of ${this.#total} ${this.#what}`);
  }

  /** Erases the progress line. */
  end(): void {
    if (this.#shown) standardError.write('\r\x1b[K');
  }
}
