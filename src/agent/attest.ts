/** Attests a machine: sends its keys to the server, and answers the server's challenge with the TPM. */

import { equalBytes } from '../bytes/bytes.ts';
import type { Wire } from '../evidence/wires.ts';
import type { TpmCommands } from '../tpm/device/commands.ts';
import { TpmError } from '../tpm/device/errors.ts';
import type { KeyHandle, SessionHandle } from '../tpm/device/handles.ts';
import type { CreatePrimaryOutput } from '../tpm/device/native-context.ts';
import { Queue } from '../tpm/device/queue.ts';
import { cleanUpOf } from '../tpm/device/resource-manager.ts';
import { keyAlgorithmName } from '../tpm/public-key.ts';
import { decode } from '../tpm/structures/codec.ts';
import { tpmtPublic } from '../tpm/structures/public.ts';
import { type AkMaker, makePrimaryAk } from './ak-maker.ts';
import { type CertificateFile, readCertificateFile } from './endorsement/ek-certificate-file.ts';
import { type Endorsement, EndorsementError, type KeyChoice, loadEndorsement } from './endorsement/load-endorsement.ts';
import { flushTwins } from './leftovers.ts';
import { BOOT_LOG_FILES, type BootLogFiles, type ReadBootLog, readBootLogs } from './logs/boot-log-files.ts';
import { HierarchyPasswords } from './passwords/hierarchy-passwords.ts';
import { activate, startEkSession } from './session.ts';
import { isFull, TpmHoldings } from './tpm-holdings.ts';
import type { AgentWire, Question } from './wires/agent-wire.ts';
import { pluginWire } from './wires/legacy-wire.ts';
import { QuotingWire } from './wires/quoting-wire.ts';

/** Everything but `trustDomain` and `tcti` has a default. */
export interface AttestorOptions {
  /** From the agent's own configuration, never from a challenge. */
  readonly trustDomain: string;
  /** Returns the TCTI string of tpm2-tss. Called at each attestation. */
  readonly tcti: () => string;
  /** Default `auto`. */
  readonly ek?: KeyChoice;
  /** Default `ecc`. */
  readonly ak?: KeyChoice;
  /** File of the EK certificate, which decides the key to use. Read at each attestation. */
  readonly ekCertificatePath?: string | undefined;
  readonly passwords?: HierarchyPasswords;
  /** Default `tpm-attestor`. */
  readonly wire?: Wire;
  /** Where the boot logs lie. Default: where the kernel and systemd have them. */
  readonly bootLogs?: BootLogFiles;
  /** Default: the primary key of the trust domain. */
  readonly makeAk?: AkMaker;
  /** Attestors of one process must share it, because they share the TPM. */
  readonly queue?: Queue;
}

/** Sends the payload to the server and returns the server's challenge. */
export type Exchange = (payload: Uint8Array) => Promise<Uint8Array>;

/** Options of one attestation. */
export interface AttestOptions {
  readonly signal?: AbortSignal;
  /** Called after the TPM was closed for the last time, with the number of commands by name. */
  readonly onClosed?: (commands: ReadonlyMap<string, number>) => void;
}

/** The result on the agent's side. The server decides afterwards whether it trusts the machine. */
export interface Attestation {
  /** The message to send to the server. It contains the decrypted secret. */
  readonly response: Uint8Array;
  /** The boot logs that the server will ask for, read after the quote; see `answerLogRequest`. */
  readonly logs: readonly ReadBootLog[];
  readonly wire: Wire;
  readonly endorsement: Endorsement;
  /** `ecc-P-256` */
  readonly akAlgorithm: string;
  /** False when this attestation had to find or make the keys. */
  readonly warm: boolean;
  /** Number of commands sent, by name. */
  readonly commands: ReadonlyMap<string, number>;
}

/** What later attestations reuse. It is not secret, and it is not stored outside the process. */
interface Facts {
  readonly endorsement: Endorsement;
  /** The file that decided the key. */
  readonly certificateFile: CertificateFile | undefined;
  /** The serialized ESYS object of a persistent key, or the saved context of a created one. */
  readonly ek: { readonly serialized: Uint8Array } | { readonly context: Uint8Array };
  readonly akContext: Uint8Array;
  /** TPMT_PUBLIC. */
  readonly akPublic: Uint8Array;
  readonly payload: Uint8Array;
}

