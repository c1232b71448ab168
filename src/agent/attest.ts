/** Answers a server's challenge with what the TPM says. */
import { commitment } from '../evidence/binding.ts';
import { decodeChallenge, encodePayload, encodeResponse, PROTOCOL_VERSION } from '../evidence/messages.ts';
import { hex } from '../tpm/bytes.ts';
import type { TpmCommands } from '../tpm/commands.ts';
import { TpmError } from '../tpm/errors.ts';
import type { KeyHandle, SessionHandle } from '../tpm/handles.ts';
import { keyAlgorithmName } from '../tpm/public-key.ts';
import { Queue } from '../tpm/queue.ts';
import { tpmsCapabilityData } from '../tpm/structures/capability.ts';
import { decode } from '../tpm/structures/codec.ts';
import { TPM_CAP } from '../tpm/structures/constants.ts';
import { MalformedError } from '../tpm/structures/malformed.ts';
import { PCR_COUNT, selectedPcrs, type TpmsPcrSelection, tpmlPcrSelection } from '../tpm/structures/pcr.ts';
import { tpmtPublic } from '../tpm/structures/public.ts';
import { Tpm } from '../tpm/tpm.ts';
import { type AkMaker, makePrimaryAk } from './attestation-key.ts';
import { type Endorsement, EndorsementError, type KeyChoice, loadEndorsement } from './endorsement.ts';
import { HierarchyPasswords } from './hierarchy-passwords.ts';
import { quotePcrs, signingHash } from './quote.ts';
import { activate, startEkSession } from './session.ts';

export interface AttestorOptions {
  /** The agent's own, by its configuration; never the one a challenge names. */
  readonly trustDomain: string;
  /** TCTI string of tpm2-tss, asked for at each attestation. */
  readonly tcti: () => string;
  /** Default `auto`. */
  readonly ek?: KeyChoice;
  /** Default `ecc`. */
  readonly ak?: KeyChoice;
  readonly passwords?: HierarchyPasswords;
  /** Default: the primary key of the trust domain. */
  readonly makeAk?: AkMaker;
}

/** Sends a payload to the server and answers its challenge. */
export type Exchange = (payload: Uint8Array) => Promise<Uint8Array>;

export interface AttestOptions {
  readonly signal?: AbortSignal;
  readonly onClosed?: (commands: ReadonlyMap<string, number>) => void;
}

export interface Attestation {
  /** ChallengeResponse, encoded. Holds the opened secret. */
  readonly response: Uint8Array;
  readonly endorsement: Endorsement;
  /** `ecc-P-256` */
  readonly akAlgorithm: string;
  /** False when keys had to be looked for or made. */
  readonly warm: boolean;
  /** Commands sent, by name, from opening to closing the TPM. */
  readonly commands: ReadonlyMap<string, number>;
}

/** What one attestation finds out and the next need not; none of it is secret, none of it outlives the process. */
interface Facts {
  readonly endorsement: Endorsement;
  /** A persistent key as ESYS knows it, or the context of one that was created. */
  readonly ek: { readonly serialized: Uint8Array } | { readonly context: Uint8Array };
  readonly akContext: Uint8Array;
  readonly akAlgorithm: string;
  /** TPM_ALG_ID. */
  readonly akHash: number;
  readonly payload: Uint8Array;
}

interface Loaded {
  readonly ek: KeyHandle;
  readonly ak: KeyHandle;
  readonly session: SessionHandle;
}

type Answer = Omit<Attestation, 'commands'>;

/** Attests one machine to one trust domain, one attestation after another. */
export class Attestor {
  readonly #options: Required<AttestorOptions>;
  readonly #queue: Queue = new Queue();
  #facts: Facts | undefined;
  /** Values by PCR selection, as last quoted. */
  readonly #pcrValues: Map<string, readonly Uint8Array[]> = new Map();

  constructor(options: AttestorOptions) {
    this.#options = { ek: 'auto', ak: 'ecc', passwords: new HierarchyPasswords(), makeAk: makePrimaryAk, ...options };
  }

  /**
   * Opens the TPM, and closes it again before it resolves; `onClosed` is called then, also after a failure, with the
   * commands sent, by name. The TPM is held while `exchange` waits for the server.
   *
   * When `signal` aborts, this rejects at once with its reason. Other attestations still wait until the TPM has answered
   * the command that was under way, has been freed of what was loaded, and is closed.
   *
   * @throws TpmError, NativeUnavailableError, MalformedError for a challenge that cannot be read, EndorsementError,
   * PasswordError, PcrError, and what `exchange` throws
   */
  attest(exchange: Exchange, options: AttestOptions = {}): Promise<Attestation> {
    return this.#queue.run((stop) => this.#attest(exchange, stop, options.onClosed), options.signal);
  }

  async #attest(exchange: Exchange, stop: AbortSignal, onClosed: AttestOptions['onClosed']): Promise<Attestation> {
    const tpm = await Tpm.open(this.#options.tcti());
    let answer: Answer;
    try {
      answer = await tpm.exclusive((run) => this.#operate(run, exchange), { signal: stop });
    } catch (error) {
      if (error instanceof TpmError || error instanceof EndorsementError) this.#forget();
      throw error;
    } finally {
      await tpm.close();
      onClosed?.(tpm.commandCounts());
    }
    return { ...answer, commands: tpm.commandCounts() };
  }

  async #operate(run: TpmCommands, exchange: Exchange): Promise<Answer> {
    const known = this.#facts;
    const reloaded = known === undefined ? undefined : await reload(run, known);
    if (known !== undefined && reloaded !== undefined) return this.#answer(run, known, reloaded, true, exchange);
    this.#forget();
    const { facts, loaded } = await this.#discover(run);
    this.#facts = facts;
    return this.#answer(run, facts, loaded, false, exchange);
  }

