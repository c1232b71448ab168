/** `tpm-attestor/tpm/structures`: TPM 2.0 structures (TPM 2.0 Library, Part 2) as strict codecs. Pure. */
export { MalformedError, UnsupportedError } from '../bytes/malformed.ts';
export { type TpmsAttest, tpmsAttest } from '../tpm/structures/attest.ts';
export { TPMA_OBJECT } from '../tpm/structures/attributes.ts';
export { type Codec, decode, encode } from '../tpm/structures/codec.ts';
export { TPM_ALG } from '../tpm/structures/constants.ts';
export { objectName, qualifiedName } from '../tpm/structures/name.ts';
export { pcrSelection, selectedPcrs, tpmlPcrSelection } from '../tpm/structures/pcr.ts';
export { type TpmtPublic, tpmtPublic } from '../tpm/structures/public.ts';
export { type TpmtSignature, tpmtSignature } from '../tpm/structures/signature.ts';
