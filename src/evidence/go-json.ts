/** JSON documents in the one form that Go's encoder gives a struct. Pure. */
import { fromBase64, toBase64 } from '../bytes/base64.ts';
import { equalBytes } from '../bytes/bytes.ts';
import { MalformedError } from '../bytes/malformed.ts';

/**
 * The most bytes of a string in base64; a flag that must be false; plain text; an `int32`; a pointer; or an object with
 * exactly these names, in order.
 */
export type Form = number | false | 'text' | 'int32' | Pointer | ObjectForm;
interface ObjectForm {
  readonly [name: string]: Form;
}
/** Null where it points to nothing; left out by releases that did not know the name. */
type Pointer = readonly ['or nothing', ObjectForm];

/** The value that a form describes. */
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

/** Characters that no encoder of JSON writes in another way, and no terminal takes for an order. */
const TEXT = /^[A-Za-z0-9 ._:/@+-]{0,64}$/;
const INT32 = 2 ** 31;

export class GoDocument<F extends { readonly [name: string]: Form }> {
  readonly #name: string;
  readonly #form: F;
  readonly #maxBytes: number;

  /** @param maxBytes of the whole document */
  constructor(name: string, form: F, maxBytes: number) {
    this.#name = name;
    this.#form = form;
    this.#maxBytes = maxBytes;
  }

  encode(value: ValueOf<F>): Uint8Array {
    return Uint8Array.from(Buffer.from(JSON.stringify(written(this.#form, value as Value))));
  }

  /** Decodes, encodes what it understood, and compares: nothing unknown, repeated or written otherwise passes. */
  decode(bytes: Uint8Array): ValueOf<F> {
    const [name, maxBytes] = [this.#name, this.#maxBytes];
    if (bytes.length > maxBytes) throw new MalformedError(name, maxBytes, `${bytes.length} bytes are over ${maxBytes}`);
    let parsed: unknown;
    try {
      parsed = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
    } catch {
      // What JSON.parse says quotes the text, which a stranger wrote.
      throw new MalformedError(name, 0, 'not JSON');
    }
    const value = read(name, this.#form, parsed) as ValueOf<F>;
    // tooth A11: repeated names, white space and another order pass
    if (!equalBytes(this.encode(value), bytes))
      throw new MalformedError(name, 0, 'not in its one accepted form (white space, a repeated name, another order)');
    return value;
  }
}

function isPointer(form: Form): form is Pointer {
  return Array.isArray(form);
}

/** What JSON.stringify takes, names in the order of the form. */
function written(form: Form, value: Value): unknown {
  if (value instanceof Uint8Array) return toBase64(value);
  if (isPointer(form)) return value === null || value === undefined ? value : written(form[1], value);
  if (typeof value !== 'object' || value === null || typeof form !== 'object') return value;
  // Of what is undefined JSON has no name.
  return Object.fromEntries(Object.entries(form).map(([name, inner]) => [name, written(inner, value[name])]));
}

function read(path: string, form: Form, value: unknown): Value {
  if (typeof form === 'number') return readBytes(path, form, value);
  if (form === false) {
    if (value !== false) throw new MalformedError(path, 0, 'is not false');
    return false;
  }
  if (form === 'text') {
    // tooth A75 [!TEXT.test(value) -> value.length > 4096]: an agent writes into the log what it likes
    if (typeof value !== 'string' || !TEXT.test(value)) throw new MalformedError(path, 0, 'is no plain text');
    return value;
  }
  if (form === 'int32') {
    if (!Number.isInteger(value) || Number(value) < -INT32 || Number(value) >= INT32)
      throw new MalformedError(path, 0, 'is no integer of 32 bits');
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
