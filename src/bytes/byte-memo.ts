/** A cache from byte strings to the values computed from them, with a fixed number of entries. Pure. */

interface Kept<T> {
  readonly bytes: Uint8Array;
  readonly value: T;
}

/**
 * Keeps the value computed from each byte string. The bytes choose one of 256 places, and a later entry replaces an
 * earlier one there. So a hostile peer can cause a recomputation, but cannot exhaust memory or change a result.
 */
export class ByteMemo<T> {
  readonly #places: (Kept<T> | undefined)[] = Array.from({ length: 256 });

  /** The value kept for the bytes from `start` to `end`; undefined when there is none. */
  recall(bytes: Uint8Array, start: number, end: number): T | undefined {
    const kept = this.#places[placeOf(bytes, start, end)];
    return kept !== undefined && isAt(kept.bytes, bytes, start, end) ? kept.value : undefined;
  }

  keep(bytes: Uint8Array, start: number, end: number, value: T): void {
    this.#places[placeOf(bytes, start, end)] = { bytes: bytes.slice(start, end), value };
  }
}

function placeOf(bytes: Uint8Array, start: number, end: number): number {
  let sum = 0;
  for (let at = start; at < end; at++) sum = (Math.imul(sum, 31) + (bytes[at] ?? 0)) | 0;
  return (sum ^ (sum >>> 8) ^ (sum >>> 16)) & 0xff;
}

function isAt(kept: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (kept.length !== end - start) return false;
  for (let i = 0; i < kept.length; i++) if (kept[i] !== bytes[start + i]) return false;
  return true;
}
