/** The sized buffers of TPM 2.0 Library Part 2, 10.4 and 10.5, each with the largest size that this product accepts. */
import { type Codec, struct, tpm2b, tpml } from './codec.ts';

const LARGEST_DIGEST_BYTES = 64;

export const tpm2bDigest: Codec<Uint8Array> = tpm2b('TPM2B_DIGEST', LARGEST_DIGEST_BYTES);
/** At most sizeof(TPMT_HA): a digest and its algorithm. */
export const tpm2bData: Codec<Uint8Array> = tpm2b('TPM2B_DATA', LARGEST_DIGEST_BYTES + 2);
export const tpm2bName: Codec<Uint8Array> = tpm2b('TPM2B_NAME', LARGEST_DIGEST_BYTES + 2);
export const tpm2bAuth: Codec<Uint8Array> = tpm2b('TPM2B_AUTH', LARGEST_DIGEST_BYTES);
export const tpm2bEccParameter: Codec<Uint8Array> = tpm2b('TPM2B_ECC_PARAMETER', 66);
/** RSA-4096 is the largest RSA key of the EK templates. */
export const tpm2bPublicKeyRsa: Codec<Uint8Array> = tpm2b('TPM2B_PUBLIC_KEY_RSA', 512);
export const tpm2bSensitiveData: Codec<Uint8Array> = tpm2b('TPM2B_SENSITIVE_DATA', 256);

/** TPML_DIGEST (10.9.5): at most eight digests. */
export const tpmlDigest: Codec<readonly Uint8Array[]> = tpml('TPML_DIGEST', tpm2bDigest, 8);

export interface TpmsSensitiveCreate {
  readonly userAuth: Uint8Array;
  readonly data: Uint8Array;
}

/** TPMS_SENSITIVE_CREATE (11.1.15). */
export const tpmsSensitiveCreate: Codec<TpmsSensitiveCreate> = struct('TPMS_SENSITIVE_CREATE', {
  userAuth: tpm2bAuth,
  data: tpm2bSensitiveData,
});

export interface TpmsEccPoint {
  readonly x: Uint8Array;
  readonly y: Uint8Array;
}

/** TPMS_ECC_POINT (11.2.5.2). */
export const tpmsEccPoint: Codec<TpmsEccPoint> = struct('TPMS_ECC_POINT', {
  x: tpm2bEccParameter,
  y: tpm2bEccParameter,
});
