/**
 * The one session of an attestation. It is salted to the EK and serves twice: it satisfies the EK's policy, and it
 * encrypts the secret that TPM2_ActivateCredential answers, which would otherwise be on the bus in clear.
 */
import type { TpmCommands } from '../tpm/device/commands.ts';
import { ESYS_TR, type KeyHandle, type SessionHandle } from '../tpm/device/handles.ts';
import { TPMA_SESSION } from '../tpm/structures/attributes.ts';
import { TPM_SE } from '../tpm/structures/constants.ts';
import { type Endorsement, expectKey } from './endorsement/load-endorsement.ts';
import type { HierarchyPasswords } from './passwords/hierarchy-passwords.ts';

/** @throws EndorsementError when the session would be salted to another key than the endorsement's */
export async function startEkSession(
  run: TpmCommands,
  ek: KeyHandle,
  { name, nameAlg }: Endorsement,
): Promise<SessionHandle> {
  await expectKey(run, ek, name);
  // Its policy digest must be of the EK's own hash.
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

/** The secret that the server encrypted to the EK, for the AK. The session ends with it. Wipe it after use. */
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
