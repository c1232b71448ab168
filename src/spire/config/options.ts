/** Reads the options of a configuration by a table of their types, defaults and checks. */
import type { HclBody, HclEntry, HclValue } from './hcl-body.ts';

/** The type, default and check of one option. */
interface Spec<Type extends string, Value> {
  readonly type: Type;
  readonly default?: Value;
  /** Returns what is wrong with a value, as a predicate for the option's name: "must be …". */
  readonly check?: (value: Value) => string | undefined;
  /** Keeps the value out of problem messages. */
  readonly secret?: boolean;
  /** A body without this option has a problem. */
  readonly required?: boolean;
}

export type OptionSpec =
  | Spec<'string', string>
  | Spec<'string list', readonly string[]>
  | Spec<'boolean', boolean>
  | Spec<'integer', number>
  /** Written as `"90s"` or `"1m30s"`; the value is in milliseconds. */
  | Spec<'duration', number>;

export type OptionTable = Readonly<Record<string, OptionSpec>>;

interface ValueOfType {
  readonly string: string;
  readonly 'string list': readonly string[];
  readonly boolean: boolean;
  readonly integer: number;
  readonly duration: number;
}

/**
 * The values of a table's options. An option is undefined only if it has no default, is not required and is not given.
 */
export type Options<Table extends OptionTable> = {
  readonly [Name in keyof Table]:
    | ValueOfType[Table[Name]['type']]
    | (Table[Name] extends { readonly default: unknown } | { readonly required: true } ? never : undefined);
};

export interface OptionProblem {
  /** 0 when the option is missing. */
  readonly line: number;
  readonly option: string;
  readonly message: string;
}

export type OptionsResult<Table extends OptionTable> =
  | { readonly ok: true; readonly options: Options<Table> }
  | { readonly ok: false; readonly problems: readonly OptionProblem[] };

/** Keeps the literal types of a table: {@link Options} derives the types of the values from them. */
export function optionTable<const Table extends OptionTable>(table: Table): Table {
  return table;
}

/** A check that a number, or a duration in milliseconds, is from `least` to `most`. */
export function within(least: number, most: number, unit = ''): (value: number) => string | undefined {
  return (value) => (value >= least && value <= most ? undefined : `must be ${least}${unit} to ${most}${unit}`);
}

/**
 * Reads a body by a table. It reports every problem at once, so that the operator corrects the file once.
 * Strings and list items must not be empty: an empty path usually comes from a variable that was not set.
 *
 * @param others names of options that other code reads; a message about an unknown option offers them too
 */
export function readOptions<Table extends OptionTable>(
  table: Table,
  body: HclBody,
  others: readonly string[] = [],
): OptionsResult<Table> {
  const problems: OptionProblem[] = [];
  const values: Record<string, unknown> = Object.create(null);
  const given = new Map<string, HclEntry>();
  for (const entry of body.entries) {
    const problem = (message: string): void => {
      problems.push({ line: entry.line, option: entry.key, message });
    };
    const spec = Object.hasOwn(table, entry.key) ? table[entry.key] : undefined;
    const first = given.get(entry.key);
    if (spec === undefined) problem(unknownOption(entry.key, [...others, ...Object.keys(table)]));
    else if (first !== undefined) problem(`was already given in line ${first.line}`);
    else {
      const read = readValue(spec, entry.value);
      if ('problem' in read) problem(read.problem);
      else values[entry.key] = read.value;
    }
    given.set(entry.key, entry);
  }
  for (const [name, spec] of Object.entries(table)) {
    if (given.has(name)) continue;
    values[name] = spec.default;
    if (spec.required === true && spec.default === undefined) {
      problems.push({ line: 0, option: name, message: 'is required' });
    }
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, options: values as Options<Table> };
}

/** `line 3: "ca_pth" is not an option; did you mean "ca_path"?` */
export function describeProblem(problem: OptionProblem): string {
  return `${problem.line > 0 ? `line ${problem.line}: ` : ''}${quoted(problem.option)} ${problem.message}`;
}

