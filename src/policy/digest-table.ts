/** A set of SHA-256 digests that takes some 40 bytes for each: a million of them fit beside a server that admits machines. */
import { randomBytes } from 'node:crypto';
import type { Steps } from '../files/steps.ts';

export const DIGEST_BYTES = 32;
const WORDS = DIGEST_BYTES / 4;
/** Digests kept in one piece of memory, so that growing copies nothing. */
const PER_SEGMENT = 1 << 15;
/** Digests taken into the index between two pauses: well below a millisecond. */
const PER_STEP = 1024;

export class DigestTable {
  readonly #segments: Uint32Array[] = [];
  /** The octets of the last of them. */
  #last: Uint8Array = new Uint8Array();
  #count = 0;
  /** Open addressing: one more than the place of a digest, or 0; at most two thirds full. */
  #index: Uint32Array = new Uint32Array(2);
  /** Keeps who may choose what is listed from making look-ups long. */
  readonly #seed: number = randomBytes(4).readUInt32LE();

  /** Digests added, equal ones as often as they were. */
  get count(): number {
    return this.#count;
  }

  /** Where the next one is to be written, for `keep` to make an entry of it. */
  room(): { readonly segment: Uint8Array; readonly offset: number } {
    const segment = Math.floor(this.#count / PER_SEGMENT);
    if (segment === this.#segments.length) {
      const words = new Uint32Array(PER_SEGMENT * WORDS);
      this.#segments.push(words);
      this.#last = new Uint8Array(words.buffer);
    }
    return { segment: this.#last, offset: (this.#count % PER_SEGMENT) * DIGEST_BYTES };
  }

  /** It is found once the table is sealed. */
  keep(): void {
    this.#count += 1;
  }

  add(digest: Uint8Array): void {
    const { segment, offset } = this.room();
    segment.set(digest, offset);
    this.keep();
  }

  /** Makes the index. Nothing may be added afterwards. */
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

  /** Where these words are in the index, or the free slot where they would be. */
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
