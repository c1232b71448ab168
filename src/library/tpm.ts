/**
 * `tpm-attestor/tpm`: the TPM of this machine, through the native addon, and an agent that attests with it.
 * Needs Linux and tpm2-tss 3.2 or later.
 */
export { type Attestation, Attestor, type AttestorOptions, type Exchange } from '../agent/attest.ts';
export { remedyFor } from '../agent/remedy.ts';
export type { TpmCommands } from '../tpm/device/commands.ts';
export { TpmError } from '../tpm/device/errors.ts';
export { Tpm } from '../tpm/device/tpm.ts';
export { makeCredential } from '../tpm/make-credential.ts';
export { keyAlgorithmName, publicKeyOf, spkiHash, spkiOfPublicArea } from '../tpm/public-key.ts';
export { EK_TEMPLATES, type EkTemplateName } from '../tpm/templates.ts';
