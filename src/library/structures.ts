/**
 * TPM 2.0 structures (TPM 2.0 Library, Part 2) as strict codecs. Pure.
 *
 * All of it may change before 1.0. Field names are those of the specification.
 *
 * @module tpm-attestor/tpm/structures
 */
export { MalformedError, UnsupportedError } from '../bytes/malformed.ts';
export type { HashAlgorithm } from '../tpm/structures/algorithms.ts';
export {
  type AttestedByType,
  type AttestHeader,
  type AttestType,
  type QuoteAttest,
  type TpmsAttest,
  type TpmsClockInfo,
  tpmsAttest,
} from '../tpm/structures/attest.ts';
export { TPMA_OBJECT } from '../tpm/structures/attributes.ts';
export { type Codec, decode, encode } from '../tpm/structures/codec.ts';
export { TPM_ALG } from '../tpm/structures/constants.ts';
export type { Reader, Writer } from '../tpm/structures/cursor.ts';
export { objectName, qualifiedName } from '../tpm/structures/name.ts';
export {
  pcrSelection,
  selectedPcrs,
  type TpmlPcrSelection,
  type TpmsPcrSelection,
  tpmlPcrSelection,
} from '../tpm/structures/pcr.ts';
export {
  type EccPublic,
  type KeyedHashPublic,
  type RsaPublic,
  type SymCipherPublic,
  type TpmtPublic,
  tpmtPublic,
} from '../tpm/structures/public.ts';
export type { Scheme, SymDefObject } from '../tpm/structures/scheme.ts';
export {
  type EccSignature,
  type HmacSignature,
  type RsaSignature,
  type TpmtSignature,
  tpmtSignature,
} from '../tpm/structures/signature.ts';
