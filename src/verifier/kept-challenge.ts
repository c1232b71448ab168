/** A challenge whose answer comes later, and to another process: what its maker keeps, and how the answer is judged. Pure. */
import { equalBytes } from '../bytes/bytes.ts';
import { commitment } from '../evidence/binding.ts';
import type { Entropy } from '../tpm/make-credential.ts';
import type { Policy } from './policy.ts';
import type { Verdict } from './verdict.ts';
import { begin, finish, type Pending } from './verify.ts';

/** The server's half of a challenge. Keep it secret: it holds the secret that only the node's TPM should reveal. */
export interface KeptChallenge {
  readonly secret: Uint8Array;
  /** What the quote must carry: covers payload, challenge and trust domain. */
  readonly commitment: Uint8Array;
  readonly issuedAt: Date;
}

/** The first message of an agent, and the challenge that was made for it, both encoded. */
export interface Asked {
  readonly payload: Uint8Array;
  readonly challenge: Uint8Array;
}

/** What to keep of a challenge for `finishKept`. */
export function keptOf({ secret, commitment: committed, issuedAt }: Pending): KeptChallenge {
  return { secret, commitment: committed, issuedAt };
}

/**
 * Judges the payload anew by the policy of today, and the answer to the challenge that was kept.
 *
 * @param asked as the maker of the challenge kept it: what came back with the answer proves nothing
 * @returns undefined when `asked`, `kept` and the trust domain of the policy do not belong together
 * @throws as `begin` and `finish`
 */
export function finishKept(
  { payload, challenge }: Asked,
  kept: KeptChallenge,
  response: Uint8Array,
  policy: Policy,
  entropy: Entropy,
  now: Date,
): Verdict | undefined {
  // Otherwise a payload could be exchanged for one whose credential nobody has opened.
  if (!equalBytes(commitment(policy.trustDomain, payload, challenge), kept.commitment)) return undefined;
  const begun = begin(payload, policy, entropy, now);
  if (begun.outcome === 'rejected') return begun.verdict;
  return finish({ ...begun.pending, ...kept }, response, now);
}
