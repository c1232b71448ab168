/** Remembers machines that have attested, so that the server need not judge the same payload from the start. Pure. */
import type { AcceptableAk } from './attestation-key.ts';
import { type TrustedEk, trustAgain } from './endorsement.ts';
import type { PcrRequirement, Policy } from './policy.ts';

/** The judged parts of a payload. */
export interface Judged {
  readonly ek: TrustedEk;
  readonly ak: AcceptableAk;
  readonly requirement: PcrRequirement;
  /** Of the exchange; the highest that both sides speak. */
  readonly version: number;
}

/** Each takes about 6 KiB, with its keys. */
const MOST_MACHINES = 4096;

/**
 * Machines by the hash of their whole payload, so that evidence of two machines is never mixed. All were judged by one
 * policy: a changed trust store or allowance is another policy, with an empty memory. Only machines that completed an
 * attestation are remembered. The machine unseen for the longest time is dropped.
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

  /** The earlier judgement, if it still holds: the operator's lists and the time are checked again. */
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
    // A Map iterates in the order of insertion: a machine inserted again moves to the end.
    this.#machines.delete(payloadHash);
    this.#machines.set(payloadHash, { ek, ak, requirement, version });
    const [oldest] = this.#machines.keys();
    if (this.#machines.size > this.#most && oldest !== undefined) this.#machines.delete(oldest);
  }

  get size(): number {
    return this.#machines.size;
  }
}
