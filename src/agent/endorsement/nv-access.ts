/**
 * Decides from the attributes of an NV index how to read it without harm (TPM 2.0 Library Part 2, 13.4).
 *
 * A wrong authValue counts towards lockout unless the index has NO_DA (Part 1, 19.8). A wrong owner password never
 * counts; of the hierarchies only lockout counts. A PIN index counts each use of its authValue.
 */
import { nvIndexType, TPM_NT, TPMA_NV } from '../../tpm/structures/attributes.ts';
import type { NvNote } from './nv-note.ts';

/**
 * The authorization: of the owner hierarchy, or the authValue of the index, which is empty (EK Credential Profile,
 * 2.2.2.4).
 */
export type NvWay = 'owner' | 'index';

/** Why an index cannot be read. The reason is permanent, so that every attempt gives the same result. */
export type NvObstacle = 'unwritten' | 'locked' | 'counted' | 'policy' | 'platform' | 'password' | 'owner_password';

/** The reason that the attributes alone give; undefined when there is a way to try. */
export function obstacleOf(attributes: number): NvObstacle | undefined {
  if ((attributes & TPMA_NV.WRITTEN) === 0) return 'unwritten';
  if (attributes & TPMA_NV.READLOCKED) return 'locked';
  if (waysToRead(attributes, false).length > 0) return undefined;
  if (attributes & TPMA_NV.AUTHREAD) return 'counted';
  return attributes & TPMA_NV.POLICYREAD ? 'policy' : 'platform';
}

/** The ways in the order of trying. The owner comes first, unless its hierarchy has a password. */
export function waysToRead(attributes: number, ownerHasPassword: boolean): readonly NvWay[] {
  const owner: readonly NvWay[] = attributes & TPMA_NV.OWNERREAD ? ['owner'] : [];
  const index: readonly NvWay[] = attributes & TPMA_NV.AUTHREAD && !failuresCount(attributes) ? ['index'] : [];
  return ownerHasPassword ? [...index, ...owner] : [...owner, ...index];
}

function failuresCount(attributes: number): boolean {
  const type = nvIndexType(attributes);
  return (attributes & TPMA_NV.NO_DA) === 0 || type === TPM_NT.PIN_FAIL || type === TPM_NT.PIN_PASS;
}

const AGAIN = 'Define it again with OWNERREAD, AUTHREAD and NO_DA and without a password, or undefine it.';

const TEXTS: Readonly<Record<NvObstacle, Omit<NvNote, 'index'>>> = {
  unwritten: {
    code: 'unwritten',
    message: 'is defined but was never written',
    remedy: 'Write what belongs there, or undefine it.',
  },
  locked: {
    code: 'unreadable',
    message: 'is locked against reading until the TPM starts again',
    remedy: 'Find out which software locks it, or define it again without READ_STCLEAR.',
  },
  counted: {
    code: 'unreadable',
    message: 'can be read only with its own password, and a wrong one counts towards lockout; it was not tried',
    remedy: AGAIN,
  },
  policy: { code: 'unreadable', message: 'can be read only by a policy', remedy: AGAIN },
  platform: { code: 'unreadable', message: 'can be read only by the platform firmware', remedy: AGAIN },
  password: { code: 'unreadable', message: 'has a password of its own', remedy: AGAIN },
  owner_password: {
    code: 'owner_password',
    message: 'can be read only by the owner hierarchy, which has a password or is disabled',
    remedy: 'Give the owner password: owner_auth_file on the agent, --owner-auth-file here.',
  },
};

export function obstacleNote(index: number, obstacle: NvObstacle): NvNote {
  return { index, ...TEXTS[obstacle] };
}
