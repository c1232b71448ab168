/** The parsed form of a plugin's configuration, and the error of a text that cannot be parsed. */

/** One block of configuration. SPIRE hands it to a plugin as HCL version 1 or as JSON. */
export interface HclBody {
  readonly entries: readonly HclEntry[];
}

/** `key = value`, `key { … }` or `key "label" { … }`. */
export interface HclEntry {
  readonly key: string;
  /** The strings between key and brace: `registry "file" { … }` has one. */
  readonly labels: readonly string[];
  readonly value: HclValue;
  /** Whether it is written without `=`. Only such entries may repeat their key. */
  readonly block: boolean;
  /** Counted from 1. */
  readonly line: number;
}

export type HclValue =
  | { readonly kind: 'string'; readonly value: string; readonly line: number }
  /** `text` is the number as written: a double cannot hold every integer. */
  | { readonly kind: 'number'; readonly value: number; readonly text: string; readonly line: number }
  | { readonly kind: 'boolean'; readonly value: boolean; readonly line: number }
  | { readonly kind: 'list'; readonly items: readonly HclValue[]; readonly line: number }
  | { readonly kind: 'object'; readonly body: HclBody; readonly line: number };

/** Configuration that cannot be parsed. The message ends with line and column, each counted from 1. */
export class HclError extends Error {
  override readonly name = 'HclError';
  readonly code = 'ERR_HCL';
  readonly line: number;
  readonly column: number;

  constructor(message: string, line: number, column: number) {
    super(`${message} (line ${line}, column ${column})`);
    this.line = line;
    this.column = column;
  }
}

/** The longest text a parser accepts, in UTF-16 code units. */
export const HCL_MAX_CHARS = 1_048_576;
/** The deepest nesting of objects and lists a parser accepts. */
export const HCL_MAX_DEPTH = 32;

/**
 * Collects the entries of one body and refuses a repeated key. If it silently dropped one of two values, the operator
 * would not know which trust anchors are in force. Blocks may repeat.
 */
export class EntryCollector {
  readonly #entries: HclEntry[] = [];
  readonly #seen: Map<string, HclEntry> = new Map();

  add(entry: HclEntry, column: number): void {
    const first = this.#seen.get(entry.key);
    if (first === undefined) {
      this.#seen.set(entry.key, entry);
    } else if (!first.block || !entry.block) {
      throw new HclError(`"${entry.key}" was already given in line ${first.line}`, entry.line, column);
    }
    this.#entries.push(entry);
  }

  body(): HclBody {
    return { entries: this.#entries };
  }
}
