/** Joining, comparing, padding and hexadecimal of byte strings. Pure. */

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** Lower-case hexadecimal. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** Undefined unless the text is an even number of hexadecimal digits and nothing else. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

export function bigEndian(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${hex(bytes)}`);
}

/** The number in exactly `length` bytes, with zeros in front; undefined when it needs more bytes. */
export function padStart(bytes: Uint8Array, length: number): Uint8Array | undefined {
  const excess = bytes.length - length;
  if (excess > 0) return bytes.subarray(0, excess).every((byte) => byte === 0) ? bytes.slice(excess) : undefined;
  return concat(new Uint8Array(-excess), bytes);
}
