/**
 * Codecs: one declaration of a TPM structure gives its encoder, its strict decoder and its TypeScript type.
 *
 * TPM 2.0 Library, Part 2: every integer is big-endian; a TPM2B is a 16-bit size and that many bytes; a TPML is a
 * 32-bit count and that many elements. Decoders reject every malformed input. Encoders reject bad values instead of
 * mending them.
 */
import { Reader as ByteReader, type Reader, Writer } from './cursor.ts';

/** Reads and writes one structure, for `decode` and `encode`. */
export interface Codec<T> {
  /** The structure's name in the specification; error paths begin with it. */
  readonly name: string;
  /** Reads one structure and leaves the bytes after it unread. @throws MalformedError */
  read(reader: Reader): T;
  /** @throws RangeError when a value does not fit its field. */
  write(writer: Writer, value: T): void;
}

/** Decodes exactly `bytes`. @throws MalformedError naming field and offset; bytes left over are an error. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const reader = new ByteReader(bytes, [codec.name]);
  const value = codec.read(reader);
  // tooth A10: bytes after a structure are ignored
  reader.end();
  return value;
}

/** @throws RangeError when a value does not fit its field. */
export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const writer = idleWriter ?? new Writer();
  idleWriter = undefined;
  try {
    codec.write(writer, value);
    return writer.finish();
  } finally {
    writer.clear();
    idleWriter = writer;
  }
}

/** Reused for each call of `encode`. A nested call finds it in use and makes a second one. */
let idleWriter: Writer | undefined;

export const u8: Codec<number> = { name: 'UINT8', read: (r) => r.u8(), write: (w, v) => w.u8(v) };
export const u16: Codec<number> = { name: 'UINT16', read: (r) => r.u16(), write: (w, v) => w.u16(v) };
export const u32: Codec<number> = { name: 'UINT32', read: (r) => r.u32(), write: (w, v) => w.u32(v) };
export const u64: Codec<bigint> = { name: 'UINT64', read: (r) => r.u64(), write: (w, v) => w.u64(v) };

/** TPMI_YES_NO: 0 or 1, anything else is malformed (Part 2, 9.2). */
export const yesNo: Codec<boolean> = {
  name: 'TPMI_YES_NO',
  read: (r) => {
    const value = r.u8();
    if (value > 1) throw r.malformed(`${value} is neither 0 nor 1`);
    return value === 1;
  },
  write: (w, v) => w.u8(v ? 1 : 0),
};

/** TPM2B with at most `maxBytes` bytes inside. */
export function tpm2b(name: string, maxBytes: number): Codec<Uint8Array> {
  return {
    name,
    read: (r) => {
      const size = r.u16();
      if (size > maxBytes) throw r.malformed(`size ${size} is over ${maxBytes}`);
      return r.bytes(size);
    },
    write: (w, value) => {
      if (value.length > maxBytes) throw new RangeError(`${name}: ${value.length} bytes are over ${maxBytes}`);
      w.u16(value.length);
      w.bytes(value);
    },
  };
}

/** TPM2B around one structure, which must fill it exactly. */
export function tpm2bOf<T>(name: string, inner: Codec<T>): Codec<T> {
  return {
    name,
    read: (r) => {
      const sub = r.sub(r.u16());
      const value = inner.read(sub);
      sub.end();
      return value;
    },
    write: (w, value) => {
      const bytes = encode(inner, value);
      w.u16(bytes.length);
      w.bytes(bytes);
    },
  };
}

/** TPML with at most `maxCount` elements. The decoder checks the count before it reads an element. */
export function tpml<T>(name: string, element: Codec<T>, maxCount: number): Codec<readonly T[]> {
  return {
    name,
    read: (r) => {
      const count = r.u32();
      if (count > maxCount) throw r.malformed(`count ${count} is over ${maxCount}`);
      return Array.from({ length: count }, (_, i) => r.within(`[${i}]`, element.read));
    },
    write: (w, values) => {
      if (values.length > maxCount) throw new RangeError(`${name}: ${values.length} elements are over ${maxCount}`);
      w.u32(values.length);
      for (const value of values) element.write(w, value);
    },
  };
}

type Fields = Readonly<Record<string, Codec<never>>>;
type FieldsOf<T> = { readonly [K in keyof T]: Codec<T[K]> };

/** Fields in wire order. */
export function struct<T extends object>(name: string, fields: FieldsOf<T>): Codec<T> {
  const entries = Object.entries(fields as unknown as Fields) as [string, Codec<unknown>][];
  // Each value is a clone of this: adding fields one by one costs more than reading them.
  const empty: Record<string, unknown> = Object.fromEntries(entries.map(([field]) => [field, undefined]));
  return {
    name,
    read: (r) => {
      const value = { ...empty };
      for (const [field, codec] of entries) value[field] = r.within(field, codec.read);
      return value as T;
    },
    write: (w, value) => {
      for (const [field, codec] of entries) codec.write(w, (value as Record<string, unknown>)[field]);
    },
  };
}

/** All remaining bytes of the input; only for the last field of a structure. */
export const rest: Codec<Uint8Array> = {
  name: 'BYTES',
  read: (r) => r.bytes(r.remaining),
  write: (w, value) => w.bytes(value),
};

/**
 * Maps each selector name to its TPM value. The decoder rejects a value that is not listed.
 *
 * @param unsupported gives the algorithm's name for a value that this product does not read; undefined for other values
 */
export function selector<N extends string>(
  name: string,
  values: Readonly<Record<N, number>>,
  unsupported: (value: number) => string | undefined = () => undefined,
): Codec<N> {
  const byValue = new Map<number, N>((Object.entries(values) as [N, number][]).map(([key, value]) => [value, key]));
  return {
    name,
    read: (r) => {
      const value = r.u16();
      const key = byValue.get(value);
      const algorithm = key === undefined ? unsupported(value) : undefined;
      if (algorithm !== undefined) throw r.unsupported(algorithm);
      if (key === undefined) throw r.malformed(`0x${value.toString(16).padStart(4, '0')} is not a ${name}`);
      return key;
    },
    write: (w, key) => w.u16(values[key]),
  };
}
