// Attests a software TPM over your own transport. Here the transport is a function call.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { startSoftwareTpm } from 'tpm-attestor/testing';
import { Attestor } from 'tpm-attestor/tpm';
import { allowing, begin, finish, policyOf, STRICT_RULES } from 'tpm-attestor/verifier';
import { trustStoreFrom } from 'tpm-attestor/x509';

const tpm = await startSoftwareTpm({ templates: ['L-1'] });
try {
  const { anchors } = trustStoreFrom([{ name: 'ca.pem', bytes: readFileSync(tpm.caPath) }]);
  const rules = allowing(STRICT_RULES, ['software_tpm']);
  const policy = policyOf({ trustDomain: 'example.org', bundles: [{ name: 'lab', anchors, rules }] });

  const agent = new Attestor({ trustDomain: 'example.org', tcti: () => tpm.tcti });
  // The server keeps this for each stream until the answer comes.
  const pending = new Map();
  const { response } = await agent.attest(async (payload) => {
    const begun = begin(payload, policy, (bytes) => new Uint8Array(randomBytes(bytes)), new Date());
    if (begun.outcome === 'rejected') throw new Error(begun.verdict.findings[0]?.message);
    pending.set('stream', begun.pending);
    return begun.challenge;
  });
  const verdict = finish(pending.get('stream'), response, new Date());
  console.log(verdict.verdict, verdict.verdict === 'trusted' ? verdict.device.agentId : verdict.findings);
} finally {
  await tpm.stop();
}
