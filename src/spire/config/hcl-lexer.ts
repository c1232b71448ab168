/** Splits HCL version 1 text into tokens. */
import { HclError } from './hcl-body.ts';

export type HclToken = { readonly line: number; readonly column: number } & (
  | { readonly type: 'identifier'; readonly text: string }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'number'; readonly text: string; readonly value: number }
  | { readonly type: '{' | '}' | '[' | ']' | ',' | '=' | 'end' }
);

const IDENTIFIER_START = /[\p{L}_]/u;
const IDENTIFIER_PART = /[\p{L}\p{Nd}_.-]/u;
const PUNCTUATION = new Set(['{', '}', '[', ']', ',', '=']);
/** Decimal, hexadecimal and octal integers, and floats, in the syntax of Go's strconv. */
const NUMBER = /^-?(?:0[xX][0-9a-fA-F]+|0[0-7]+|(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)$/;
const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
  ['\\', '\\'],
  ['"', '"'],
]);

/** Looks at each character a bounded number of times, so its time is linear in the length of the text. */
export class HclLexer {
  readonly #text: string;
  #at = 0;
  #line = 1;
  #lineStart = 0;

  constructor(text: string) {
    this.#text = text;
  }

  next(): HclToken {
    this.#skipBlank();
    const place = this.#place();
    const char = this.#text[this.#at];
    if (char === undefined) return { type: 'end', ...place };
    if (PUNCTUATION.has(char)) {
      this.#at += 1;
      return { type: char as '{' | '}' | '[' | ']' | ',' | '=', ...place };
    }
    if (char === '"') return { type: 'string', value: this.#quoted(), ...place };
    if (char === '<') return { type: 'string', value: this.#hereDocument(), ...place };
    if (char === '-' || (char >= '0' && char <= '9')) return { type: 'number', ...this.#number(), ...place };
    if (IDENTIFIER_START.test(this.#codePoint())) {
      return { type: 'identifier', text: this.#run(IDENTIFIER_PART), ...place };
    }
    throw this.#error(`unexpected character ${JSON.stringify(this.#codePoint())}`);
  }

  #place(): { line: number; column: number } {
    return { line: this.#line, column: this.#at - this.#lineStart + 1 };
  }

  #error(message: string, place: { line: number; column: number } = this.#place()): HclError {
    return new HclError(message, place.line, place.column);
  }

  #codePoint(): string {
    const point = this.#text.codePointAt(this.#at);
    return point === undefined ? '' : String.fromCodePoint(point);
  }

  #run(part: RegExp): string {
    const start = this.#at;
    while (this.#at < this.#text.length && part.test(this.#codePoint())) this.#at += this.#codePoint().length;
    return this.#text.slice(start, this.#at);
  }

  #newline(): void {
    this.#at += 1;
    this.#line += 1;
    this.#lineStart = this.#at;
  }

  #skipBlank(): void {
    for (;;) {
      const char = this.#text[this.#at];
      if (char === '\n') this.#newline();
      else if (char === ' ' || char === '\t' || char === '\r') this.#at += 1;
      else if (char === '#') this.#skipLine();
      else if (char === '/') this.#skipComment();
      else return;
    }
  }

  #skipLine(): void {
    const end = this.#text.indexOf('\n', this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  #skipComment(): void {
    const second = this.#text[this.#at + 1];
    if (second === '/') {
      this.#skipLine();
      return;
    }
    if (second !== '*') throw this.#error('unexpected character "/"; comments start with #, // or /*');
    const place = this.#place();
    this.#at += 2;
    while (this.#at < this.#text.length) {
      if (this.#text[this.#at] === '\n') this.#newline();
      else if (this.#text.startsWith('*/', this.#at)) {
        this.#at += 2;
        return;
      } else this.#at += 1;
    }
    throw this.#error('comment without end', place);
  }

  #number(): { text: string; value: number } {
    const place = this.#place();
    const start = this.#at;
    // The sign of an exponent belongs to the number. NUMBER refuses the rest, such as 0x1e-1.
    while (/[0-9A-Za-z_.+-]/.test(this.#text[this.#at] ?? '')) this.#at += 1;
    const text = this.#text.slice(start, this.#at);
    if (!NUMBER.test(text)) throw this.#error(`${JSON.stringify(text)} is not a number`, place);
    const negative = text.startsWith('-');
    const digits = negative ? text.slice(1) : text;
    const magnitude = Number(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
    if (!Number.isFinite(magnitude)) throw this.#error(`${text} is too large`, place);
    return { text, value: negative ? -magnitude : magnitude };
  }

  #quoted(): string {
    const place = this.#place();
    this.#at += 1;
    let value = '';
    let copied = this.#at;
    // The value keeps `${ … }` as written, with its quotes and newlines. Nothing evaluates it.
    let braces = 0;
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined) throw this.#error('string without closing quote', place);
      if (braces === 0 && char === '"') break;
      if (braces === 0 && char === '\\') {
        value += this.#text.slice(copied, this.#at) + this.#escape();
        copied = this.#at;
      } else if (char === '\n') {
        if (braces === 0) throw this.#error('string without closing quote on its line', place);
        this.#newline();
      } else {
        if (this.#text.startsWith('${', this.#at)) {
          braces += 1;
          this.#at += 1;
        } else if (braces > 0 && char === '{') braces += 1;
        else if (braces > 0 && char === '}') braces -= 1;
        this.#at += 1;
      }
    }
    value += this.#text.slice(copied, this.#at);
    this.#at += 1;
    return value;
  }

