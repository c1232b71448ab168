/** A set of SHA-256 digests that takes about 40 bytes for each, so that a server can hold a million. */
import { randomBytes } from 'node:crypto';
import type { Steps } from '../files/steps.ts';

export const DIGEST_BYTES = 32;
const WORDS = DIGEST_BYTES / 4;
/** Digests in one segment. The table grows by segments, and so never copies digests. */
const PER_SEGMENT = 1 << 15;
/** Digests indexed between two pauses. They take well below a millisecond. */
const PER_STEP = 1024;

export class DigestTable {
  readonly #segments: Uint32Array[] = [];
  /** The octets of the last segment. */
  #last: Uint8Array = new Uint8Array();
  #count = 0;
  /** A hash table with open addressing: the position of a digest plus one, or 0. It is at most two thirds full. */
  #index: Uint32Array = new Uint32Array(2);
  /** Random, so that nobody can choose digests that make lookups slow. */
  readonly #seed: number = randomBytes(4).readUInt32LE();

  /** The number of digests added, counting repeated ones. */
  get count(): number {
    return this.#count;
  }

  /** The place to write the next digest. Call `keep` afterwards. */
  room(): { readonly segment: Uint8Array; readonly offset: number } {
    const segment = Math.floor(this.#count / PER_SEGMENT);
    if (segment === this.#segments.length) {
      const words = new Uint32Array(PER_SEGMENT * WORDS);
      this.#segments.push(words);
      this.#last = new Uint8Array(words.buffer);
    }
    return { segment: this.#last, offset: (this.#count % PER_SEGMENT) * DIGEST_BYTES };
  }

  /** Adds the digest written to `room`. `has` finds it once the table is sealed. */
  keep(): void {
    this.#count += 1;
  }

  add(digest: Uint8Array): void {
    const { segment, offset } = this.room();
    segment.set(digest, offset);
    this.keep();
  }

  /** Builds the index. Do not add digests afterwards. */
  *seal(): Steps<void> {
    this.#index = new Uint32Array(Math.ceil(1.5 * this.#count) + 1);
    for (let i = 0; i < this.#count; i++) {
      if (i % PER_STEP === 0) yield;
      const slot = this.#slotOf(this.#segmentOf(i), this.#offsetOf(i));
      if (this.#index[slot] === 0) this.#index[slot] = i + 1;
    }
  }

  has(digest: Uint8Array): boolean {
    if (digest.length !== DIGEST_BYTES) return false;
    const words = new Uint32Array(WORDS);
    new Uint8Array(words.buffer).set(digest);
    return this.#index[this.#slotOf(words, 0)] !== 0;
  }

  /** The slot of these words in the index, or the free slot for them. */
  #slotOf(words: Uint32Array, offset: number): number {
    const slots = this.#index.length;
    let hash = this.#seed;
    for (let i = 0; i < WORDS; i++) {
      hash = Math.imul(hash ^ (words[offset + i] as number), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    for (let slot = (hash >>> 0) % slots; ; slot = slot + 1 === slots ? 0 : slot + 1) {
      const entry = this.#index[slot] as number;
      if (entry === 0 || this.#isAt(entry - 1, words, offset)) return slot;
    }
  }

  #isAt(i: number, words: Uint32Array, offset: number): boolean {
    const [segment, at] = [this.#segmentOf(i), this.#offsetOf(i)];
    for (let word = 0; word < WORDS; word++) if (segment[at + word] !== words[offset + word]) return false;
    return true;
  }

  #segmentOf(i: number): Uint32Array {
    return this.#segments[Math.floor(i / PER_SEGMENT)] as Uint32Array;
  }

  #offsetOf(i: number): number {
    return (i % PER_SEGMENT) * WORDS;
  }
}