interface LoadedKeys {
  readonly ek: KeyHandle;
  readonly ak: KeyHandle;
}

interface Loaded extends LoadedKeys {
  readonly endorsement: Endorsement;
  readonly session: SessionHandle;
}

interface Discovery {
  readonly facts: Facts;
  readonly loaded: LoadedKeys;
}

type Answer = Omit<Attestation, 'commands' | 'logs' | 'warm'>;

/** Attests one machine to one trust domain, one attestation after another. */
export class Attestor {
  readonly #options: Required<Omit<AttestorOptions, 'wire'>>;
  readonly #wire: AgentWire;
  #facts: Facts | undefined;

  constructor({ wire = 'tpm-attestor', ...options }: AttestorOptions) {
    const passwords = new HierarchyPasswords();
    const defaults = { ek: 'auto', ak: 'ecc', passwords, makeAk: makePrimaryAk, ekCertificatePath: undefined } as const;
    this.#options = { ...defaults, bootLogs: BOOT_LOG_FILES, queue: new Queue(), ...options };
    this.#wire = wire === 'tpm-attestor' ? new QuotingWire(options.trustDomain) : pluginWire(options.trustDomain);
  }

  /**
   * Opens the TPM to find the keys, unless they are known, and to answer the challenge. While `exchange` waits for the
   * server, the TPM is closed and nothing is loaded. `onClosed` is called after the TPM was closed for the last time,
   * also after a failure. It gets no commands when the keys were known and the server refused the payload.
   *
   * When `signal` aborts, this rejects at once with its reason. Other attestations still wait until the TPM has
   * answered the current command, the loaded keys are flushed, and the TPM is closed.
   *
   * @throws AgentError, and what `exchange` throws
   */
  attest(exchange: Exchange, { signal, onClosed }: AttestOptions = {}): Promise<Attestation> {
    const holdings = new TpmHoldings(this.#options, signal);
    const work = this.#attest(exchange, holdings).finally(() => onClosed?.(holdings.commands));
    return holdings.unlessAborted(work);
  }

  async #attest(exchange: Exchange, holdings: TpmHoldings): Promise<Attestation> {
    const { ekCertificatePath: path } = this.#options;
    const certificateFile = path === undefined ? undefined : await readCertificateFile(path);
    const prepared = await holdings.inTurn(async () => {
      if (this.#facts !== undefined && sameCertificates(this.#facts.certificateFile, certificateFile))
        return { facts: this.#facts, warm: true };
      return { facts: await this.#hold(holdings, (run) => this.#prepare(run, certificateFile)), warm: false };
    });
    // A copy, so that `exchange` cannot change the payload of later attestations.
    const challenge = await holdings.unlessAborted(exchange(prepared.facts.payload.slice()));
    const question = this.#wire.read(challenge);
    const { reloaded, ...answer } = await holdings.inTurn(() =>
      this.#hold(holdings, (run) => this.#answer(run, prepared.facts, question)),
    );
    const logs = await readBootLogs(question.logs, this.#options.bootLogs, holdings.signal);
    return { ...answer, logs, warm: prepared.warm && reloaded, commands: holdings.commands };
  }

  async #hold<T>(holdings: TpmHoldings, work: (run: TpmCommands) => Promise<T>): Promise<T> {
    try {
      return await holdings.hold(work);
    } catch (error) {
      if ((error instanceof TpmError && !isFull(error)) || error instanceof EndorsementError) this.#facts = undefined;
      throw error;
    }
  }

  /** Finds the keys and makes the payload. Leaves nothing loaded. */
  async #prepare(run: TpmCommands, certificateFile: CertificateFile | undefined): Promise<Facts> {
    const { facts, loaded } = await this.#discover(run, certificateFile);
    await run.release(loaded.ak);
    await run.release(loaded.ek);
    this.#facts = facts;
    return facts;
  }

  async #discover(run: TpmCommands, certificateFile: CertificateFile | undefined): Promise<Discovery> {
    const { ek: ekChoice, ak: choice, passwords, makeAk, tcti } = this.#options;
    const search = { names: this.#wire.ekTemplates, certificateFile };
    const { endorsement, object } = await loadEndorsement(run, ekChoice, passwords, search);
    const makeBeside = async (saltKey: KeyHandle | undefined): Promise<CreatePrimaryOutput> => {
      const ak = await makeAk(run, { choice, purpose: this.#wire.akPurpose, passwords, saltKey });
      const held = saltKey === undefined ? [] : [saltKey];
      if (cleanUpOf(tcti()) !== 'manager') await flushTwins(run, ak.objectHandle, held);
      return ak;
    };
    let ek = object;
    const ak = await makeBeside(ek).catch(async (error) => {
      if (!isFull(error) || endorsement.persistentHandle !== undefined) throw error;
      // An AK left behind by a killed agent may hold the slot. Finding it needs the Name of a newly made AK.
      const { context } = await run.contextSave({ saveHandle: ek });
      await run.release(ek);
      const alone = await makeBeside(undefined);
      ek = (await run.contextLoad({ context })).loadedHandle;
      return alone;
    });
    const payload = await this.#wire.payload(run, endorsement, ak);
    const facts: Facts = {
      endorsement,
      certificateFile,
      ek:
        endorsement.persistentHandle === undefined
          ? { context: (await run.contextSave({ saveHandle: ek })).context }
          : { serialized: await run.trSerialize({ object: ek }) },
      akContext: (await run.contextSave({ saveHandle: ak.objectHandle })).context,
      akPublic: ak.outPublic,
      payload,
    };
    return { facts, loaded: { ek, ak: ak.objectHandle } };
  }

  /** When this fails, `exclusive` flushes what is still loaded. */
  async #answer(run: TpmCommands, facts: Facts, question: Question): Promise<Answer & { readonly reloaded: boolean }> {
    const { akPublic, payload } = facts;
    const reloaded = await reload(run, facts);
    const { endorsement, ek, ak, session } = reloaded ?? (await this.#again(run, facts));
    const { credentialBlob, encryptedSecret } = question;
    const activation = { session, ek, endorsement, ak, credentialBlob, encryptedSecret };
    const secret = await activate(run, activation, this.#options.passwords);
    try {
      // Free the slot before the quote. A persistent key takes no slot, and `release` sends nothing for it.
      await run.release(ek);
      const response = await question.answer(run, { secret, ak, akPublic, payload });
      await run.release(ak);
      const akAlgorithm = keyAlgorithmName(decode(tpmtPublic, akPublic));
      return { response, wire: this.#wire.name, endorsement, akAlgorithm, reloaded: reloaded !== undefined };
    } finally {
      secret.fill(0);
    }
  }

  /**
   * Finds the keys of the payload again, after the TPM was reset or cleared, or a key was evicted.
   *
   * @throws EndorsementError when the TPM now has other keys, for which the challenge was not made
   */
  async #again(run: TpmCommands, { endorsement, akPublic, certificateFile }: Facts): Promise<Loaded> {
    this.#facts = undefined;
    const { facts, loaded } = await this.#discover(run, certificateFile);
    this.#facts = facts;
    if (!equalBytes(facts.endorsement.name, endorsement.name) || !equalBytes(facts.akPublic, akPublic))
      throw new EndorsementError(
        'the TPM no longer has the keys that this agent sent to the server: it was cleared or replaced meanwhile; attest again',
      );
    const session = await startEkSession(run, loaded.ek, facts.endorsement);
    return { endorsement: facts.endorsement, ...loaded, session };
  }
}

function sameCertificates(known: CertificateFile | undefined, now: CertificateFile | undefined): boolean {
  const [before = [], after = []] = [known?.certificates, now?.certificates];
  return before.length === after.length && before.every((der, i) => equalBytes(der, after[i] ?? new Uint8Array()));
}

/** Loads the known keys. Undefined when the TPM refuses them: it was reset or cleared, or a key was evicted. */
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
    return { endorsement, ek, ak, session: await startEkSession(run, ek, endorsement) };
  } catch (error) {
    if (!(error instanceof TpmError) || error.layer === 'tcti' || isFull(error)) throw error;
    for (const handle of loaded) await run.release(handle);
    return undefined;
  }
}
