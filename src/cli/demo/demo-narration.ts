/** The text of the demo: each message of the attestation, and what it proves. */
import { decodeChallenge, decodePayload } from '../../evidence/messages.ts';
import { keyAlgorithmName } from '../../tpm/public-key.ts';
import { hashAlgorithm } from '../../tpm/structures/algorithms.ts';
import { decode } from '../../tpm/structures/codec.ts';
import { selectedPcrs, tpmlPcrSelection } from '../../tpm/structures/pcr.ts';
import { tpmtPublic } from '../../tpm/structures/public.ts';
import { ekTemplateOf } from '../../tpm/templates.ts';
import type { DemoDocument } from './demo-report.ts';
import type { Passing, Round } from './demo-round.ts';

export type Narrator = (line: string) => void;

export function narration(tell: Narrator): Passing {
  return {
    payload: (bytes) => {
      const { ekPublic, akPublic, ekCertificates } = decodePayload(bytes);
      const ek = decode(tpmtPublic, ekPublic);
      tell(
        `payload    endorsement key ${keyAlgorithmName(ek)} (${ekTemplateOf(ek)?.name ?? 'no TCG template'}), ` +
          `${ekCertificates.length} certificate(s), attestation key ${keyAlgorithmName(decode(tpmtPublic, akPublic))}; proves nothing yet`,
      );
    },
    challenge: (bytes) => {
      const [selection] = decode(tpmlPcrSelection, decodeChallenge(bytes).pcrSelection);
      const bank = hashAlgorithm(selection?.hash ?? 0)?.name ?? '';
      tell('           the certificate leads to a CA of ca_path: a TPM of that manufacturer has this endorsement key');
      tell('           the attestation key, if a TPM holds it, never left that TPM and signs only what it made itself');
      tell(
        `challenge  a secret sealed to both keys, a nonce, and PCRs ${bank}:${selection === undefined ? '' : selectedPcrs(selection).join(',')}`,
      );
    },
    response: () => tell('answer     the secret, a quote and the PCR values'),
  };
}

export function tellOutcome({ outcome, ms }: Round, tell: Narrator): void {
  if (outcome.verdict === 'untrusted') {
    tell(`refused    in ${ms} ms; the agent learns only: ${outcome.peerMessage}`);
    return;
  }
  tell('           the secret was opened: one TPM holds both keys, so this machine is the one the certificate names');
  tell('           the quote commits to this exchange and trust domain: these are the PCR values of that TPM, now');
  tell(`trusted    in ${ms} ms`);
}

export function conclusion(document: DemoDocument): readonly string[] {
  const { agent_id, selectors, findings, rounds, control } = document;
  const totals = rounds.map(({ tpm_commands }) => tpm_commands?.total ?? '?');
  return [
    `           ${totals.join(', ')} TPM commands`,
    '',
    ...(agent_id === null ? [] : [`agent ID   ${agent_id}`, ...selectors.map((selector) => `selector   ${selector}`)]),
    ...findings.flatMap(({ code, message, remedy }) => [`finding    ${code}: ${message}`, `           ${remedy}`]),
    ...(control === undefined ? [] : [`control    ${control} (the same set-up, untampered)`]),
    `verdict    ${document.verdict}`,
  ];
}
