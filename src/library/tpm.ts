/**
 * The TPM of this machine, through the native addon, and an agent that attests with it. Needs Linux and tpm2-tss 3.2 or
 * later.
 *
 * Stable: `Attestor`. The rest may change before 1.0.
 *
 * @module tpm-attestor/tpm
 */
export type { AkMaker, AkRequest } from '../agent/ak-maker.ts';
export {
  type Attestation,
  type AttestOptions,
  Attestor,
  type AttestorOptions,
  type Exchange,
} from '../agent/attest.ts';
export type { Endorsement, KeyChoice } from '../agent/endorsement/load-endorsement.ts';
export type { BootLogFiles, ReadBootLog } from '../agent/logs/boot-log-files.ts';
export {
  HierarchyPasswords,
  PasswordError,
  type PasswordFiles,
  type PasswordHierarchy,
} from '../agent/passwords/hierarchy-passwords.ts';
export { remedyFor } from '../agent/remedy.ts';
export type { BootLogKind, MissingLog } from '../evidence/boot-logs.ts';
export type { CreationDefaults, Defaulted, TpmCommands } from '../tpm/device/commands.ts';
export { NativeUnavailableError, TctiError, TpmError } from '../tpm/device/errors.ts';
export {
  type EntityHandle,
  ESYS_TR,
  type HierarchyHandle,
  type KeyHandle,
  type NoHandle,
  type NvHandle,
  type SessionHandle,
} from '../tpm/device/handles.ts';
export type {
  ActivateCredentialInput,
  ActivateCredentialOutput,
  CertifyCreationInput,
  CertifyCreationOutput,
  CreateInput,
  CreateOutput,
  CreatePrimaryInput,
  CreatePrimaryOutput,
  GetCapabilityInput,
  GetCapabilityOutput,
  GetRandomInput,
  LoadExternalInput,
  LoadInput,
  NvReadInput,
  NvReadPublicInput,
  NvReadPublicOutput,
  ObjectHandleOutput,
  PcrReadInput,
  PcrReadOutput,
  PolicyGetDigestInput,
  PolicyOrInput,
  PolicySecretInput,
  PolicySecretOutput,
  QuoteInput,
  QuoteOutput,
  ReadPublicInput,
  ReadPublicOutput,
  Resource,
  StartAuthSessionInput,
} from '../tpm/device/native-context.ts';
export { Queue } from '../tpm/device/queue.ts';
export type { LoadedHandle } from '../tpm/device/runner.ts';
export { Tpm } from '../tpm/device/tpm.ts';
export { EK_CERTIFICATE_INDEX } from '../tpm/ek-nv-indices.ts';
export { type Credential, type Entropy, makeCredential } from '../tpm/make-credential.ts';
export { keyAlgorithmName, publicKeyOf, spkiHash, spkiOfPublicArea } from '../tpm/public-key.ts';
export type { FaultyArgument, Layer } from '../tpm/structures/response-code.ts';
export { EK_TEMPLATES, type EkTemplate, type EkTemplateName } from '../tpm/templates.ts';
