/** Reads and writes big-endian numbers and bytes; the codecs of TPM structures build on it. Pure. */
import { MalformedError, UnsupportedError } from '../../bytes/malformed.ts';

/** Bounds-checked big-endian reader. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  readonly #path: string[];
  #offset: number;

  constructor(bytes: Uint8Array, path: string[], start: number = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#path = path;
    this.#offset = start;
    this.#end = end;
  }

  get remaining(): number {
    return this.#end - this.#offset;
  }

  /** Reads with `field` on the error path. */
  within<T>(field: string, read: (reader: Reader) => T): T {
    this.#path.push(field);
    const value = read(this);
    this.#path.pop();
    return value;
  }

  /** The error for this field, to be thrown. */
  malformed(reason: string, offset: number = this.#offset): MalformedError {
    return new MalformedError(this.#path.join('.'), offset, reason);
  }

  /** The error for the field that was just read, to be thrown. */
  unsupported(algorithm: string): UnsupportedError {
    return new UnsupportedError(this.#path.join('.'), this.#offset, algorithm);
  }

  /** Each of these reads one big-endian number. @throws MalformedError when too few bytes are left */
  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  /** @see u8 */
  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  /** @see u8 */
  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  /** @see u8 */
  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8));
  }

  /** Returns a copy, because the caller may reuse the input. */
  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.slice(start, start + length);
  }

  /** Skips the next `length` bytes and returns a reader over them. */
  sub(length: number): Reader {
    const start = this.#take(length);
    return new Reader(this.#bytes, this.#path, start, start + length);
  }

  /** @throws MalformedError when bytes are left over */
  end(): void {
    if (this.remaining > 0) throw this.malformed(`${this.remaining} bytes left over`);
  }

  #take(length: number): number {
    const start = this.#offset;
    if (length > this.remaining) throw this.malformed(`needs ${length} bytes, ${this.remaining} are left`);
    this.#offset = start + length;
    return start;
  }
}

/** Growing big-endian writer. Values out of range are the caller's mistake: RangeError. */
export class Writer {
  #buffer: Uint8Array = new Uint8Array(256);
  #view: DataView = new DataView(this.#buffer.buffer);
  #length = 0;

  /** Each of these writes one big-endian number. */
  u8(value: number): void {
    const start = this.#grow(1);
    this.#view.setUint8(start, inRange(value, 0xff));
  }

  /** @see u8 */
  u16(value: number): void {
    const start = this.#grow(2);
    this.#view.setUint16(start, inRange(value, 0xffff));
  }

  /** @see u8 */
  u32(value: number): void {
    const start = this.#grow(4);
    this.#view.setUint32(start, inRange(value, 0xffffffff));
  }

  /** @see u8 */
  u64(value: bigint): void {
    if (value < 0n || value > 0xffffffffffffffffn) throw new RangeError(`${value} does not fit 64 bits`);
    const start = this.#grow(8);
    this.#view.setBigUint64(start, value);
  }

  /** Writes the bytes without a size. */
  bytes(value: Uint8Array): void {
    const start = this.#grow(value.length);
    this.#buffer.set(value, start);
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }

  /** Makes the writer reusable. Overwrites the buffer, which may hold a secret. */
  clear(): void {
    this.#buffer.fill(0, 0, this.#length);
    this.#length = 0;
  }

  /**
   * Returns the position for the next `length` bytes. It may replace buffer and view: read those fields after the call.
   */
  #grow(length: number): number {
    const start = this.#length;
    this.#length += length;
    if (this.#length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length));
      larger.set(this.#buffer);
      this.#buffer = larger;
      this.#view = new DataView(larger.buffer);
    }
    return start;
  }
}

function inRange(value: number, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max) throw new RangeError(`${value} is not in 0..${max}`);
  return value;
}
