/** An agent's attestor and the judge, face to face. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Attestation, Attestor } from '../../src/agent/attest.ts';
import { type PcrRequirement, type Policy, parsePcrs } from '../../src/verifier/policy.ts';
import { begin, finish, type Verdict } from '../../src/verifier/verify.ts';
import { trustStoreFrom } from '../../src/x509/trust-store.ts';
import type { SoftwareTpm } from './swtpm.ts';

export const TRUST_DOMAIN = 'example.org';

export function pcrs(text: string): PcrRequirement {
  const requirement = parsePcrs(text);
  if (typeof requirement === 'string') throw new RangeError(requirement);
  return requirement;
}

export function policyFor(tpm: Pick<SoftwareTpm, 'caPath'>, changes: Partial<Policy> = {}): Policy {
  const { anchors, problems } = trustStoreFrom([{ name: 'ca', bytes: readFileSync(tpm.caPath) }]);
  if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join());
  return {
    trustDomain: TRUST_DOMAIN,
    pluginName: 'tpm',
    anchors,
    isListed: undefined,
    pcrs: [pcrs('sha256:0-7')],
    ekAlgorithms: ['rsa', 'ecc'],
    allowSoftwareTpm: true,
    allowExpiredEk: false,
    allowSha1Bank: false,
    wire: 'tpm-attestor',
    challengeTimeoutMs: 60_000,
    ...changes,
  };
}

export interface JudgedAttestation extends Attestation {
  readonly verdict: Verdict;
  readonly payload: Uint8Array;
  readonly challenge: Uint8Array;
  /** What the credential hid. */
  readonly secret: Uint8Array;
  readonly total: number;
}

/** One attestation, judged. @param meanwhile runs while the agent waits for its challenge */
export async function attestTo(
  attestor: Attestor,
  policy: Policy,
  meanwhile: () => Promise<unknown> = async () => {},
): Promise<JudgedAttestation> {
  let judged: { readonly payload: Uint8Array; readonly begun: ReturnType<typeof begin> } | undefined;
  const attestation = await attestor.attest(async (payload) => {
    const begun = begin(payload, policy, (bytes) => Uint8Array.from(randomBytes(bytes)), new Date());
    judged = { payload, begun };
    if (begun.outcome === 'rejected') throw new Error(JSON.stringify(begun.verdict.findings));
    await meanwhile();
    return begun.challenge;
  });
  if (judged?.begun.outcome !== 'challenged') throw new Error('no challenge was made');
  const { pending, challenge } = judged.begun;
  return {
    ...attestation,
    verdict: finish(pending, attestation.response, new Date()),
    payload: judged.payload,
    challenge,
    secret: pending.secret,
    total: [...attestation.commands.values()].reduce((sum, count) => sum + count, 0),
  };
}
