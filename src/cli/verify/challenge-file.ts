/** Makes a challenge for a file and judges its answer. The challenger keeps the secret in a second file. */

import { fromHex, hex } from '../../bytes/bytes.ts';
import {
  type Challenge,
  type ChallengeResponse,
  decodeChallenge,
  encodeChallenge,
  encodePayload,
  encodeResponse,
  NONCE_BYTES,
  type Payload,
} from '../../evidence/messages.ts';
import { finishKept, type KeptChallenge, keptOf } from '../../verifier/kept-challenge.ts';
import type { Policy } from '../../verifier/policy.ts';
import type { Untrusted, Verdict } from '../../verifier/verdict.ts';
import { begin, type Entropy } from '../../verifier/verify.ts';
import { UsageError } from '../terminal/failure.ts';

export type Challenged =
  | { readonly outcome: 'challenged'; readonly challenge: Challenge; readonly secret: KeptChallenge }
  | { readonly outcome: 'rejected'; readonly verdict: Untrusted };

export function makeChallenge(payload: Payload, policy: Policy, entropy: Entropy, now: Date): Challenged {
  const begun = begin(encodePayload(payload), policy, entropy, now);
  if (begun.outcome === 'rejected') return begun;
  return { outcome: 'challenged', challenge: decodeChallenge(begun.challenge), secret: keptOf(begun.pending) };
}

/**
 * Judges the answer. `payload` and `challenge` must be the challenger's own copies: copies in the answer prove nothing.
 *
 * @throws UsageError if challenge, secret and policy do not belong together
 */
export function judgeAnswer(
  { payload, challenge }: { readonly payload: Payload; readonly challenge: Challenge },
  response: ChallengeResponse,
  kept: KeptChallenge,
  policy: Policy,
  entropy: Entropy,
  now: Date,
): Verdict {
  const asked = { payload: encodePayload(payload), challenge: encodeChallenge(challenge) };
  const verdict = finishKept(asked, kept, encodeResponse(response), policy, entropy, now);
  if (verdict === undefined)
    throw new UsageError('the secret is for another challenge, or the policy names another trust domain');
  return verdict;
}

export function secretToJson({ secret, commitment: committed, issuedAt }: KeptChallenge): string {
  const file = { secret: hex(secret), commitment: hex(committed), issuedAt: issuedAt.toISOString() };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** @throws UsageError */
export function secretFromJson(text: string): KeptChallenge {
  let file: { readonly [K in keyof KeptChallenge]?: unknown };
  try {
    file = Object(JSON.parse(text));
  } catch {
    file = {};
  }
  const bytes = (name: 'secret' | 'commitment'): Uint8Array | undefined => fromHex(String(file[name] ?? 'none'));
  const [secret, committed] = [bytes('secret'), bytes('commitment')];
  const issuedAt = new Date(String(file.issuedAt));
  if (secret?.length !== NONCE_BYTES || committed === undefined || Number.isNaN(issuedAt.getTime()))
    throw new UsageError('the secret beside the challenge is malformed; run "challenge" again');
  return { secret, commitment: committed, issuedAt };
}
