/**
 * The session with the EK in an attestation, and TPM2_ActivateCredential with it. The session is salted to the EK. It
 * satisfies the EK's policy, and encrypts the secret on its way from the TPM over the bus.
 */
import type { TpmCommands } from '../tpm/device/commands.ts';
import { ESYS_TR, type KeyHandle, type SessionHandle } from '../tpm/device/handles.ts';
import { TPMA_SESSION } from '../tpm/structures/attributes.ts';
import { TPM_SE } from '../tpm/structures/constants.ts';
import { type Endorsement, expectKey } from './endorsement/load-endorsement.ts';
import type { HierarchyPasswords } from './passwords/hierarchy-passwords.ts';

/** @throws EndorsementError when `ek` is not the key of the endorsement */
export async function startEkSession(
  run: TpmCommands,
  ek: KeyHandle,
  { name, nameAlg }: Endorsement,
): Promise<SessionHandle> {
  await expectKey(run, ek, name);
  // The policy digest must use the same hash as the EK's nameAlg.
  const input = { sessionType: TPM_SE.POLICY, tpmKey: ek, authHash: nameAlg };
  return (await run.startAuthSession(input)).sessionHandle;
}

export interface Activation {
  readonly session: SessionHandle;
  readonly ek: KeyHandle;
  readonly endorsement: Endorsement;
  readonly ak: KeyHandle;
  readonly credentialBlob: Uint8Array;
  readonly encryptedSecret: Uint8Array;
}

/**
 * Decrypts the secret that the server encrypted to the EK and bound to the AK. Ends the session. Wipe the secret after
 * use.
 */
export async function activate(
  run: TpmCommands,
  activation: Activation,
  passwords: HierarchyPasswords,
): Promise<Uint8Array> {
  const { session, ek, endorsement, ak } = activation;
  await passwords.authorize(run, 'endorsement', ek, (authorization) =>
    run.policySecret({ authHandle: ESYS_TR.RH_ENDORSEMENT, policySession: session, sessions: [authorization] }),
  );
  const { policyOr } = endorsement.template;
  if (policyOr !== undefined) await run.policyOr({ policySession: session, pHashList: policyOr });
  const { encrypt, continueSession } = TPMA_SESSION;
  await run.setSessionAttributes({ session, flags: encrypt, mask: encrypt | continueSession });
  const { certInfo } = await run.activateCredential({
    activateHandle: ak,
    keyHandle: ek,
    credentialBlob: activation.credentialBlob,
    secret: activation.encryptedSecret,
    sessions: [ESYS_TR.PASSWORD, session],
  });
  return certInfo;
}
