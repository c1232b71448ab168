/** The attestation key: made anew from the TPM's own seed, so that nothing of it lies on a disk. */
import type { TpmCommands } from '../tpm/device/commands.ts';
import { ESYS_TR, type KeyHandle } from '../tpm/device/handles.ts';
import type { CreatePrimaryOutput } from '../tpm/device/native-context.ts';
import { encode } from '../tpm/structures/codec.ts';
import { tpmtPublic } from '../tpm/structures/public.ts';
import { type AkAlgorithm, akTemplate } from '../tpm/templates.ts';
import { isUnsupported } from './endorsement/endorsement-keys.ts';
import type { KeyChoice } from './endorsement/load-endorsement.ts';
import type { HierarchyPasswords } from './passwords/hierarchy-passwords.ts';

/** Which attestation key is wanted, and what may be used to make it. */
export interface AkRequest {
  readonly choice: KeyChoice;
  /** Sets keys apart: a trust domain for our own wire, which has no slash, and for everything else something that has. */
  readonly purpose: string;
  readonly passwords: HierarchyPasswords;
  /** The endorsement key, to salt sessions to, unless there is no room for it. */
  readonly saltKey: KeyHandle | undefined;
}

/** Makes an attestation key and leaves it loaded. */
export type AkMaker = (run: TpmCommands, request: AkRequest) => Promise<CreatePrimaryOutput>;

/**
 * A restricted signing key, primary of the endorsement hierarchy: the same key each time for the same purpose, and
 * counters in its quotes are true values. `auto` falls back to RSA where the TPM has no P-256.
 */
export const makePrimaryAk: AkMaker = async (run, request) => {
  const [first = 'ecc', second]: readonly AkAlgorithm[] = request.choice === 'auto' ? ['ecc', 'rsa'] : [request.choice];
  try {
    return await createAk(run, request, first);
  } catch (error) {
    if (second === undefined || !isUnsupported(error)) throw error;
    return createAk(run, request, second);
  }
};

function createAk(
  run: TpmCommands,
  { purpose, passwords, saltKey }: AkRequest,
  algorithm: AkAlgorithm,
): Promise<CreatePrimaryOutput> {
  const inPublic = encode(tpmtPublic, akTemplate(algorithm, purpose));
  return passwords.authorize(run, 'endorsement', saltKey, (session) =>
    run.createPrimary({ primaryHandle: ESYS_TR.RH_ENDORSEMENT, sessions: [session], inPublic }),
  );
}
