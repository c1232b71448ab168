/** What an agent says on one wire: a payload before the challenge, an answer after it. */
import type { Wire } from '../../evidence/wires.ts';
import type { TpmCommands } from '../../tpm/device/commands.ts';
import type { KeyHandle } from '../../tpm/device/handles.ts';
import type { CreatePrimaryOutput } from '../../tpm/device/native-context.ts';
import type { EkTemplateName } from '../../tpm/templates.ts';
import type { Endorsement } from '../endorsement/load-endorsement.ts';

export interface AgentWire {
  readonly name: Wire;
  /** The endorsement keys it can name; undefined for every one. */
  readonly ekTemplates: readonly EkTemplateName[] | undefined;
  /** What sets its attestation key apart from those of other wires and trust domains. */
  readonly akPurpose: string;
  /** Made once for a pair of keys, which are loaded, and sent with every attestation. @throws EndorsementError */
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
  /** The message to send, once the credential is open. */
  answer(run: TpmCommands, opened: Opened): Promise<Uint8Array>;
}

export interface Opened {
  /** Secret: wiped by the caller. */
  readonly secret: Uint8Array;
  readonly ak: KeyHandle;
  /** TPMT_PUBLIC. */
  readonly akPublic: Uint8Array;
  /** As sent. */
  readonly payload: Uint8Array;
}
