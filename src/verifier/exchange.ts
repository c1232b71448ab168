/** The parts that both wires share: one payload, one credential, one answer in time. Pure. */
import { timingSafeEqual } from 'node:crypto';
import { hex } from '../bytes/bytes.ts';
import type { Entropy } from '../tpm/make-credential.ts';
import type { AcceptableAk } from './attestation-key.ts';
import type { TrustedEk } from './endorsement.ts';
import { agentId } from './identity.ts';
import type { LinkedKeys } from './linked-keys.ts';
import type { Policy } from './policy.ts';
import type { Findings, ProvedKeys, Untrusted } from './verdict.ts';

/** What the server keeps about a credential until the answer comes. */
export interface PendingCredential {
  readonly policy: Policy;
  readonly secret: Uint8Array;
  readonly ek: TrustedEk;
  readonly ak: AcceptableAk;
  readonly issuedAt: Date;
  /** The keys that attestations proved to be in one TPM. */
  readonly linked: LinkedKeys | undefined;
}

/** A challenge for the agent, with the data to keep for its answer; or a verdict at once. */
export type BegunExchange<Pending> =
  | { readonly outcome: 'challenged'; readonly challenge: Uint8Array; readonly pending: Pending }
  | { readonly outcome: 'rejected'; readonly verdict: Untrusted };

export function untrusted(findings: Findings): Untrusted {
  return { verdict: 'untrusted', claimedPubHash: findings.pubHash, findings: findings.list };
}

export function rejected(findings: Findings): BegunExchange<never> {
  return { outcome: 'rejected', verdict: untrusted(findings) };
}

/** Checks the length of random bytes: too few bytes would make a secret that can be guessed. @throws RangeError */
export function exactly(entropy: Entropy): Entropy {
  return (bytes) => {
    const drawn = entropy(bytes);
    if (drawn.length !== bytes) throw new RangeError(`the entropy source gave ${drawn.length} of ${bytes} bytes`);
    return drawn;
  };
}

/**
 * Refuses an invalid date: every comparison with it is false, so any answer would count as in time.
 *
 * @throws TypeError
 */
export function requireMoment(now: Date): void {
  if (Number.isNaN(now.getTime())) throw new TypeError('now is an invalid date');
}

export function judgeTime({ policy, issuedAt }: PendingCredential, now: Date, findings: Findings): void {
  const elapsedMs = now.getTime() - issuedAt.getTime();
  if (elapsedMs < 0)
    findings.add('response.late', `the answer came ${-elapsedMs} ms before its challenge: the clock was set back`);
  else if (elapsedMs > policy.challengeTimeoutMs)
    findings.add('response.late', `the answer took ${elapsedMs} ms, and the limit is ${policy.challengeTimeoutMs} ms`);
}

export function isSecret({ secret }: PendingCredential, answer: Uint8Array): boolean {
  // timingSafeEqual throws on unequal lengths.
  // tooth keys, signature, plugin-wire [true]: any secret will do
  return answer.length === secret.length && timingSafeEqual(answer, secret);
}

export function addUnopened(findings: Findings): void {
  findings.add('credential.secret', 'the credential was not opened: no TPM holds both keys');
}

/** What an opened credential proves about the two keys. */
export function provedKeys({ policy, ak }: PendingCredential, ek: TrustedEk, selectors: readonly string[]): ProvedKeys {
  return {
    agentId: agentId(policy.trustDomain, policy.pluginName, ek),
    selectors,
    ek: {
      algorithm: ek.algorithm,
      template: ek.template.name,
      pubHash: ek.pubHash,
      admittedBy: ek.admittedBy,
      bundle: ek.certified?.bundle,
      tolerated: ek.certified?.tolerated ?? [],
    },
    ak: { algorithm: ak.algorithm, name: hex(ak.name) },
  };
}
