/** What the command says: its answer on standard output, everything else on standard error. */
import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { printable } from '../spire/hclog.ts';
import { writeStandardError } from '../spire/standard-error.ts';
import { waitOrThrow } from './signals.ts';

const MAX_LINE_CHARS = 4096;

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
  writeStandardError(`${printable(line, MAX_LINE_CHARS)}\n`);
}

/** An answer as it is. Complete when it returns, also into a full pipe: the process may end at once. */
export function sayAll(contents: string | Uint8Array): void {
  const bytes = Buffer.from(contents);
  for (let offset = 0; offset < bytes.length; ) {
    try {
      offset += writeSync(1, bytes, offset);
    } catch (error) {
      // The reader has seen enough (`| head`).
      if ((error as NodeJS.ErrnoException).code === 'EPIPE') return;
      waitOrThrow(error);
    }
  }
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
    if (this.#shown) writeStandardError(`\r${done} of ${this.#total} ${this.#what}`);
  }

  /** Leaves nothing of it behind. */
  end(): void {
    if (this.#shown) writeStandardError('\r\x1b[K');
  }
}
