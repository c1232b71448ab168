/** The attestation key: made anew from the TPM's own seed, so that nothing of it lies on a disk. */
import type { TpmCommands } from '../tpm/commands.ts';
import { ESYS_TR, type KeyHandle } from '../tpm/handles.ts';
import { encode } from '../tpm/structures/codec.ts';
import { tpmtPublic } from '../tpm/structures/public.ts';
import { type AkAlgorithm, akTemplate } from '../tpm/templates.ts';
import { isUnsupported, type KeyChoice } from './endorsement.ts';
import type { HierarchyPasswords } from './hierarchy-passwords.ts';

export interface LoadedAk {
  readonly object: KeyHandle;
  /** TPMT_PUBLIC. */
  readonly publicArea: Uint8Array;
}

export interface AkRequest {
  readonly choice: KeyChoice;
  readonly trustDomain: string;
  readonly passwords: HierarchyPasswords;
  /** The endorsement key, to salt sessions to. */
  readonly saltKey: KeyHandle;
}

/** Loads an attestation key and leaves it loaded. */
export type AkMaker = (run: TpmCommands, request: AkRequest) => Promise<LoadedAk>;

/**
 * A restricted signing key, primary of the endorsement hierarchy: the same key each time for the same trust domain, and
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

async function createAk(
  run: TpmCommands,
  { trustDomain, passwords, saltKey }: AkRequest,
  algorithm: AkAlgorithm,
): Promise<LoadedAk> {
  const inPublic = encode(tpmtPublic, akTemplate(algorithm, trustDomain));
  const { objectHandle, outPublic } = await passwords.authorize(run, 'endorsement', saltKey, (session) =>
    run.createPrimary({ primaryHandle: ESYS_TR.RH_ENDORSEMENT, sessions: [session], inPublic }),
  );
  return { object: objectHandle, publicArea: outPublic };
}
