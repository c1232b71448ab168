/** Strict JSON: reads and writes a document only in the form that Go's encoder gives the same struct. Pure. */
import { fromBase64, toBase64 } from '../bytes/base64.ts';
import { equalBytes } from '../bytes/bytes.ts';
import { MalformedError } from '../bytes/malformed.ts';

/**
 * Describes one value. A number is bytes in base64, and gives their maximum; `false` is a flag that must be false. The
 * others are plain text, an `int32`, a pointer, or an object with exactly these names in this order.
 */
export type Form = number | false | 'text' | 'int32' | Pointer | ObjectForm;
interface ObjectForm {
  readonly [name: string]: Form;
}
/** Null for Go's nil pointer; absent from releases of the agent that did not have the field. */
type Pointer = readonly ['or nothing', ObjectForm];

/** The TypeScript value that a form describes. */
export type ValueOf<F extends Form> = F extends number
  ? Uint8Array
  : F extends false
    ? false
    : F extends 'text'
      ? string
      : F extends 'int32'
        ? number
        : F extends readonly ['or nothing', infer G extends ObjectForm]
          ? ValueOf<G> | null | undefined
          : { readonly [K in keyof F]: F[K] extends Form ? ValueOf<F[K]> : never };

type Value = Uint8Array | false | string | number | null | undefined | { readonly [name: string]: Value };

/** JSON encoders never escape these characters, and terminals never read them as control sequences. */
const TEXT = /^[A-Za-z0-9 ._:/@+-]{0,64}$/;
const INT32 = 2 ** 31;

export class GoDocument<F extends { readonly [name: string]: Form }> {
  readonly #name: string;
  readonly #form: F;
  readonly #maxBytes: number;

  /** @param maxBytes largest size of the whole document */
  constructor(name: string, form: F, maxBytes: number) {
    this.#name = name;
    this.#form = form;
    this.#maxBytes = maxBytes;
  }

  encode(value: ValueOf<F>): Uint8Array {
    return Uint8Array.from(Buffer.from(JSON.stringify(written(this.#form, value as Value))));
  }

  /**
   * Decodes, encodes the result again, and compares. So it rejects unknown or repeated names and any other spelling.
   *
   * @throws MalformedError naming the field
   */
  decode(bytes: Uint8Array): ValueOf<F> {
    const [name, maxBytes] = [this.#name, this.#maxBytes];
    if (bytes.length > maxBytes) throw new MalformedError(name, maxBytes, `${bytes.length} bytes are over ${maxBytes}`);
    let parsed: unknown;
    try {
      parsed = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
    } catch {
      // The message of JSON.parse would quote text that an attacker may have written.
      throw new MalformedError(name, 0, 'not JSON');
    }
    const value = read(name, this.#form, parsed) as ValueOf<F>;
    // tooth A11: repeated names, white space and another order are accepted
    if (!equalBytes(this.encode(value), bytes))
      throw new MalformedError(name, 0, 'not in its one accepted form (white space, a repeated name, another order)');
    return value;
  }
}

function isPointer(form: Form): form is Pointer {
  return Array.isArray(form);
}

/** The value for JSON.stringify, with its names in the order of the form. */
function written(form: Form, value: Value): unknown {
  if (value instanceof Uint8Array) return toBase64(value);
  if (isPointer(form)) return value === null || value === undefined ? value : written(form[1], value);
  if (typeof value !== 'object' || value === null || typeof form !== 'object') return value;
  // JSON.stringify leaves out a name whose value is undefined.
  return Object.fromEntries(Object.entries(form).map(([name, inner]) => [name, written(inner, value[name])]));
}

function read(path: string, form: Form, value: unknown): Value {
  if (typeof form === 'number') return readBytes(path, form, value);
  if (form === false) {
    if (value !== false) throw new MalformedError(path, 0, 'is not false');
    return false;
  }
  if (form === 'text') {
    // tooth A75 [!TEXT.test(value) -> value.length > 4096]: an agent can write any text into the server's log
    if (typeof value !== 'string' || !TEXT.test(value)) throw new MalformedError(path, 0, 'is not plain text');
    return value;
  }
  if (form === 'int32') {
    if (!Number.isInteger(value) || Number(value) < -INT32 || Number(value) >= INT32)
      throw new MalformedError(path, 0, 'is not a 32-bit integer');
    return Number(value);
  }
  if (isPointer(form)) return value === null ? null : read(path, form[1], value);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new MalformedError(path, 0, 'is not an object');
  const unknown = Object.keys(value).find((name) => !Object.hasOwn(form, name));
  if (unknown !== undefined)
    throw new MalformedError(path, 0, `has the unknown name ${JSON.stringify(unknown.slice(0, 64))}`);
  const members: Readonly<Record<string, unknown>> = { ...value };
  const entries = Object.entries(form).flatMap(([name, inner]): [string, Value][] => {
    if (Object.hasOwn(members, name)) return [[name, read(`${path}.${name}`, inner, members[name])]];
    if (isPointer(inner)) return [];
    throw new MalformedError(`${path}.${name}`, 0, 'is missing');
  });
  return Object.fromEntries(entries);
}

function readBytes(path: string, maxBytes: number, value: unknown): Uint8Array {
  if (typeof value !== 'string') throw new MalformedError(path, 0, 'is not a string');
  const bytes = fromBase64(value);
  if (bytes === undefined) throw new MalformedError(path, 0, 'is not canonical base64');
  if (bytes.length > maxBytes) throw new MalformedError(path, 0, `${bytes.length} bytes are over ${maxBytes}`);
  return bytes;
}