  async #discover(run: TpmCommands): Promise<{ readonly facts: Facts; readonly loaded: Loaded }> {
    const { trustDomain, ek: ekChoice, ak: choice, passwords, makeAk } = this.#options;
    const { endorsement, object: ek } = await loadEndorsement(run, ekChoice, passwords);
    const ak = await makeAk(run, { choice, trustDomain, passwords, saltKey: ek });
    const payload = encodePayload({
      versions: [PROTOCOL_VERSION],
      trustDomain,
      ekPublic: endorsement.publicArea,
      ekCertificates: endorsement.certificates,
      akPublic: ak.publicArea,
      pcrBanks: await allocatedBanks(run),
    });
    const facts: Facts = {
      endorsement,
      ek:
        endorsement.persistentHandle === undefined
          ? { context: (await run.contextSave({ saveHandle: ek })).context }
          : { serialized: await run.trSerialize({ object: ek }) },
      akContext: (await run.contextSave({ saveHandle: ak.object })).context,
      akAlgorithm: keyAlgorithmName(decode(tpmtPublic, ak.publicArea)),
      akHash: signingHash(ak.publicArea),
      payload,
    };
    return { facts, loaded: { ek, ak: ak.object, session: await startEkSession(run, ek, endorsement) } };
  }

  /** On failure `exclusive` flushes what is still loaded. */
  async #answer(
    run: TpmCommands,
    { endorsement, akAlgorithm, akHash, payload }: Facts,
    { ek, ak, session }: Loaded,
    warm: boolean,
    exchange: Exchange,
  ): Promise<Answer> {
    // A copy: who exchanges must not be able to change what later attestations send.
    const challengeBytes = await exchange(payload.slice());
    const { credentialBlob, encryptedSecret, selection } = readChallenge(challengeBytes);

    const activation = { session, ek, endorsement, ak, credentialBlob, encryptedSecret };
    const secret = await activate(run, activation, this.#options.passwords);
    try {
      // Before the quote: the TPM has few slots. A persistent key has none, and nothing is sent.
      await run.release(ek);
      const qualifyingData = commitment(this.#options.trustDomain, payload, challengeBytes);
      const key = `${selection.hash}:${hex(selection.pcrSelect)}`;
      const request = { ak, hash: akHash, qualifyingData, selection };
      const { quoted, signature, values } = await quotePcrs(run, request, this.#pcrValues.get(key));
      await run.release(ak);
      // One selection is all a server asks for in practice.
      this.#pcrValues.clear();
      this.#pcrValues.set(key, values);
      const response = encodeResponse({ secret, quoted, signature, pcrValues: values });
      return { response, endorsement, akAlgorithm, warm };
    } finally {
      secret.fill(0);
    }
  }

  #forget(): void {
    this.#facts = undefined;
    this.#pcrValues.clear();
  }
}

/** Undefined when the TPM no longer takes what was kept: it was reset or cleared, or a key was evicted. */
async function reload(run: TpmCommands, { endorsement, ek: kept, akContext }: Facts): Promise<Loaded | undefined> {
  const loaded: KeyHandle[] = [];
  const fromContext = async (context: Uint8Array): Promise<KeyHandle> => {
    const { loadedHandle } = await run.contextLoad({ context });
    loaded.push(loadedHandle);
    return loadedHandle;
  };
  try {
    const ak = await fromContext(akContext);
    const ek =
      'context' in kept
        ? await fromContext(kept.context)
        : await run.keyFromSerialized({ serialized: kept.serialized });
    return { ek, ak, session: await startEkSession(run, ek, endorsement) };
  } catch (error) {
    if (!(error instanceof TpmError) || error.layer === 'tcti') throw error;
    for (const handle of loaded) await run.release(handle);
    return undefined;
  }
}

/** TPM_ALG_ID of each allocated PCR bank. */
export async function allocatedBanks(run: TpmCommands): Promise<readonly number[]> {
  const query = { capability: TPM_CAP.PCRS, property: 0, propertyCount: 1 };
  const answer = decode(tpmsCapabilityData, (await run.getCapability(query)).capabilityData);
  // A bank that is not allocated is listed with no PCR.
  return answer.capability === 'pcrs'
    ? answer.data.filter((bank) => selectedPcrs(bank).length > 0).map((b) => b.hash)
    : [];
}

interface ReadChallenge {
  readonly credentialBlob: Uint8Array;
  readonly encryptedSecret: Uint8Array;
  readonly selection: TpmsPcrSelection;
}

/** @throws MalformedError */
function readChallenge(bytes: Uint8Array): ReadChallenge {
  const { version, credentialBlob, encryptedSecret, pcrSelection } = decodeChallenge(bytes);
  if (version !== PROTOCOL_VERSION) throw new MalformedError('Challenge.version', 0, `${version} is not offered`);
  const banks = decode(tpmlPcrSelection, pcrSelection);
  const [selection] = banks;
  const indices = selection === undefined ? [] : selectedPcrs(selection);
  if (selection === undefined || banks.length > 1 || indices.length === 0 || indices.some((i) => i >= PCR_COUNT)) {
    throw new MalformedError('Challenge.pcrSelection', 0, `not PCRs 0 to ${PCR_COUNT - 1} of one bank`);
  }
  return { credentialBlob, encryptedSecret, selection };
}
