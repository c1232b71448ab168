/** Bounds-checked little-endian reader, for what firmware writes. Undefined where too few bytes are left. */
export class LittleEndianReader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #offset: number;

  constructor(bytes: Uint8Array, offset = 0) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offset = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.bytes.length - this.#offset;
  }

  /** Each of these reads one number. */
  u8(): number | undefined {
    if (this.remaining < 1) return undefined;
    this.#offset += 1;
    return this.#view.getUint8(this.#offset - 1);
  }

  /** @see u8 */
  u16(): number | undefined {
    if (this.remaining < 2) return undefined;
    this.#offset += 2;
    return this.#view.getUint16(this.#offset - 2, true);
  }

  /** @see u8 */
  u32(): number | undefined {
    if (this.remaining < 4) return undefined;
    this.#offset += 4;
    return this.#view.getUint32(this.#offset - 4, true);
  }

  /** A UINT64 that counts `unit` bytes each of what follows. It is compared before it becomes a number. */
  count(unit = 1): number | undefined {
    if (this.remaining < 8) return undefined;
    this.#offset += 8;
    const count = this.#view.getBigUint64(this.#offset - 8, true);
    if (count * BigInt(unit) > BigInt(this.remaining)) return undefined;
    return Number(count);
  }

  /** A UINT64 that is no length, such as an address. */
  u64(): bigint | undefined {
    if (this.remaining < 8) return undefined;
    this.#offset += 8;
    return this.#view.getBigUint64(this.#offset - 8, true);
  }

  /** A view of the next bytes. */
  take(length: number): Uint8Array | undefined {
    if (length > this.remaining) return undefined;
    this.#offset += length;
    return this.bytes.subarray(this.#offset - length, this.#offset);
  }
}
