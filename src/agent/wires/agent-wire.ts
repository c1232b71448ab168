/** The messages of an agent on one wire: the payload, the reading of the challenge, and the answer. */
import type { Wire } from '../../evidence/wires.ts';
import type { TpmCommands } from '../../tpm/device/commands.ts';
import type { KeyHandle } from '../../tpm/device/handles.ts';
import type { CreatePrimaryOutput } from '../../tpm/device/native-context.ts';
import type { EkTemplateName } from '../../tpm/templates.ts';
import type { Endorsement } from '../endorsement/load-endorsement.ts';

export interface AgentWire {
  readonly name: Wire;
  /** The EK templates that the wire can carry; undefined for all of them. */
  readonly ekTemplates: readonly EkTemplateName[] | undefined;
  /** Gives the AK of this wire and trust domain; see `AkRequest.purpose`. */
  readonly akPurpose: string;
  /** Makes the payload for a pair of loaded keys. Every attestation with them sends it. @throws EndorsementError */
  payload(run: TpmCommands, endorsement: Endorsement, ak: CreatePrimaryOutput): Promise<Uint8Array>;
  /** @throws MalformedError */
  read(challenge: Uint8Array): Question;
}

/** A challenge that has been read. */
export interface Question {
  readonly credentialBlob: Uint8Array;
  readonly encryptedSecret: Uint8Array;
  /** Numbers of the boot logs that the server will ask for after the answer. */
  readonly logs: readonly number[];
  /** The message to send after the credential was decrypted. */
  answer(run: TpmCommands, opened: Opened): Promise<Uint8Array>;
}

export interface Opened {
  /** The caller wipes it. */
  readonly secret: Uint8Array;
  readonly ak: KeyHandle;
  /** TPMT_PUBLIC. */
  readonly akPublic: Uint8Array;
  /** The payload as it was sent. */
  readonly payload: Uint8Array;
}
