/** The three JSON messages of spire-tpm-plugin, with that project's field names. Pure. */
import { type Codec, decode, encode, tpm2b } from '../tpm/structures/codec.ts';
import { tpm2bIdObject, tpmsIdObject } from '../tpm/structures/credential.ts';
import { GoDocument, type ValueOf } from './go-json.ts';

/**
 * `EK` is PEM (see ek-pem.ts). The fields of `AK` are marshalled structures, without the size of a TPM2B: TPMT_PUBLIC,
 * TPMS_CREATION_DATA, the TPMS_ATTEST of TPM2_CertifyCreation, and the TPMT_SIGNATURE over it by the AK itself.
 * `UseTCSDActivationFormat` is true only for a TPM 1.2. Newer agents send `PVE`: unproven claims of a Proxmox virtual
 * machine about itself.
 */
const PAYLOAD = {
  EK: 32_768,
  AK: {
    Public: 1024,
    UseTCSDActivationFormat: false,
    CreateData: 1024,
    CreateAttestation: 1024,
    CreateSignature: 1024,
  },
  PVE: ['or nothing', { cuid: 'text', uuid: 'text', vmid: 'int32' }],
} as const;
/** Largest TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET, each with its two bytes of size. */
const CHALLENGE = { EC: { Credential: 134, Secret: 514 } } as const;
const RESPONSE = { Secret: 64 } as const;

type Payload = ValueOf<typeof PAYLOAD>;
export type PluginPayload = Omit<Payload, 'PVE'> & Partial<Pick<Payload, 'PVE'>>;
export type PluginResponse = ValueOf<typeof RESPONSE>;

/** The contents of the two TPM2Bs, without their sizes, as in our own `Challenge` message. */
export interface PluginChallenge {
  /** TPMS_ID_OBJECT. */
  readonly credentialBlob: Uint8Array;
  readonly encryptedSecret: Uint8Array;
}

const payloadDocument = new GoDocument('Payload', PAYLOAD, 64 * 1024);
const challengeDocument = new GoDocument('Challenge', CHALLENGE, 4 * 1024);
const responseDocument = new GoDocument('ChallengeResponse', RESPONSE, 256);

const tpm2bEncryptedSecret: Codec<Uint8Array> = tpm2b('TPM2B_ENCRYPTED_SECRET', 512);

export function encodePluginPayload(payload: PluginPayload): Uint8Array {
  return payloadDocument.encode({ PVE: undefined, ...payload });
}

/** @throws MalformedError naming the part */
export function decodePluginPayload(bytes: Uint8Array): PluginPayload {
  return payloadDocument.decode(bytes);
}

export function encodePluginChallenge({ credentialBlob, encryptedSecret }: PluginChallenge): Uint8Array {
  const Credential = encode(tpm2bIdObject, decode(tpmsIdObject, credentialBlob));
  return challengeDocument.encode({ EC: { Credential, Secret: encode(tpm2bEncryptedSecret, encryptedSecret) } });
}

/** @throws MalformedError naming the part, or the structure in it */
export function decodePluginChallenge(bytes: Uint8Array): PluginChallenge {
  const { Credential, Secret } = challengeDocument.decode(bytes).EC;
  return {
    credentialBlob: encode(tpmsIdObject, decode(tpm2bIdObject, Credential)),
    encryptedSecret: decode(tpm2bEncryptedSecret, Secret),
  };
}

export function encodePluginResponse(response: PluginResponse): Uint8Array {
  return responseDocument.encode(response);
}

/** @throws MalformedError */
export function decodePluginResponse(bytes: Uint8Array): PluginResponse {
  return responseDocument.decode(bytes);
}
