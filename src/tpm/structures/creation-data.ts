/** TPMS_CREATION_DATA: how and where an object was made (TPM 2.0 Library Part 2, 15.1). */
import { tpm2bData, tpm2bDigest, tpm2bName } from './buffers.ts';
import { type Codec, struct, u8, u16 } from './codec.ts';
import { type TpmlPcrSelection, tpmlPcrSelection } from './pcr.ts';

export interface TpmsCreationData {
  readonly pcrSelect: TpmlPcrSelection;
  readonly pcrDigest: Uint8Array;
  /** TPMA_LOCALITY. */
  readonly locality: number;
  readonly parentNameAlg: number;
  readonly parentName: Uint8Array;
  readonly parentQualifiedName: Uint8Array;
  readonly outsideInfo: Uint8Array;
}

export const tpmsCreationData: Codec<TpmsCreationData> = struct('TPMS_CREATION_DATA', {
  pcrSelect: tpmlPcrSelection,
  pcrDigest: tpm2bDigest,
  locality: u8,
  parentNameAlg: u16,
  parentName: tpm2bName,
  parentQualifiedName: tpm2bName,
  outsideInfo: tpm2bData,
});
