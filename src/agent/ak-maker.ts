/**
 * Makes the attestation key (AK). The TPM derives it from its own seed each time, so no part of it is stored on a disk.
 */
import type { TpmCommands } from '../tpm/device/commands.ts';
import { ESYS_TR, type KeyHandle } from '../tpm/device/handles.ts';
import type { CreatePrimaryOutput } from '../tpm/device/native-context.ts';
import { encode } from '../tpm/structures/codec.ts';
import { tpmtPublic } from '../tpm/structures/public.ts';
import { type AkAlgorithm, akTemplate } from '../tpm/templates.ts';
import { isUnsupported } from './endorsement/endorsement-keys.ts';
import type { KeyChoice } from './endorsement/load-endorsement.ts';
import type { HierarchyPasswords } from './passwords/hierarchy-passwords.ts';

/** Which AK to make, and the means to make it. */
export interface AkRequest {
  readonly choice: KeyChoice;
  /**
   * Each purpose gives another key. Our own wire uses the trust domain, which has no slash; other uses contain a slash.
   */
  readonly purpose: string;
  readonly passwords: HierarchyPasswords;
  /** The loaded EK, to which sessions are salted; undefined when the TPM has no room for it. */
  readonly saltKey: KeyHandle | undefined;
}

/** Makes an AK and leaves it loaded. */
export type AkMaker = (run: TpmCommands, request: AkRequest) => Promise<CreatePrimaryOutput>;

/**
 * Makes a restricted signing key, a primary key of the endorsement hierarchy. The same purpose always gives the same
 * key, and the TPM does not obfuscate the counters in its quotes. `auto` falls back to RSA when the TPM has no P-256.
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
