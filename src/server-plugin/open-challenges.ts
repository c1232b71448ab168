/** Limits the open challenges of each EK, so that one EK cannot use all places of the server. */
import { PeerError, STATUS } from '../spire/status.ts';

/** A machine has one agent, with one attestation at a time. The other places are for attestations that broke off. */
const MAX_PER_KEY = 4;

export class OpenChallenges {
  /** For each EK, the functions that end its waiting challenges, the oldest first. */
  readonly #waiting: Map<string, Set<() => void>> = new Map();

  /**
   * Waits for the answer to a challenge for the EK.
   *
   * If there are too many, the oldest challenge ends, and the new one is not refused. A challenge needs only a
   * certificate, which is no secret: otherwise an attacker with the certificate could use all places of a machine and
   * keep it out.
   *
   * @throws PeerError RESOURCE_EXHAUSTED if a later challenge ended this one
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
  const reason = `${MAX_PER_KEY} later challenges of the same endorsement key ${pubHash} wait for an answer`;
  return new PeerError(STATUS.RESOURCE_EXHAUSTED, reason);
}