type Read = { readonly value: unknown } | { readonly problem: string };

function readValue(spec: OptionSpec, value: HclValue): Read {
  const typed = TYPE_READERS[spec.type](value, spec.secret === true);
  if ('problem' in typed) return typed;
  // The cast is safe: the reader of the spec's own type made the value.
  const wrong = (spec.check as ((value: unknown) => string | undefined) | undefined)?.(typed.value);
  return wrong === undefined ? typed : { problem: wrong };
}

const TYPE_READERS: Readonly<Record<OptionSpec['type'], (value: HclValue, secret: boolean) => Read>> = {
  string: (value) => {
    if (value.kind !== 'string') return { problem: `must be a string in quotes, not ${A_KIND[value.kind]}` };
    return wrongText(value.value) ?? { value: value.value };
  },
  'string list': (value) => {
    if (value.kind !== 'list') return { problem: `must be a list such as ["a", "b"], not ${A_KIND[value.kind]}` };
    const items: string[] = [];
    for (const item of value.items) {
      if (item.kind !== 'string') return { problem: `must be a list of strings, but holds ${A_KIND[item.kind]}` };
      const wrong = wrongText(item.value);
      if (wrong !== undefined) return wrong;
      items.push(item.value);
    }
    return { value: items };
  },
  boolean: (value) =>
    value.kind === 'boolean'
      ? { value: value.value }
      : { problem: `must be true or false without quotes, not ${A_KIND[value.kind]}` },
  integer: (value) => {
    if (value.kind !== 'number') return { problem: `must be a whole number without quotes, not ${A_KIND[value.kind]}` };
    if (!/^-?(0[xX][0-9a-fA-F]+|[0-9]+)$/.test(value.text) || !Number.isSafeInteger(value.value)) {
      return { problem: `must be a whole number below 2^53, not ${value.text}` };
    }
    return { value: value.value };
  },
  duration: (value, secret) => {
    if (value.kind !== 'string') return { problem: `must be a duration such as "90s", not ${A_KIND[value.kind]}` };
    const ms = durationMs(value.value);
    if (ms !== undefined) return { value: ms };
    return { problem: `must be a duration such as "90s" or "1m30s"${secret ? '' : `, not ${quoted(value.value)}`}` };
  },
};

const A_KIND: Readonly<Record<HclValue['kind'], string>> = {
  string: 'a string',
  number: 'a number',
  boolean: 'a boolean',
  list: 'a list',
  object: 'a block',
};

function wrongText(text: string): { readonly problem: string } | undefined {
  if (text.trim() === '') return { problem: 'must not be empty' };
  if (text.includes('\0')) return { problem: 'must not contain a NUL character' };
  return undefined;
}

function durationMs(text: string): number | undefined {
  const match = /^(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?(?:(\d{1,9})ms)?$/.exec(text);
  if (text === '' || match === null) return undefined;
  const [hours = 0, minutes = 0, seconds = 0, milliseconds = 0] = match.slice(1).map((part) => Number(part ?? 0));
  return hours * 3_600_000 + minutes * 60_000 + seconds * 1000 + milliseconds;
}

function unknownOption(key: string, names: readonly string[]): string {
  // A likely mistake, for which the nearest option name would be no help.
  if (key === 'plugin_data')
    return "belongs to SPIRE's own configuration: a plugin_data_file has only the contents of plugin_data";
  let nearest: string | undefined;
  // A short name allows fewer typing errors: with half of its letters changed it is another name.
  let least = Math.min(3, Math.floor(key.length / 2)) + 1;
  for (const name of key.length <= 64 ? names : []) {
    const distance = editDistance(key.toLowerCase(), name);
    if (distance < least) {
      least = distance;
      nearest = name;
    }
  }
  return nearest === undefined
    ? `is not an option; the options are ${names.join(', ')}`
    : `is not an option; did you mean "${nearest}"?`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 63)}…` : text);
}
