/**
 * The TPM commands of one exclusive operation. Each takes a record and answers a record, with the field names of TPM
 * 2.0 Library Part 3.
 *
 * Structures are bytes in wire form (`encode`/`decode` of `structures/codec.ts`); a TPM2B of bytes is given without its
 * size. The caller names the sessions of each command. Failures are `TpmError`. After an abort every command rejects
 * with the abort reason; only `release` still works.
 */

import { tpmlDigest, tpmsSensitiveCreate } from '../structures/buffers.ts';
import { decode, encode } from '../structures/codec.ts';
import { TPM_ALG } from '../structures/constants.ts';
import { tpmlPcrSelection } from '../structures/pcr.ts';
import { symDefObject } from '../structures/scheme.ts';
import { type EntityHandle, ESYS_TR, type KeyHandle, type NvHandle, type SessionHandle } from './handles.ts';
import type {
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
} from './native-context.ts';
import type { LoadedHandle, Runner } from './runner.ts';

/** `T` with the named fields optional; the command has defaults for them. */
export type Defaulted<T, Field extends keyof T> = Omit<T, Field> & Partial<Pick<T, Field>>;
/** Fields of TPM2_Create and TPM2_CreatePrimary with a default: no data, no password, no PCRs. */
export type CreationDefaults = 'inSensitive' | 'outsideInfo' | 'creationPCR';

const NOTHING: Uint8Array = new Uint8Array();
const CREATION: Pick<CreateInput, CreationDefaults> = {
  inSensitive: encode(tpmsSensitiveCreate, { userAuth: NOTHING, data: NOTHING }),
  outsideInfo: NOTHING,
  creationPCR: encode(tpmlPcrSelection, []),
};
/** TPMT_SIG_SCHEME of TPM_ALG_NULL: the key's own scheme. */
const KEY_SCHEME = Uint8Array.of(TPM_ALG.NULL >> 8, TPM_ALG.NULL);
/** TPMT_SYM_DEF; for a block cipher it has the same bytes as TPMT_SYM_DEF_OBJECT. */
const AES_128_CFB = encode(symDefObject, { algorithm: TPM_ALG.AES, keyBits: 128, mode: TPM_ALG.CFB });

/** The commands of one exclusive operation. Each rejects with a `TpmError` when the TPM or tpm2-tss refuses. */
export class TpmCommands {
  readonly #run: Runner;

  constructor(runner: Runner) {
    this.#run = runner;
  }

  // Sessions

