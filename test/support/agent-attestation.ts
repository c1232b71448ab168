/** Runs an attestation between an agent's Attestor and the verifier, in one process. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Attestation, Attestor } from '../../src/agent/attest.ts';
import { EK_TEMPLATE_NAMES } from '../../src/tpm/templates.ts';
import type { Policy } from '../../src/verifier/policy.ts';
import { begin, finish, type Verdict } from '../../src/verifier/verify.ts';
import { trustStoreFrom } from '../../src/x509/file/trust-store.ts';
import { bundle, SOFTWARE, testPolicy } from './policy.ts';
import type { SoftwareTpm } from './swtpm.ts';

export { pcrs, TRUST_DOMAIN } from './policy.ts';

export function policyFor(tpm: Pick<SoftwareTpm, 'caPath'>, changes: Partial<Policy> = {}): Policy {
  const { anchors, problems } = trustStoreFrom([{ name: 'ca', bytes: readFileSync(tpm.caPath) }]);
  if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join());
  return testPolicy({
    bundles: [bundle(anchors, SOFTWARE)],
    ekTemplates: EK_TEMPLATE_NAMES,
    ...changes,
  });
}

export interface JudgedAttestation extends Attestation {
  readonly verdict: Verdict;
  readonly payload: Uint8Array;
  readonly challenge: Uint8Array;
  /** The secret in the credential. */
  readonly secret: Uint8Array;
  readonly total: number;
}

/** Runs and judges one attestation. @param meanwhile runs while the agent waits for its challenge */
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
