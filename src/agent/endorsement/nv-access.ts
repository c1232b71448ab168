/**
 * How an NV index may be read without harm, by its attributes alone (TPM 2.0 Library Part 2, 13.4).
 *
 * A wrong authValue counts towards lockout unless the index has NO_DA (Part 1, 19.8). The password of the owner hierarchy
 * never counts; only that of the lockout hierarchy does. An index that counts PINs counts each use of its authValue.
 */
import { nvIndexType, TPM_NT, TPMA_NV } from '../../tpm/structures/attributes.ts';
import type { NvNote } from './nv-note.ts';

/** By the owner hierarchy, or by the authValue of the index, which is empty by the EK Credential Profile (2.2.2.4). */
export type NvWay = 'owner' | 'index';

/** Why an index cannot be read. Lasting: it follows from what the TPM says of the index, and the next look finds the same. */
export type NvObstacle = 'unwritten' | 'locked' | 'counted' | 'policy' | 'platform' | 'password' | 'owner_password';

/** Undefined where there is a way to try. */
export function obstacleOf(attributes: number): NvObstacle | undefined {
  if ((attributes & TPMA_NV.WRITTEN) === 0) return 'unwritten';
  if (attributes & TPMA_NV.READLOCKED) return 'locked';
  if (waysToRead(attributes, false).length > 0) return undefined;
  if (attributes & TPMA_NV.AUTHREAD) return 'counted';
  return attributes & TPMA_NV.POLICYREAD ? 'policy' : 'platform';
}

/** In the order in which they are tried: the owner first, unless that takes a password and another way takes none. */
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
    message: 'is defined and was never written',
    remedy: 'Write what belongs there, or undefine it.',
  },
  locked: {
    code: 'unreadable',
    message: 'is locked against reading until the TPM starts again',
    remedy: 'Find out which software locks it, or define it again without READ_STCLEAR.',
  },
  counted: {
    code: 'unreadable',
    message: 'can be read by its own password alone, and a wrong one counts towards lockout; it was not tried',
    remedy: AGAIN,
  },
  policy: { code: 'unreadable', message: 'can be read by a policy alone', remedy: AGAIN },
  platform: { code: 'unreadable', message: 'can be read by the platform firmware alone', remedy: AGAIN },
  password: { code: 'unreadable', message: 'has a password of its own', remedy: AGAIN },
  owner_password: {
    code: 'owner_password',
    message: 'can be read by the owner hierarchy alone, which has a password or is switched off',
    remedy: 'Give the owner password: owner_auth_file on the agent, --owner-auth-file here.',
  },
};

export function obstacleNote(index: number, obstacle: NvObstacle): NvNote {
  return { index, ...TEXTS[obstacle] };
}
