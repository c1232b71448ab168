/** Challenges that wait for their answer: a few for each endorsement key, so that nobody can take every place with one. */
import { PeerError, STATUS } from '../spire/status.ts';

/** A machine has one agent, and one attestation at a time; the others are ones that broke off without a word. */
const MAX_PER_KEY = 4;

export class OpenChallenges {
  /** For each endorsement key what ends its waiting ones, the oldest first. */
  readonly #waiting: Map<string, Set<() => void>> = new Map();

  /**
   * Waits for the answer to a challenge for the key.
   *
   * One challenge more than allowed ends the oldest instead of being refused: to be challenged it takes a certificate,
   * which is no secret, and whoever has it could otherwise hold every place of a machine and keep it out.
   *
   * @throws PeerError RESOURCE_EXHAUSTED for a challenge that was ended so
   */
  async wait<T>(pubHash: string, receive: () => Promise<T>): Promise<T> {
    const waiting = this.#waiting.get(pubHash) ?? new Set();
    this.#waiting.set(pubHash, waiting);
    let end = (): void => {};
    const ended = new Promise<never>((_, reject) => {
      end = () => reject(displaced(pubHash));
    });
    const [oldest] = waiting;
    // tooth availability: one endorsement key may hold every place
    if (oldest !== undefined && waiting.size >= MAX_PER_KEY) {
      waiting.delete(oldest);
      oldest();
    }
    waiting.add(end);
    try {
      return await Promise.race([receive(), ended]);
    } finally {
      // tooth availability: an answered challenge keeps its place
      waiting.delete(end);
      if (waiting.size === 0 && this.#waiting.get(pubHash) === waiting) this.#waiting.delete(pubHash);
    }
  }
}

function displaced(pubHash: string): PeerError {
  const reason = `${MAX_PER_KEY} later challenges wait for an answer of the same endorsement key ${pubHash}`;
  return new PeerError(STATUS.RESOURCE_EXHAUSTED, reason);
}
