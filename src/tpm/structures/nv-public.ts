/** TPMS_NV_PUBLIC: the public area of an NV index (TPM 2.0 Library Part 2, 13.5). */
import { tpm2bDigest } from './buffers.ts';
import { type Codec, struct, u16, u32 } from './codec.ts';

export interface TpmsNvPublic {
  readonly nvIndex: number;
  readonly nameAlg: number;
  /** TPMA_NV. */
  readonly attributes: number;
  readonly authPolicy: Uint8Array;
  readonly dataBytes: number;
}

export const tpmsNvPublic: Codec<TpmsNvPublic> = struct('TPMS_NV_PUBLIC', {
  nvIndex: u32,
  nameAlg: u16,
  attributes: u32,
  authPolicy: tpm2bDigest,
  dataBytes: u16,
});
