/** Verdicts are told apart by one field, and finding codes are literals. */
import type { Begun, Finding, FindingCode, Trusted, Untrusted, Verdict } from 'tpm-attestor/verifier';
import { REMEDIES } from 'tpm-attestor/verifier';

export function agentIdOf(verdict: Verdict): string {
  // @ts-expect-error: an untrusted verdict has no device
  verdict.device;
  if (verdict.verdict === 'trusted') {
    const trusted: Trusted = verdict;
    // @ts-expect-error: a trusted verdict has no findings
    verdict.findings;
    return trusted.device.agentId;
  }
  const untrusted: Untrusted = verdict;
  return untrusted.findings.map(({ code }) => code).join();
}

export function challengeOf(begun: Begun): Uint8Array | readonly Finding[] {
  // @ts-expect-error: a rejected payload has no challenge
  begun.challenge;
  switch (begun.outcome) {
    case 'challenged':
      return begun.challenge;
    case 'rejected':
      return begun.verdict.findings;
  }
}

export const codes: readonly FindingCode[] = ['ek.revoked', 'quote.pcr_digest'];
// @ts-expect-error: a misspelt code is noticed
export const misspelt: FindingCode = 'ek.revokd';
/** An alias of `string` would let everything pass above. */
export const areLiterals: string extends FindingCode ? false : true = true;
export const remedy: string = REMEDIES['ek.revoked'];
