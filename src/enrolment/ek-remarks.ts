/** The findings of `ek doctor` beside those of the verifier: stable codes and their remedies. */
import { CertificateFileError } from '../agent/endorsement/ek-certificate-file.ts';
import type { InventoryError } from '../agent/endorsement/endorsement-inventory.ts';
import { type NvNote, type NvNoteCode, nvName } from '../agent/endorsement/nv-note.ts';
import { isRefusal, type PasswordHierarchy } from '../agent/passwords/hierarchy-passwords.ts';
import { remedyFor } from '../agent/remedy.ts';
import { isChainIndex } from '../tpm/ek-nv-indices.ts';
import { EK_TEMPLATES } from '../tpm/templates.ts';
import type { FindingCode } from '../verifier/findings.ts';

export type DoctorCode =
  | 'agent.no_key'
  | 'tpm.key'
  | 'tpm.endorsement_password'
  | 'tpm.owner_password'
  | 'tpm.manufacturer'
  | 'certificate.other_machine'
  | 'nv.malformed'
  | 'nv.unreadable'
  | 'nv.reserved'
  | 'nv.pem'
  | 'nv.other_key'
  | 'nv.padding'
  | 'nv.tcg_header'
  | 'nv.template'
  | 'nv.nonce'
  | 'nv.policy'
  | 'nv.untaken'
  | 'nv.unknown'
  | 'chain.unreadable'
  | 'cas.none'
  | 'file.unreadable';

/** An error about the key that the agent takes keeps the machine out; a remark only explains. */
export type DoctorSeverity = 'error' | 'remark';

export interface DoctorFinding {
  /** Stable: a code of the verifier, or of `ek doctor`. */
  readonly code: FindingCode | DoctorCode;
  readonly severity: DoctorSeverity;
  /** One sentence. */
  readonly message: string;
  readonly remedy: string;
  /** The template or the file of the key; null when the finding concerns the whole machine. */
  readonly ek: string | null;
}

interface Entry {
  readonly severity: DoctorSeverity;
  readonly remedy: string;
}

const NOTHING = 'No action is needed.';
/** The note of the agent about the index has the remedy. */
const OF_ITS_NOTE = '';

export const DOCTOR_FINDINGS: Readonly<Record<DoctorCode, Entry>> = {
  'agent.no_key': {
    severity: 'error',
    remedy: 'Set ek to another kind on the agent. "tpm info" shows what this TPM has.',
  },
  'tpm.key': { severity: 'error', remedy: 'Set ek to another kind on the agent.' },
  'tpm.endorsement_password': {
    severity: 'error',
    remedy:
      'Write the password of the endorsement hierarchy into a file. Give it as --endorsement-auth-file, and to the agent as endorsement_auth_file.',
  },
  'tpm.owner_password': {
    severity: 'error',
    remedy:
      'Write the password of the owner hierarchy into a file. Give it as --owner-auth-file, and to the agent as owner_auth_file.',
  },
  'tpm.manufacturer': {
    severity: 'remark',
    remedy: 'This is usual for firmware and software TPMs. For a chip, check that the certificate is its own.',
  },
  'certificate.other_machine': {
    severity: 'error',
    remedy: 'Give the certificate of this TPM, or leave --ek-certificate out.',
  },
  'nv.malformed': { severity: 'remark', remedy: OF_ITS_NOTE },
  'nv.unreadable': { severity: 'remark', remedy: OF_ITS_NOTE },
  'nv.reserved': { severity: 'remark', remedy: `It counts as no certificate. ${NOTHING}` },
  'nv.other_key': { severity: 'remark', remedy: OF_ITS_NOTE },
  'nv.pem': { severity: 'remark', remedy: OF_ITS_NOTE },
  'nv.padding': { severity: 'remark', remedy: NOTHING },
  'nv.tcg_header': { severity: 'remark', remedy: NOTHING },
  'nv.template': {
    severity: 'remark',
    remedy: 'The TPM makes the key from it. If that changed the key of this machine, remove the index.',
  },
  'nv.nonce': {
    severity: 'remark',
    remedy: 'The TPM makes the key with it. If that changed the key of this machine, remove the index.',
  },
  'nv.policy': { severity: 'remark', remedy: NOTHING },
  'nv.untaken': {
    severity: 'remark',
    remedy: 'The agent takes no key of this template. Add the pub_hash of another key to hash_path.',
  },
  'nv.unknown': { severity: 'remark', remedy: 'If the manufacturer did not define it, find out who did.' },
  'chain.unreadable': {
    severity: 'remark',
    remedy: 'The agent goes on without it. Add the intermediate CAs to ca_path.',
  },
  'cas.none': { severity: 'remark', remedy: 'Give --ca-path, or --policy with the options of the server.' },
  'file.unreadable': {
    severity: 'error',
    remedy: 'Save the endorsement key again. The help of "ek hash" names the kinds of files.',
  },
};

export function remarkOf(code: DoctorCode, message: string, ek: string | null = null): DoctorFinding {
  return { code, ...DOCTOR_FINDINGS[code], message, ek };
}

const CODES: Readonly<Record<NvNoteCode, DoctorCode>> = {
  unwritten: 'nv.reserved',
  unreadable: 'nv.unreadable',
  owner_password: 'tpm.owner_password',
  malformed: 'nv.malformed',
  other_key: 'nv.other_key',
  pem: 'nv.pem',
};

/** The finding for a note of the agent about an NV index. */
export function remarkOfNote(note: NvNote): DoctorFinding {
  const { index, message, remedy } = note;
  const template = EK_TEMPLATES.find((one) => {
    return [one.certificateNvIndex, one.nonceNvIndex, one.templateNvIndex].includes(index);
  });
  const code = isChainIndex(index) ? 'chain.unreadable' : CODES[note.code];
  return { ...remarkOf(code, `${nvName(index)} ${message}`, template?.name ?? null), remedy };
}

/**
 * The finding for an error of the TPM, or of the agent's search for a key.
 *
 * @param otherwise the code for an error without a code of its own
 * @param refused hierarchies that refused a password; without it, a refusal comes from an index
 */
export function remarkOfError(
  error: InventoryError,
  otherwise: DoctorCode,
  ek: string | null,
  refused: readonly PasswordHierarchy[],
): DoctorFinding {
  const hierarchy = isRefusal(error) ? (error.command === 'TPM2_NV_Read' ? 'owner' : 'endorsement') : undefined;
  if (hierarchy !== undefined && refused.includes(hierarchy))
    return remarkOf(`tpm.${hierarchy}_password`, error.message, ek);
  if (error instanceof CertificateFileError) return remarkOf('certificate.other_machine', error.message, ek);
  const remedy = isRefusal(error) ? undefined : remedyFor(error);
  const plain = remarkOf(otherwise, error.message, ek);
  return remedy === undefined ? plain : { ...plain, remedy: `${remedy.charAt(0).toUpperCase()}${remedy.slice(1)}.` };
}
