/** Judges an answer that comes later, in another process, from a file that the challenger kept. Pure. */
import { equalBytes } from '../bytes/bytes.ts';
import { commitment } from '../evidence/binding.ts';
import type { Entropy } from '../tpm/make-credential.ts';
import type { Policy } from './policy.ts';
import type { Verdict } from './verdict.ts';
import { begin, finish, type Pending } from './verify.ts';

/** The verifier's half of a challenge. Keep it secret: it holds the secret that only the node's TPM may reveal. */
export interface KeptChallenge {
  readonly secret: Uint8Array;
  /** The qualifying data that the quote must have. It covers payload, challenge and trust domain. */
  readonly commitment: Uint8Array;
  readonly issuedAt: Date;
}

/** The first message of an agent and the challenge for it, both encoded. */
export interface Asked {
  readonly payload: Uint8Array;
  readonly challenge: Uint8Array;
}

/** The part of a challenge to keep for `finishKept`. */
export function keptOf({ secret, commitment: committed, issuedAt }: Pending): KeptChallenge {
  return { secret, commitment: committed, issuedAt };
}

/**
 * Judges the payload again by the current policy, and then the answer to the kept challenge.
 *
 * @param asked the copy that the challenger kept. A copy that came with the answer proves nothing
 * @returns undefined if `asked`, `kept` and the trust domain of the policy do not belong together
 * @throws the errors of `begin` and `finish`
 */
export function finishKept(
  { payload, challenge }: Asked,
  kept: KeptChallenge,
  response: Uint8Array,
  policy: Policy,
  entropy: Entropy,
  now: Date,
): Verdict | undefined {
  // Otherwise an attacker could replace the payload by one whose credential was never opened.
  if (!equalBytes(commitment(policy.trustDomain, payload, challenge), kept.commitment)) return undefined;
  const begun = begin(payload, policy, entropy, now);
  if (begun.outcome === 'rejected') return begun.verdict;
  return finish({ ...begun.pending, ...kept }, response, now);
}