  #escape(): string {
    const char = this.#text[this.#at + 1] ?? '';
    const simple = SIMPLE_ESCAPES.get(char);
    if (simple !== undefined) {
      this.#at += 2;
      return simple;
    }
    const [digits, radix] = /[0-7]/.test(char) ? [3, 8] : [{ x: 2, u: 4, U: 8 }[char] ?? 0, 16];
    const from = this.#at + (radix === 8 ? 1 : 2);
    const code = this.#text.slice(from, from + digits);
    const valid = digits > 0 && code.length === digits && (radix === 8 ? /^[0-7]+$/ : /^[0-9a-fA-F]+$/).test(code);
    const point = valid ? Number.parseInt(code, radix) : -1;
    // In Go, \x and octal escapes stand for bytes. Above ASCII they would be parts of UTF-8; no configuration needs
    // them.
    const top = radix === 8 || char === 'x' ? 0x7f : 0x10ffff;
    if (point < 0 || point > top || (point >= 0xd800 && point <= 0xdfff)) {
      throw this.#error(`unknown escape sequence in string: \\${char}`);
    }
    this.#at = from + digits;
    return String.fromCodePoint(point);
  }

  #hereDocument(): string {
    const place = this.#place();
    const start = /^<<(-?)([\p{L}\p{Nd}_]+)\r?\n/u.exec(this.#text.slice(this.#at, this.#at + 256));
    const anchor = start?.[2];
    if (start === null || anchor === undefined) throw this.#error('unexpected "<"; a here-document starts with <<NAME');
    this.#at += start[0].length - 1;
    this.#newline();
    const lines: string[] = [];
    for (;;) {
      const found = this.#text.indexOf('\n', this.#at);
      const end = found < 0 ? this.#text.length : found;
      const line = this.#text.slice(this.#at, end).replace(/\r$/, '');
      const closing = line.endsWith(anchor) && line.slice(0, -anchor.length).trim() === '';
      if (!closing && found < 0) throw this.#error(`here-document without its closing line ${anchor}`, place);
      this.#at = end;
      // The newline after the closing line is left to the next token: the text may end without one.
      if (closing) return hereText(lines, start[1] === '-' ? line.slice(0, -anchor.length) : '');
      lines.push(line);
      this.#newline();
    }
  }
}

/** Removes the indentation of the closing line from every line, if every line has it. */
function hereText(lines: readonly string[], indent: string): string {
  const indented = lines.every((line) => line.startsWith(indent));
  return lines.map((line) => `${indented ? line.slice(indent.length) : line}\n`).join('');
}
