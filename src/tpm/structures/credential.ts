/** TPM2B_ID_OBJECT: a credential for one AK Name that only one EK can decrypt (TPM 2.0 Library Part 2, 12.4). */
import { tpm2bDigest } from './buffers.ts';
import { type Codec, rest, struct, tpm2bOf } from './codec.ts';

export interface TpmsIdObject {
  readonly integrityHmac: Uint8Array;
  /** Ciphertext of TPM2B_DIGEST, without a size of its own. */
  readonly encIdentity: Uint8Array;
}

export const tpmsIdObject: Codec<TpmsIdObject> = struct('TPMS_ID_OBJECT', {
  integrityHmac: tpm2bDigest,
  encIdentity: rest,
});

export const tpm2bIdObject: Codec<TpmsIdObject> = tpm2bOf('TPM2B_ID_OBJECT', tpmsIdObject);
