/**
 * The TypeScript interface of the native addon. Bytes are structures in TPM wire form, or the contents of a TPM2B
 * without its size; everything else is a number. Field names are those of TPM 2.0 Library Part 3.
 *
 * A method that returns a promise sends a command; the others run within ESYS and return at once. Failures are Errors
 * with `rc` and `command`. One command runs at a time: a second one throws (`ERR_TPM_BUSY`). Every field is required:
 * `commands.ts` has the defaults.
 */
import type { EntityHandle, HierarchyHandle, KeyHandle, NoHandle, NvHandle, SessionHandle } from './handles.ts';

/** At most three sessions. Sessions that authorize handles come first, in the order of the handles. */
interface WithSessions {
  readonly sessions: readonly SessionHandle[];
}

/** Input of TPM2_StartAuthSession. */
export interface StartAuthSessionInput extends WithSessions {
  /** The session is salted to this key. */
  readonly tpmKey: KeyHandle | NoHandle;
  readonly bind: EntityHandle | NoHandle;
  /** TPM_SE. */
  readonly sessionType: number;
  /** TPMT_SYM_DEF. */
  readonly symmetric: Uint8Array;
  /** TPM_ALG_ID. */
  readonly authHash: number;
}

interface CreationInput extends WithSessions {
  /** TPMS_SENSITIVE_CREATE. */
  readonly inSensitive: Uint8Array;
  /** TPMT_PUBLIC. */
  readonly inPublic: Uint8Array;
  readonly outsideInfo: Uint8Array;
  /** TPML_PCR_SELECTION. */
  readonly creationPCR: Uint8Array;
}

interface CreationOutput {
  /** TPMT_PUBLIC. */
  readonly outPublic: Uint8Array;
  /** TPMS_CREATION_DATA. */
  readonly creationData: Uint8Array;
  readonly creationHash: Uint8Array;
  /** TPMT_TK_CREATION. */
  readonly creationTicket: Uint8Array;
}

/** Input of TPM2_CreatePrimary. */
export interface CreatePrimaryInput extends CreationInput {
  readonly primaryHandle: HierarchyHandle;
}

/** Output of TPM2_CreatePrimary. */
export interface CreatePrimaryOutput extends CreationOutput {
  readonly objectHandle: KeyHandle;
}

/** Input of TPM2_Create. */
export interface CreateInput extends CreationInput {
  readonly parentHandle: KeyHandle;
}

/** Output of TPM2_Create. */
export interface CreateOutput extends CreationOutput {
  readonly outPrivate: Uint8Array;
}

/** Input of TPM2_Load. */
export interface LoadInput extends WithSessions {
  readonly parentHandle: KeyHandle;
  readonly inPrivate: Uint8Array;
  /** TPMT_PUBLIC. */
  readonly inPublic: Uint8Array;
}

/** Input of TPM2_LoadExternal. */
export interface LoadExternalInput extends WithSessions {
  readonly hierarchy: HierarchyHandle;
  /** TPMT_PUBLIC. */
  readonly inPublic: Uint8Array;
}

/** Output of TPM2_Load and TPM2_LoadExternal. */
export interface ObjectHandleOutput {
  readonly objectHandle: KeyHandle;
}

/** Input of TPM2_ReadPublic. */
export interface ReadPublicInput extends WithSessions {
  readonly objectHandle: KeyHandle;
}

/** Output of TPM2_ReadPublic. */
export interface ReadPublicOutput {
  /** TPMT_PUBLIC. */
  readonly outPublic: Uint8Array;
  readonly name: Uint8Array;
  readonly qualifiedName: Uint8Array;
}

/** Input of TPM2_ActivateCredential. The first session authorizes the activated key, the second the EK. */
export interface ActivateCredentialInput extends WithSessions {
  readonly activateHandle: KeyHandle;
  readonly keyHandle: KeyHandle;
  /** TPMS_ID_OBJECT: the TPM2B_ID_OBJECT without its size. */
  readonly credentialBlob: Uint8Array;
  readonly secret: Uint8Array;
}

/** Output of TPM2_ActivateCredential. */
export interface ActivateCredentialOutput {
  /** Secret; the addon has wiped its own copies. */
  readonly certInfo: Uint8Array;
}

