/**
 * Parses the subset of YAML that cloud command line tools print: mappings of plain, quoted and literal (`|`) scalars.
 * For other YAML, the caller tells the user to get JSON. A complete YAML parser would be larger than the certificate
 * parser.
 */

export interface Mapping {
  [name: string]: string | Mapping;
}

/** The deepest nesting of mappings accepted. */
const MAX_DEPTH = 8;

interface Line {
  readonly indent: number;
  readonly text: string;
}

/** Undefined if the text is outside the subset. Reads each line once. */
export function readPlainYaml(text: string): Mapping | undefined {
  const lines = text.split('\n').map((raw): Line => {
    const content = raw.trimEnd();
    const body = content.trimStart();
    return { indent: content.length - body.length, text: body };
  });
  const reader = new Reader(lines);
  const mapping = reader.mapping(0, 0);
  return reader.atEnd ? mapping : undefined;
}

class Reader {
  readonly #lines: readonly Line[];
  #at = 0;

  constructor(lines: readonly Line[]) {
    this.#lines = lines;
  }

  get atEnd(): boolean {
    this.#skip();
    return this.#at === this.#lines.length;
  }

  /** Reads the entries with exactly this indentation. Undefined if a line is not an entry. */
  mapping(indent: number, depth: number): Mapping | undefined {
    const entries: Mapping = Object.create(null);
    if (depth > MAX_DEPTH) return undefined;
    for (this.#skip(); this.#lines[this.#at]?.indent === indent; this.#skip()) {
      const line = this.#lines[this.#at++]?.text ?? '';
      const colon = line.indexOf(':');
      const name = line.slice(0, colon);
      const rest = line.slice(colon + 1);
      if (colon < 1 || !/^[\w.-]+$/.test(name) || (rest !== '' && !rest.startsWith(' '))) return undefined;
      const value = this.#value(rest.trim(), indent, depth);
      if (value === undefined) return undefined;
      entries[name] = value;
    }
    return entries;
  }

  #value(rest: string, indent: number, depth: number): string | Mapping | undefined {
    if (/^\|[-+]?$/.test(rest)) return this.#literal(indent);
    if (rest !== '') return scalar(rest);
    this.#skip();
    const below = this.#lines[this.#at]?.indent ?? 0;
    return below > indent ? this.mapping(below, depth + 1) : '';
  }

  /** Reads the lines that are indented more than the entry, without their common indentation. */
  #literal(indent: number): string {
    const first = this.#lines[this.#at]?.indent ?? 0;
    const text: string[] = [];
    for (; this.#at < this.#lines.length; this.#at++) {
      const line = this.#lines[this.#at];
      if (line === undefined || (line.text !== '' && line.indent <= indent)) break;
      text.push(`${' '.repeat(Math.max(0, line.text === '' ? 0 : line.indent - first))}${line.text}\n`);
    }
    return text.join('');
  }

  #skip(): void {
    for (; ; this.#at++) {
      const text = this.#lines[this.#at]?.text;
      if (text === undefined || (text !== '' && !text.startsWith('#') && text !== '---')) return;
    }
  }
}

/** Undefined for unsupported forms: flow collections, anchors, tags, folded text. */
function scalar(text: string): string | undefined {
  if (text.startsWith("'")) return /^'[^']*'$/.test(text) ? text.slice(1, -1) : undefined;
  if (!text.startsWith('"')) return /^[[{&*!>%@`|]/.test(text) ? undefined : text;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
