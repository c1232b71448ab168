/** The findings of `ek doctor` about the NV indices of endorsement keys. */
import type { EndorsementInventory } from '../agent/endorsement/endorsement-inventory.ts';
import type { CertificateIndex } from '../agent/endorsement/endorsement-storage.ts';
import { AGENT_EK_TEMPLATES } from '../agent/endorsement/load-endorsement.ts';
import { type NvNote, nvName } from '../agent/endorsement/nv-note.ts';
import { EK_CERTIFICATE_INDEX, EK_POLICY_INDICES, isChainIndex } from '../tpm/ek-nv-indices.ts';
import { EK_TEMPLATES, type EkTemplate } from '../tpm/templates.ts';
import type { IntakeOddity } from '../x509/intake.ts';
import { type DoctorFinding, remarkOf } from './ek-remarks.ts';

/** Indices of the templates that no agent takes: H-5 (SM2) and H-7 (RSA-4096). */
const UNTAKEN_INDICES: ReadonlyMap<number, string> = new Map(
  Object.entries(EK_CERTIFICATE_INDEX)
    .filter(([name]) => !AGENT_EK_TEMPLATES.some((taken) => taken === name))
    .flatMap(([name, index]) => [
      [index, `the certificate of a key of template ${name}`],
      [index + 1, `the template of ${name}`],
    ]),
);

/**
 * Does not include deviations around a key's certificate; they are reported with the key.
 *
 * @param remarkOfNote makes a finding of a note
 */
export function nvRemarks(
  { indices, reserved, chain, notes }: EndorsementInventory,
  remarkOfNote: (note: NvNote) => DoctorFinding,
): readonly DoctorFinding[] {
  return [
    ...indices.flatMap(remarksOfIndex),
    ...reserved.map(({ name, certificateNvIndex }) =>
      remarkOf('nv.reserved', `${nvName(certificateNvIndex)} is reserved for the certificate of ${name}, and empty`),
    ),
    ...notes.map(remarkOfNote),
    ...(chain?.oddities ?? []).map((oddity) => ofOddity(oddity, 'the certificate chain in the TPM', null)),
  ];
}

function remarksOfIndex(index: number): readonly DoctorFinding[] {
  if (isChainIndex(index)) return [];
  if (AGENT_EK_TEMPLATES.some((name) => EK_CERTIFICATE_INDEX[name] === index)) return [];
  const hash = EK_POLICY_INDICES.get(index);
  if (hash !== undefined)
    return [remarkOf('nv.policy', `${nvName(index)}, for a policy of endorsement keys with ${hash}, is defined`)];
  const untaken = UNTAKEN_INDICES.get(index);
  if (untaken !== undefined) return [remarkOf('nv.untaken', `${nvName(index)}, for ${untaken}, is defined`)];
  const [made] = EK_TEMPLATES.flatMap((template) => makingRemarks(template, index));
  return [made ?? remarkOf('nv.unknown', `${nvName(index)} has a use that tpm-attestor does not know`)];
}

function makingRemarks({ name, templateNvIndex, nonceNvIndex }: EkTemplate, index: number): readonly DoctorFinding[] {
  if (index === templateNvIndex)
    return [remarkOf('nv.template', `${nvName(index)}, for a template of its own for ${name}, is defined`, name)];
  return index === nonceNvIndex
    ? [remarkOf('nv.nonce', `${nvName(index)}, for a nonce for ${name}, is defined`, name)]
    : [];
}

/** The findings about the certificate index of one key. */
export function certificateIndexRemarks(
  { name, certificateNvIndex }: EkTemplate,
  index: CertificateIndex | undefined,
): readonly DoctorFinding[] {
  if (index?.state !== 'certificate') return [];
  // A note of the agent already reports PEM.
  const oddities = index.oddities.filter((oddity) => oddity !== 'PEM');
  return oddities.map((oddity) => ofOddity(oddity, nvName(certificateNvIndex), name));
}

function ofOddity(oddity: IntakeOddity, where: string, ek: string | null): DoctorFinding {
  if (oddity === 'TCG-header')
    return remarkOf('nv.tcg_header', `${where} has the header of TPM 1.2 tools before its certificate`, ek);
  if (oddity === 'PEM') return { ...remarkOf('nv.pem', `${where} is PEM text`, ek), remedy: 'Write it there as DER.' };
  const [count, , , octet] = oddity.split('-');
  return remarkOf('nv.padding', `${where} has ${count} bytes of 0x${octet} behind what it holds`, ek);
}