/** Input of TPM2_GetRandom. */
export interface GetRandomInput extends WithSessions {
  readonly bytesRequested: number;
}

/** Input of TPM2_GetCapability. */
export interface GetCapabilityInput extends WithSessions {
  /** TPM_CAP. */
  readonly capability: number;
  readonly property: number;
  readonly propertyCount: number;
}

/** Output of TPM2_GetCapability. */
export interface GetCapabilityOutput {
  readonly moreData: boolean;
  /** TPMS_CAPABILITY_DATA. */
  readonly capabilityData: Uint8Array;
}

/** Input of TPM2_Quote. */
export interface QuoteInput extends WithSessions {
  readonly signHandle: KeyHandle;
  readonly qualifyingData: Uint8Array;
  /** TPMT_SIG_SCHEME. */
  readonly inScheme: Uint8Array;
  /** TPML_PCR_SELECTION. */
  readonly pcrSelect: Uint8Array;
}

/** Output of TPM2_Quote. */
export interface QuoteOutput {
  /** TPMS_ATTEST: exactly the signed bytes. */
  readonly quoted: Uint8Array;
  /** TPMT_SIGNATURE. */
  readonly signature: Uint8Array;
}

/** Input of TPM2_CertifyCreation. */
export interface CertifyCreationInput extends WithSessions {
  readonly signHandle: KeyHandle;
  /** The object whose creation is certified; it needs no authorization. */
  readonly objectHandle: KeyHandle;
  readonly qualifyingData: Uint8Array;
  readonly creationHash: Uint8Array;
  /** TPMT_SIG_SCHEME. */
  readonly inScheme: Uint8Array;
  /** TPMT_TK_CREATION. */
  readonly creationTicket: Uint8Array;
}

/** Output of TPM2_CertifyCreation. */
export interface CertifyCreationOutput {
  /** TPMS_ATTEST: exactly the signed bytes. */
  readonly certifyInfo: Uint8Array;
  /** TPMT_SIGNATURE. */
  readonly signature: Uint8Array;
}

/** Input of TPM2_PCR_Read. */
export interface PcrReadInput extends WithSessions {
  /** TPML_PCR_SELECTION. */
  readonly pcrSelectionIn: Uint8Array;
}

/** Output of TPM2_PCR_Read. */
export interface PcrReadOutput {
  readonly pcrUpdateCounter: number;
  /** TPML_PCR_SELECTION: the PCRs that the TPM read, which may be fewer than requested. */
  readonly pcrSelectionOut: Uint8Array;
  /** TPML_DIGEST. */
  readonly pcrValues: Uint8Array;
}

/** Input of TPM2_PolicySecret. */
export interface PolicySecretInput extends WithSessions {
  readonly authHandle: EntityHandle;
  readonly policySession: SessionHandle;
  readonly nonceTPM: Uint8Array;
  readonly cpHashA: Uint8Array;
  readonly policyRef: Uint8Array;
  /** Seconds; negative asks for a ticket. */
  readonly expiration: number;
}

/** Output of TPM2_PolicySecret. */
export interface PolicySecretOutput {
  readonly timeout: Uint8Array;
  /** TPMT_TK_AUTH. */
  readonly policyTicket: Uint8Array;
}

/** Input of TPM2_PolicyOR. */
export interface PolicyOrInput extends WithSessions {
  readonly policySession: SessionHandle;
  /** TPML_DIGEST. */
  readonly pHashList: Uint8Array;
}

/** Input of TPM2_PolicyGetDigest. */
export interface PolicyGetDigestInput extends WithSessions {
  readonly policySession: SessionHandle;
}

/** Input of TPM2_NV_ReadPublic. */
export interface NvReadPublicInput extends WithSessions {
  readonly nvIndex: NvHandle;
}

/** Output of TPM2_NV_ReadPublic. */
export interface NvReadPublicOutput {
  /** TPMS_NV_PUBLIC. */
  readonly nvPublic: Uint8Array;
  readonly nvName: Uint8Array;
}

