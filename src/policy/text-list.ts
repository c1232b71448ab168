/**
 * Reads the files of `hash_path` and `deny_path`: one entry on each line. Blank lines and comments after `#` are
 * ignored.
 */
import { createHash } from 'node:crypto';
import { chunksOfRegularFile } from '../files/regular-file.ts';
import type { Steps } from '../files/steps.ts';
import { DIGEST_BYTES, type DigestTable } from './digest-table.ts';

/** Room for two million lines with a name on each. */
const FILE_BYTES = 256 * 1024 * 1024;
/** Much longer than any entry. */
const LINE_BYTES = 64 * 1024;
/** Lines read between two pauses. They take well below a millisecond. */
const PER_STEP = 256;
/** The most lines that a problem names. */
const MAX_NAMED = 3;
const MAX_SHOWN_CHARS = 80;

const [LF, CR, TAB, BLANK, NUMBER_SIGN] = [0x0a, 0x0d, 0x09, 0x20, 0x23];
const DIGITS = 2 * DIGEST_BYTES;
/** The value of each octet as a lower-case hexadecimal digit. More than 15 for all other octets. */
const DIGIT_VALUES: Uint8Array = Uint8Array.from({ length: 256 }, (_, octet) => {
  const value = '0123456789abcdef'.indexOf(String.fromCharCode(octet));
  return value < 0 ? 0xff : value;
});

export interface TextList {
  /** Names the lines that are not entries. Undefined if there are none. */
  readonly problem: string | undefined;
  /** SHA-256 of the file. */
  readonly digest: string;
}

/**
 * Reads a list. A fast path puts a line into the table if it is a lower-case hash with an optional comment: a file may
 * have a million of them. `take` gets all other lines.
 *
 * @param take adds the entry of a line, given without comment and surrounding white space. Returns false if it is none
 * @throws Error of node:fs, or an error if the path is not a regular file or the file is too large
 */
export function* readTextList(path: string, hashes: DigestTable, take: (content: string) => boolean): Steps<TextList> {
  const lines = new Lines(hashes, take);
  const digest = createHash('sha256');
  yield* chunksOfRegularFile(path, FILE_BYTES, function* read(chunk) {
    digest.update(chunk);
    yield* lines.read(chunk);
  });
  lines.end();
  return { problem: lines.problem, digest: digest.digest('hex') };
}

class Lines {
  readonly #hashes: DigestTable;
  readonly #take: (content: string) => boolean;
  readonly #wrong: string[] = [];
  #number = 0;
  #wrongCount = 0;
  /** The beginning of a line whose end is in a later chunk. */
  #begun: Uint8Array = new Uint8Array();

  constructor(hashes: DigestTable, take: (content: string) => boolean) {
    this.#hashes = hashes;
    this.#take = take;
  }

  *read(chunk: Uint8Array): Steps<void> {
    let start = 0;
    for (let count = 0; ; count++) {
      if (count % PER_STEP === PER_STEP - 1) yield;
      const end = chunk.indexOf(LF, start);
      if (end < 0) break;
      if (this.#begun.length === 0) this.#line(chunk.subarray(start, end));
      else {
        this.#begin(chunk.subarray(start, end));
        this.end();
      }
      start = end + 1;
    }
    this.#begin(chunk.subarray(start));
  }

  /** Ends the current line. The last line of a file needs no line end. */
  end(): void {
    const line = this.#begun;
    this.#begun = new Uint8Array();
    this.#line(line);
  }

  get problem(): string | undefined {
    if (this.#wrongCount === 0) return undefined;
    const more = this.#wrongCount > MAX_NAMED ? ` and ${this.#wrongCount - MAX_NAMED} more` : '';
    return `${this.#wrong.join(', ')}${more}`;
  }

  #begin(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    // One octet beyond the limit shows that the line is too long.
    const room = LINE_BYTES + 1 - this.#begun.length;
    this.#begun = Buffer.concat([this.#begun, bytes.subarray(0, room)]);
  }

  #line(bytes: Uint8Array): void {
    this.#number += 1;
    if (takeHash(bytes, this.#hashes)) return;
    const isWhole = bytes.length <= LINE_BYTES;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, LINE_BYTES)).toString('utf8');
    const uncommented = text.replace(/#.*/, '');
    // trim() also removes a byte order mark.
    const content = uncommented.trim();
    // The end of a line beyond the limit is unknown, unless the comment starts before the limit.
    const isKnown = isWhole || uncommented.length < text.length;
    if (isKnown && (content === '' || this.#take(content))) return;
    this.#wrongCount += 1;
    if (this.#wrongCount > MAX_NAMED) return;
    this.#wrong.push(`line ${this.#number} (${JSON.stringify(content.slice(0, MAX_SHOWN_CHARS))})`);
  }
}

function takeHash(line: Uint8Array, hashes: DigestTable): boolean {
  if (line.length < DIGITS || !isBare(line)) return false;
  const { segment, offset } = hashes.room();
  for (let i = 0; i < DIGEST_BYTES; i++) {
    const high = DIGIT_VALUES[line[2 * i] as number] as number;
    const low = DIGIT_VALUES[line[2 * i + 1] as number] as number;
    if ((high | low) > 15) return false;
    segment[offset + i] = (high << 4) | low;
  }
  hashes.keep();
  return true;
}

/** Whether nothing but white space or an ASCII comment follows the hash. */
function isBare(line: Uint8Array): boolean {
  const end = line.at(-1) === CR ? line.length - 1 : line.length;
  for (let i = DIGITS; i < end; i++) {
    const octet = line[i];
    if (octet === NUMBER_SIGN) return isPlain(line, i, end);
    if (octet !== BLANK && octet !== TAB) return false;
  }
  return true;
}

function isPlain(line: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const octet = line[i] as number;
    if (octet >= 0x80 || octet === CR) return false;
  }
  return true;
}
