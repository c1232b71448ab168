import { EntryCollector, HCL_MAX_DEPTH, type HclBody, HclError, type HclValue } from './hcl-body.ts';

const BLANK = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![0-9A-Za-z_.+-])/y;
const WORD = /[A-Za-z]+/y;

/**
 * Parses configuration that is written as JSON. `JSON.parse` would keep the last of two equal keys, and it reports no
 * line numbers. This parser refuses `null`: it names an option and gives it no value.
 *
 * @throws HclError
 */
export function parseHclJson(text: string): HclBody {
  const reader = new JsonReader(text);
  return reader.document();
}

class JsonReader {
  readonly #text: string;
  #at = 0;
  /** #line and #lineStart are right for this offset. They only move forward, so each character is looked at once. */
  #counted = 0;
  #line = 1;
  #lineStart = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): HclBody {
    this.#skipBlank();
    const { body } = this.#object();
    this.#skipBlank();
    if (this.#at < this.#text.length) throw this.#error('unexpected text after the closing }');
    return body;
  }

  #place(): { line: number; column: number } {
    for (; this.#counted < this.#at; this.#counted++) {
      if (this.#text[this.#counted] !== '\n') continue;
      this.#line += 1;
      this.#lineStart = this.#counted + 1;
    }
    return { line: this.#line, column: this.#at - this.#lineStart + 1 };
  }

  #error(message: string): HclError {
    const { line, column } = this.#place();
    return new HclError(message, line, column);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #skipBlank(): string {
    this.#match(BLANK);
    return this.#text[this.#at] ?? '';
  }

  #expect(char: string): void {
    if (this.#skipBlank() !== char) throw this.#error(`expected ${char}, not ${this.#found()}`);
    this.#at += 1;
  }

  #found(): string {
    const char = this.#text[this.#at];
    return char === undefined ? 'the end of the text' : JSON.stringify(char);
  }

  #value(key: string): HclValue {
    const char = this.#skipBlank();
    const { line } = this.#place();
    if (char === '"') return { kind: 'string', value: this.#string(), line };
    if (char === '{' || char === '[') {
      if (this.#depth >= HCL_MAX_DEPTH) throw this.#error(`nested deeper than ${HCL_MAX_DEPTH}`);
      this.#depth += 1;
      const value: HclValue =
        char === '{' ? { kind: 'object', ...this.#object(), line } : { kind: 'list', items: this.#list(key), line };
      this.#depth -= 1;
      return value;
    }
    const start = this.#at;
    const number = this.#match(NUMBER);
    if (number !== undefined) {
      const value = Number(number);
      if (Number.isFinite(value)) return { kind: 'number', value, text: number, line };
      this.#at = start;
      throw this.#error(`${number} is too large`);
    }
    const word = this.#match(WORD);
    if (word === 'true' || word === 'false') return { kind: 'boolean', value: word === 'true', line };
    this.#at = start;
    throw this.#error(
      word === 'null' ? `"${key}" is null; leave it out instead` : `expected a value, not ${this.#found()}`,
    );
  }

  #object(): { body: HclBody } {
    const entries = new EntryCollector();
    this.#expect('{');
    if (this.#skipBlank() === '}') {
      this.#at += 1;
      return { body: entries.body() };
    }
    for (;;) {
      if (this.#skipBlank() !== '"') throw this.#error(`expected a quoted key, not ${this.#found()}`);
      const { line, column } = this.#place();
      const key = this.#string();
      this.#expect(':');
      entries.add({ key, labels: [], value: this.#value(key), block: false, line }, column);
      if (this.#skipBlank() === '}') {
        this.#at += 1;
        return { body: entries.body() };
      }
      this.#expect(',');
    }
  }

  #list(key: string): HclValue[] {
    const items: HclValue[] = [];
    this.#expect('[');
    if (this.#skipBlank() === ']') {
      this.#at += 1;
      return items;
    }
    for (;;) {
      items.push(this.#value(key));
      if (this.#skipBlank() === ']') {
        this.#at += 1;
        return items;
      }
      this.#expect(',');
    }
  }

  #string(): string {
    const start = this.#at;
    let end = start + 1;
    while (end < this.#text.length && this.#text[end] !== '"' && this.#text[end] !== '\n') {
      end += this.#text[end] === '\\' ? 2 : 1;
    }
    if (this.#text[end] !== '"') throw this.#error('string without closing quote');
    try {
      const value = JSON.parse(this.#text.slice(start, end + 1)) as string;
      this.#at = end + 1;
      return value;
    } catch {
      throw this.#error('string with an unknown escape sequence or a control character');
    }
  }
}