/** Input of TPM2_NV_Read. */
export interface NvReadInput extends WithSessions {
  readonly authHandle: EntityHandle;
  readonly nvIndex: NvHandle;
  /** Bytes. */
  readonly size: number;
  /** Bytes. */
  readonly offset: number;
}

/** Any ESYS object. */
export type Resource = EntityHandle | SessionHandle;

export interface NativeContext {
  activateCredential(input: ActivateCredentialInput): Promise<ActivateCredentialOutput>;
  certifyCreation(input: CertifyCreationInput): Promise<CertifyCreationOutput>;
  contextLoad(input: { readonly context: Uint8Array }): Promise<{ readonly loadedHandle: KeyHandle }>;
  /** `context` is a TPMS_CONTEXT. ESYS has added what it knows about the object to its blob. */
  contextSave(input: { readonly saveHandle: KeyHandle }): Promise<{ readonly context: Uint8Array }>;
  create(input: CreateInput): Promise<CreateOutput>;
  createPrimary(input: CreatePrimaryInput): Promise<CreatePrimaryOutput>;
  flushContext(input: { readonly flushHandle: KeyHandle | SessionHandle }): Promise<void>;
  getCapability(input: GetCapabilityInput): Promise<GetCapabilityOutput>;
  getRandom(input: GetRandomInput): Promise<{ readonly randomBytes: Uint8Array }>;
  load(input: LoadInput): Promise<ObjectHandleOutput>;
  loadExternal(input: LoadExternalInput): Promise<ObjectHandleOutput>;
  nvRead(input: NvReadInput): Promise<{ readonly data: Uint8Array }>;
  nvReadPublic(input: NvReadPublicInput): Promise<NvReadPublicOutput>;
  pcrRead(input: PcrReadInput): Promise<PcrReadOutput>;
  policyGetDigest(input: PolicyGetDigestInput): Promise<{ readonly policyDigest: Uint8Array }>;
  policyOr(input: PolicyOrInput): Promise<void>;
  policySecret(input: PolicySecretInput): Promise<PolicySecretOutput>;
  quote(input: QuoteInput): Promise<QuoteOutput>;
  readPublic(input: ReadPublicInput): Promise<ReadPublicOutput>;
  startAuthSession(input: StartAuthSessionInput): Promise<{ readonly sessionHandle: SessionHandle }>;
  /** Sends TPM2_ReadPublic or TPM2_NV_ReadPublic; the range of `tpmHandle` tells which. */
  trFromTpmPublic<Kind extends KeyHandle | NvHandle>(
    input: WithSessions & { readonly tpmHandle: number },
  ): Promise<{ readonly object: Kind }>;

  sessionGetAttributes(input: { readonly session: SessionHandle }): number;
  sessionSetAttributes(input: { readonly session: SessionHandle; readonly flags: number; readonly mask: number }): void;
  trClose(input: { readonly object: Resource }): void;
  trDeserialize<Kind extends KeyHandle | NvHandle>(input: { readonly serialized: Uint8Array }): Kind;
  trGetName(input: { readonly object: Resource }): Uint8Array;
  trGetTpmHandle(input: { readonly object: Resource }): number;
  trSerialize(input: { readonly object: KeyHandle | NvHandle }): Uint8Array;
  trSetAuth(input: { readonly object: EntityHandle; readonly authValue: Uint8Array }): void;

  /** Pairs of a TPM_CC and the number of its commands sent so far. Commands that ESYS sends by itself count, too. */
  commandCounts(): readonly (readonly [code: number, count: number])[];
  /** Drops the context. A command in flight still completes. Idempotent. */
  close(): void;
}

export interface NativeAddon {
  /**
   * Opens the TPM. It returns a promise because connecting may take time.
   *
   * @param tcti a TCTI configuration string of tpm2-tss
   * @param kept a keeper process holds the connection. It flushes what is still loaded when this process ends.
   */
  open(tcti: string, kept: boolean): Promise<NativeContext>;
  /**
   * Calls `_exit`: it runs no exit handlers, and does not wait for a thread that the TPM blocks.
   *
   * @param patienceMs longest wait for the keepers to flush what is still loaded
   */
  exitProcess(code: number, patienceMs: number): never;
}