  /** Defaults: unsalted, unbound, SHA-256, parameters encrypted with AES-128-CFB where the session asks for it. */
  startAuthSession(
    input: Defaulted<StartAuthSessionInput, 'sessions' | 'tpmKey' | 'bind' | 'symmetric' | 'authHash'>,
  ): Promise<{ readonly sessionHandle: SessionHandle }> {
    const record: StartAuthSessionInput = {
      sessions: [],
      tpmKey: ESYS_TR.NONE,
      bind: ESYS_TR.NONE,
      symmetric: AES_128_CFB,
      authHash: TPM_ALG.SHA256,
      ...input,
    };
    return this.#run.send((native) => native.startAuthSession(record), {
      sessions: record.sessions,
      loads: (output) => output.sessionHandle,
    });
  }

  /** TPMA_SESSION. Without `continueSession`, the session ends with the next command that uses it. */
  sessionAttributes(input: { readonly session: SessionHandle }): Promise<number> {
    return this.#run.send((native) => native.sessionGetAttributes(input));
  }

  /** Sets each attribute in `mask` to its value in `flags`. */
  setSessionAttributes(input: {
    readonly session: SessionHandle;
    readonly flags: number;
    readonly mask: number;
  }): Promise<void> {
    return this.#run.send((native) => native.sessionSetAttributes(input));
  }

  // Objects

  /** TPM2_CreatePrimary. The key stays loaded until `release`. */
  createPrimary(input: Defaulted<CreatePrimaryInput, CreationDefaults>): Promise<CreatePrimaryOutput> {
    return this.#run.send((native) => native.createPrimary({ ...CREATION, ...input }), {
      sessions: input.sessions,
      loads: (output) => output.objectHandle,
    });
  }

  /** TPM2_Create. `outPrivate` is encrypted to the parent; nothing is loaded. */
  create(input: Defaulted<CreateInput, CreationDefaults>): Promise<CreateOutput> {
    return this.#run.send((native) => native.create({ ...CREATION, ...input }), { sessions: input.sessions });
  }

  /** TPM2_Load. The object stays loaded until `release`. */
  load(input: LoadInput): Promise<ObjectHandleOutput> {
    return this.#run.send((native) => native.load(input), {
      sessions: input.sessions,
      loads: (output) => output.objectHandle,
    });
  }

  /** TPM2_LoadExternal, for a public area only. The object stays loaded until `release`. */
  loadExternal(input: Defaulted<LoadExternalInput, 'sessions'>): Promise<ObjectHandleOutput> {
    return this.#run.send((native) => native.loadExternal({ sessions: [], ...input }), {
      sessions: input.sessions,
      loads: (output) => output.objectHandle,
    });
  }

  /** TPM2_ReadPublic. */
  readPublic(input: Defaulted<ReadPublicInput, 'sessions'>): Promise<ReadPublicOutput> {
    return this.#run.send((native) => native.readPublic({ sessions: [], ...input }), { sessions: input.sessions });
  }

  /** TPM2_ActivateCredential. `certInfo` is secret: wipe it after use. */
  activateCredential(input: ActivateCredentialInput): Promise<ActivateCredentialOutput> {
    return this.#run.send((native) => native.activateCredential(input), { sessions: input.sessions });
  }

  // Contexts

  /** Flushes `handle` unless it is gone already. It still works after an abort. */
  release(handle: LoadedHandle): Promise<void> {
    return this.#run.release(handle);
  }

  /** TPM2_FlushContext. For a handle that may be gone, use `release`. */
  flushContext(input: { readonly flushHandle: LoadedHandle }): Promise<void> {
    return this.#run.send((native) => native.flushContext(input), { flushes: input.flushHandle });
  }

  /** The object stays loaded. `contextLoad` accepts `context` on the same TPM until the next reset or clear. */
  contextSave(input: { readonly saveHandle: KeyHandle }): Promise<{ readonly context: Uint8Array }> {
    return this.#run.send((native) => native.contextSave(input));
  }

  /** @throws RangeError unless `context` is of a transient object. */
  async contextLoad(input: { readonly context: Uint8Array }): Promise<{ readonly loadedHandle: KeyHandle }> {
    // TPMS_CONTEXT: UINT64 sequence, then savedHandle, whose first byte is the handle type (Part 2, 14.5).
    expectHandleType(input.context[8], [0x80], 'a saved object');
    return this.#run.send((native) => native.contextLoad(input), { loads: (output) => output.loadedHandle });
  }

  // Policies

  /** TPM2_PolicySecret. Defaults: no nonce, no command, no reference, no expiration. */
  policySecret(
    input: Defaulted<PolicySecretInput, 'nonceTPM' | 'cpHashA' | 'policyRef' | 'expiration'>,
  ): Promise<PolicySecretOutput> {
    const defaults = { nonceTPM: NOTHING, cpHashA: NOTHING, policyRef: NOTHING, expiration: 0 };
    return this.#run.send((native) => native.policySecret({ ...defaults, ...input }), { sessions: input.sessions });
  }

  /** TPM2_PolicyOR. `pHashList` has two to eight digests. */
  async policyOr(
    input: Omit<Defaulted<PolicyOrInput, 'sessions'>, 'pHashList'> & { readonly pHashList: readonly Uint8Array[] },
  ): Promise<void> {
    const pHashList = encode(tpmlDigest, input.pHashList);
    await this.#run.send((native) => native.policyOr({ sessions: [], ...input, pHashList }), {
      sessions: input.sessions,
    });
  }

  /** TPM2_PolicyGetDigest: the digest of the policy session so far. */
  policyGetDigest(input: Defaulted<PolicyGetDigestInput, 'sessions'>): Promise<{ readonly policyDigest: Uint8Array }> {
    return this.#run.send((native) => native.policyGetDigest({ sessions: [], ...input }), { sessions: input.sessions });
  }

  // Attestation and PCRs

  /** TPM2_Quote. Default scheme: the key's own. */
  quote(input: Defaulted<QuoteInput, 'inScheme'>): Promise<QuoteOutput> {
    return this.#run.send((native) => native.quote({ inScheme: KEY_SCHEME, ...input }), { sessions: input.sessions });
  }

  /**
   * Certifies that this TPM made `objectHandle` with its creation data. Default: the key's own scheme, no qualifying
   * data.
   */
  certifyCreation(
    input: Defaulted<CertifyCreationInput, 'inScheme' | 'qualifyingData'>,
  ): Promise<CertifyCreationOutput> {
    const defaults = { inScheme: KEY_SCHEME, qualifyingData: NOTHING };
    return this.#run.send((native) => native.certifyCreation({ ...defaults, ...input }), { sessions: input.sessions });
  }

  /** TPM2_PCR_Read. The TPM answers at most eight PCRs; `pcrSelectionOut` tells which. */
  async pcrRead(
    input: Defaulted<PcrReadInput, 'sessions'>,
  ): Promise<Omit<PcrReadOutput, 'pcrValues'> & { readonly pcrValues: readonly Uint8Array[] }> {
    const output = await this.#run.send((native) => native.pcrRead({ sessions: [], ...input }), {
      sessions: input.sessions,
    });
    return { ...output, pcrValues: decode(tpmlDigest, output.pcrValues) };
  }

  // Non-volatile memory

  /** TPM2_NV_ReadPublic. */
  nvReadPublic(input: Defaulted<NvReadPublicInput, 'sessions'>): Promise<NvReadPublicOutput> {
    return this.#run.send((native) => native.nvReadPublic({ sessions: [], ...input }), { sessions: input.sessions });
  }

  /** TPM2_NV_Read, for at most TPM_PT_NV_BUFFER_MAX bytes. */
  nvRead(input: Defaulted<NvReadInput, 'offset'>): Promise<{ readonly data: Uint8Array }> {
    return this.#run.send((native) => native.nvRead({ offset: 0, ...input }), { sessions: input.sessions });
  }

  // The TPM itself

  /** TPM2_GetCapability. `moreData` is true when the TPM has more values of the same kind. */
  getCapability(input: Defaulted<GetCapabilityInput, 'sessions'>): Promise<GetCapabilityOutput> {
    return this.#run.send((native) => native.getCapability({ sessions: [], ...input }), { sessions: input.sessions });
  }

  /** The TPM may answer fewer bytes than requested. */
  getRandom(input: Defaulted<GetRandomInput, 'sessions'>): Promise<{ readonly randomBytes: Uint8Array }> {
    return this.#run.send((native) => native.getRandom({ sessions: [], ...input }), { sessions: input.sessions });
  }

  // ESYS objects: only keyFromTpm and nvFromTpm send a command, to read the public area

  /** An object that is in the TPM already, by its TPM handle. It stays there after the operation. */
  async keyFromTpm(input: { readonly tpmHandle: number }): Promise<KeyHandle> {
    expectHandleType(input.tpmHandle >>> 24, [0x80, 0x81], 'an object');
    const record = { ...input, sessions: [] };
    return (await this.#run.send((native) => native.trFromTpmPublic<KeyHandle>(record))).object;
  }

  /** An NV index that is in the TPM already. @throws RangeError for a handle of another type */
  async nvFromTpm(input: { readonly nvIndex: number }): Promise<NvHandle> {
    expectHandleType(input.nvIndex >>> 24, [0x01], 'an NV index');
    const record = { tpmHandle: input.nvIndex, sessions: [] };
    return (await this.#run.send((native) => native.trFromTpmPublic<NvHandle>(record))).object;
  }

  /** Saves what ESYS knows about the object (handle, public area, Name), so that it need not be read again. */
  trSerialize(input: { readonly object: KeyHandle | NvHandle }): Promise<Uint8Array> {
    return this.#run.send((native) => native.trSerialize(input));
  }

  /** The caller must have kept `serialized` safe from changes. @throws RangeError unless it is of a key */
  keyFromSerialized(input: { readonly serialized: Uint8Array }): Promise<KeyHandle> {
    return this.#run.send((native) => {
      const object = native.trDeserialize<KeyHandle>(input);
      try {
        expectHandleType(native.trGetTpmHandle({ object }) >>> 24, [0x80, 0x81], 'an object');
      } catch (error) {
        native.trClose({ object });
        throw error;
      }
      return object;
    });
  }

  /** Forgets the ESYS object and leaves the TPM unchanged. For a loaded object or session use `release`. */
  trClose(input: { readonly object: KeyHandle | NvHandle }): Promise<void> {
    return this.#run.send((native) => native.trClose(input));
  }

  /** Sets the authValue that ESYS uses for the entity. It does not change the TPM. Wipe `authValue` after use. */
  trSetAuth(input: { readonly object: EntityHandle; readonly authValue: Uint8Array }): Promise<void> {
    return this.#run.send((native) => native.trSetAuth(input));
  }

  /** The object's Name as ESYS knows it (Part 1, 16). */
  trGetName(input: { readonly object: Resource }): Promise<Uint8Array> {
    return this.#run.send((native) => native.trGetName(input));
  }

  /** The TPM's own handle. */
  trGetTpmHandle(input: { readonly object: Resource }): Promise<number> {
    return this.#run.send((native) => native.trGetTpmHandle(input));
  }
}

/** TPM_HT, the first byte of a TPM handle (Part 2, 7.2). */
function expectHandleType(type: number | undefined, allowed: readonly number[], what: string): void {
  if (type === undefined || !allowed.includes(type)) throw new RangeError(`the handle is not of ${what}`);
}
