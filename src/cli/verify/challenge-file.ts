/**
 * A challenge that travels as a file, and what only its maker keeps: the secret, and what the answer must commit to.
 * The judgement is `begin` and `finish`, as in the server plugin.
 */

import { equalBytes, fromHex, hex } from '../../bytes/bytes.ts';
import { commitment } from '../../evidence/binding.ts';
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
import type { Policy } from '../../verifier/policy.ts';
import type { Untrusted, Verdict } from '../../verifier/verdict.ts';
import { begin, type Entropy, finish } from '../../verifier/verify.ts';
import { UsageError } from '../terminal/failure.ts';

/** Lies beside the challenge and never leaves its maker. */
export interface ChallengeSecret {
  readonly secret: Uint8Array;
  /** What the quote must carry: covers payload, challenge and trust domain. */
  readonly commitment: Uint8Array;
  readonly issuedAt: Date;
}

export type Challenged =
  | { readonly outcome: 'challenged'; readonly challenge: Challenge; readonly secret: ChallengeSecret }
  | { readonly outcome: 'rejected'; readonly verdict: Untrusted };

export function makeChallenge(payload: Payload, policy: Policy, entropy: Entropy, now: Date): Challenged {
  const begun = begin(encodePayload(payload), policy, entropy, now);
  if (begun.outcome === 'rejected') return begun;
  const { secret, commitment: committed, issuedAt } = begun.pending;
  return {
    outcome: 'challenged',
    challenge: decodeChallenge(begun.challenge),
    secret: { secret, commitment: committed, issuedAt },
  };
}

/**
 * @param payload and `challenge` as the challenge's maker kept them: those that came back with the answer prove nothing
 * @throws UsageError when challenge, secret and policy do not belong together
 */
export function judgeAnswer(
  { payload, challenge }: { readonly payload: Payload; readonly challenge: Challenge },
  response: ChallengeResponse,
  kept: ChallengeSecret,
  policy: Policy,
  entropy: Entropy,
  now: Date,
): Verdict {
  const sent = encodePayload(payload);
  // Otherwise a payload could be exchanged for one whose credential nobody has opened.
  if (!equalBytes(commitment(policy.trustDomain, sent, encodeChallenge(challenge)), kept.commitment))
    throw new UsageError(
      'the challenge is not the one its secret was kept for, or the policy names another trust domain',
    );
  const begun = begin(sent, policy, entropy, now);
  if (begun.outcome === 'rejected') return begun.verdict;
  const { secret, issuedAt } = kept;
  return finish({ ...begun.pending, secret, commitment: kept.commitment, issuedAt }, encodeResponse(response), now);
}

export function secretToJson({ secret, commitment: committed, issuedAt }: ChallengeSecret): string {
  const file = { secret: hex(secret), commitment: hex(committed), issuedAt: issuedAt.toISOString() };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** @throws UsageError */
export function secretFromJson(text: string): ChallengeSecret {
  let file: { readonly [K in keyof ChallengeSecret]?: unknown };
  try {
    file = Object(JSON.parse(text));
  } catch {
    file = {};
  }
  const bytes = (name: 'secret' | 'commitment'): Uint8Array | undefined => fromHex(String(file[name] ?? 'none'));
  const [secret, committed] = [bytes('secret'), bytes('commitment')];
  const issuedAt = new Date(String(file.issuedAt));
  if (secret?.length !== NONCE_BYTES || committed === undefined || Number.isNaN(issuedAt.getTime()))
    throw new UsageError('the secret beside the challenge cannot be read; make a new challenge with "challenge"');
  return { secret, commitment: committed, issuedAt };
}
