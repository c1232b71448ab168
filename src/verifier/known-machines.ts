/** Machines that have attested before: what they sent need not be judged from the start when they send it again. Pure. */
import type { AcceptableAk } from './attestation-key.ts';
import { type TrustedEk, trustAgain } from './endorsement.ts';
import type { PcrRequirement, Policy } from './policy.ts';

/** What `begin` made of a payload. */
export interface Judged {
  readonly ek: TrustedEk;
  readonly ak: AcceptableAk;
  readonly requirement: PcrRequirement;
  /** Of the exchange; the highest that both sides speak. */
  readonly version: number;
}

/** Each takes some 6 KiB, keys included. */
const MOST_MACHINES = 4096;

/**
 * Remembers by the hash of a whole payload, so that no part of one machine's evidence ever stands beside a part of
 * another's, and under one policy: a changed trust store or relaxation is another policy and begins with nothing.
 * Only machines that went on to prove themselves are remembered, the longest unseen makes room.
 */
export class KnownMachines {
  readonly #policy: Policy;
  readonly #most: number;
  readonly #machines: Map<string, Judged> = new Map();

  /** @param most machines remembered at once */
  constructor(policy: Policy, most: number = MOST_MACHINES) {
    this.#policy = policy;
    this.#most = most;
  }

  /** The judgement, if it would come out the same now: the operator's lists are asked, and the time. */
  recall(payloadHash: string, policy: Policy, now: Date): Judged | undefined {
    // tooth reload [policy === this.#policy -> true]: a known
    //   machine stays known under another configuration
    const judged = policy === this.#policy ? this.#machines.get(payloadHash) : undefined;
    const ek = judged === undefined ? undefined : trustAgain(judged.ek, policy, now);
    return judged === undefined || ek === undefined ? undefined : { ...judged, ek };
  }

  /** Remembers a machine that has proved itself, unless it was judged by another policy. */
  remember(payloadHash: string, policy: Policy, { ek, ak, requirement, version }: Judged): void {
    // tooth reload: a known machine stays known under another
    //   configuration
    if (policy !== this.#policy) return;
    // A Map iterates in the order of insertion: who is inserted anew is the last to go.
    this.#machines.delete(payloadHash);
    this.#machines.set(payloadHash, { ek, ak, requirement, version });
    const [oldest] = this.#machines.keys();
    if (this.#machines.size > this.#most && oldest !== undefined) this.#machines.delete(oldest);
  }

  get size(): number {
    return this.#machines.size;
  }
}
