import { EntryCollector, HCL_MAX_CHARS, HCL_MAX_DEPTH, type HclBody, HclError, type HclValue } from './hcl-body.ts';
import { parseHclJson } from './hcl-json.ts';
import { HclLexer, type HclToken } from './hcl-lexer.ts';

/**
 * Parses HCL version 1, or JSON when the first character is `{`.
 *
 * The reference parser accepts `ca_path =` as an empty value, and lets the last of two equal keys win. This parser
 * refuses both. It keeps interpolations as text. Empty text gives an empty body.
 *
 * @throws HclError with line and column; nothing else, whatever the text
 */
export function parseHcl(text: string): HclBody {
  if (text.length > HCL_MAX_CHARS) throw new HclError(`configuration is longer than ${HCL_MAX_CHARS} characters`, 1, 1);
  const source = text.startsWith('\ufeff') ? text.slice(1) : text;
  if (/^\s*\{/.test(source)) return parseHclJson(source);
  const parser = new HclParser(source);
  return parser.document();
}

class HclParser {
  readonly #lexer: HclLexer;
  /** The next token. Read through #next(): TypeScript would keep a narrowed type of the field across #take(). */
  #token: HclToken;
  #depth = 0;

  constructor(text: string) {
    this.#lexer = new HclLexer(text);
    this.#token = this.#lexer.next();
  }

  document(): HclBody {
    const body = this.#entries();
    if (this.#next().type !== 'end') throw this.#error(`unexpected ${described(this.#next())}`);
    return body;
  }

  #take(): HclToken {
    const token = this.#token;
    this.#token = this.#lexer.next();
    return token;
  }

  #next(): HclToken {
    return this.#token;
  }

  #error(message: string, token: HclToken = this.#next()): HclError {
    return new HclError(message, token.line, token.column);
  }

  #entries(): HclBody {
    const entries = new EntryCollector();
    while (this.#next().type === 'identifier' || this.#next().type === 'string') {
      const start = this.#next();
      const [key = '', ...labels] = this.#keys();
      const block = this.#next().type !== '=';
      if (!block) {
        if (labels.length > 0) throw this.#error(`"${key}" has a label, so a block { … } must follow, not =`);
        this.#take();
        if (this.#next().type === 'end' || this.#next().type === '}') throw this.#error(`"${key}" has no value`, start);
      } else if (this.#next().type !== '{') {
        throw this.#error(`"${key}" must be followed by = or {, not by ${described(this.#next())}`);
      }
      entries.add({ key, labels, value: this.#value(key), block, line: start.line }, start.column);
      // `ca_path =` without a value took the quoted key of the next line for its value.
      if (this.#next().type === '=') throw this.#error(`"${key}" has no value`, start);
      if (this.#next().type === ',') this.#take();
    }
    return entries.body();
  }

  #keys(): string[] {
    const keys: string[] = [];
    for (;;) {
      const token = this.#next();
      if (token.type !== 'identifier' && token.type !== 'string') return keys;
      keys.push(token.type === 'identifier' ? token.text : token.value);
      this.#take();
    }
  }

  #value(key: string): HclValue {
    const token = this.#take();
    const { line } = token;
    switch (token.type) {
      case 'string':
        return { kind: 'string', value: token.value, line };
      case 'number':
        return { kind: 'number', value: token.value, text: token.text, line };
      case 'identifier':
        if (token.text === 'true' || token.text === 'false')
          return { kind: 'boolean', value: token.text === 'true', line };
        throw this.#error(
          `"${key}" has no value: ${described(token)} is not a string, number or boolean; put text in quotes`,
          token,
        );
      case '[':
        return this.#nested(token, () => this.#list(token, key));
      case '{':
        return this.#nested(token, () => {
          const body = this.#entries();
          if (this.#next().type === 'end') throw this.#error('block without closing }', token);
          if (this.#next().type !== '}') throw this.#error(`unexpected ${described(this.#next())}`);
          this.#take();
          return { kind: 'object', body, line };
        });
      default:
        throw this.#error(`"${key}" has no value: found ${described(token)} instead`, token);
    }
  }

  #list(open: HclToken, key: string): HclValue {
    const items: HclValue[] = [];
    while (this.#next().type !== ']') {
      if (this.#next().type === 'end') throw this.#error('list without closing ]', open);
      items.push(this.#value(key));
      if (this.#next().type === ',') this.#take();
      else if (this.#next().type === 'end') throw this.#error('list without closing ]', open);
      else if (this.#next().type !== ']') throw this.#error(`expected , or ], not ${described(this.#next())}`);
    }
    this.#take();
    return { kind: 'list', items, line: open.line };
  }

  #nested(open: HclToken, read: () => HclValue): HclValue {
    if (this.#depth >= HCL_MAX_DEPTH) throw this.#error(`nested deeper than ${HCL_MAX_DEPTH}`, open);
    this.#depth += 1;
    const value = read();
    this.#depth -= 1;
    return value;
  }
}

function described(token: HclToken): string {
  switch (token.type) {
    case 'end':
      return 'the end of the text';
    case 'identifier':
      return `"${token.text}"`;
    case 'string':
      return 'a string';
    case 'number':
      return `the number ${token.text}`;
    default:
      return `"${token.type}"`;
  }
}
