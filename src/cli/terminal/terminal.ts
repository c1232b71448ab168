/** What the command says: its answer on standard output, everything else on standard error. */
import { isatty } from 'node:tty';
import { printable } from '../../spire/log/hclog.ts';
import { Output } from '../../spire/log/output.ts';

const MAX_LINE_CHARS = 4096;

const standardOutput = new Output(1);
const standardError = new Output(2);

/** A line of the answer. */
export function say(line = ''): void {
  sayAll(`${printable(line, MAX_LINE_CHARS)}\n`);
}

/** Control and format characters that JSON lets stand as they are: a terminal takes orders in C1 and turns text around. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** The one document that `--json` promises. */
export function sayJson(document: unknown): void {
  const text = JSON.stringify(document, null, 2).replace(UNSEEN, (character) =>
    character === '\n' ? character : escaped(character),
  );
  sayAll(`${text}\n`);
}

/** As JSON writes UTF-16 code units. */
function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
  ).join('');
}

/** A line beside the answer: progress, notes, complaints. */
export function remark(line: string): void {
  standardError.write(`${printable(line, MAX_LINE_CHARS)}\n`);
}

/** Text beside the answer, as it is. */
export function complain(text: string): void {
  standardError.write(text);
}

/** An answer as it is. */
export function sayAll(contents: string | Uint8Array): void {
  standardOutput.write(contents);
}

/**
 * Resolves when all that was said is written. A pipe that is full may be read on, so this waits for its reader.
 *
 * @param timeoutMs the longest wait for each of the two
 * @throws NodeJS.ErrnoException when the answer could not be written, as to a full disk
 */
export async function allSaid(timeoutMs?: number): Promise<void> {
  await standardOutput.flushed(timeoutMs);
  await standardError.flushed(timeoutMs);
  const { failure } = standardOutput;
  // The reader has seen enough (`| head`).
  if (failure !== undefined && failure.code !== 'EPIPE') throw failure;
}

/** Below this no progress is shown: it is over before it is read. */
const PROGRESS_FROM = 300;

/** How far a long listing is, on standard error, where that is a terminal and the listing itself goes elsewhere. */
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

  /** Leaves nothing of it behind. */
  end(): void {
    if (this.#shown) standardError.write('\r\x1b[K');
  }
}
