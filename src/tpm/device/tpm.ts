/** An open TPM. */

import { commandName } from '../structures/command-code.ts';
import { TpmCommands } from './commands.ts';
import { TpmError } from './errors.ts';
import { nativeAddon } from './native.ts';
import type { NativeContext } from './native-context.ts';
import { Queue } from './queue.ts';
import { cleanUpOf } from './resource-manager.ts';
import { type Connection, type LoadedHandle, Runner } from './runner.ts';
import { refuseOtherFiles } from './tcti.ts';

/** An open TPM. `close` it, or declare it with `await using`. */
export class Tpm {
  /** The TCTI configuration string it was opened with. */
  readonly tcti: string;
  readonly #connection: Connection;
  readonly #queue = new Queue();
  #closing: Promise<void> | undefined;
  #lastCounts: ReadonlyMap<string, number> | undefined;

  private constructor(tcti: string, native: NativeContext) {
    this.tcti = tcti;
    this.#connection = { native, held: new Set<LoadedHandle>() };
  }

  /**
   * Connects to the TPM that `tcti` names, for example `device:/dev/tpmrm0` or `swtpm:path=/run/tpm.sock`.
   *
   * @throws NativeUnavailableError when the addon or tpm2-tss is missing
   * @throws TctiError when the string leads to a file that is no TPM
   * @throws TpmError when the TCTI is unknown or cannot connect
   */
  static async open(tcti: string): Promise<Tpm> {
    refuseOtherFiles(tcti);
    try {
      return new Tpm(tcti, await nativeAddon().open(tcti, cleanUpOf(tcti) === 'keeper'));
    } catch (thrown) {
      throw TpmError.from(thrown, `open ${tcti}`);
    }
  }

  /**
   * Runs `operation` with the TPM to itself; operations run one after another in the order asked.
   *
   * What the operation loads it must release, best by the scopes of `scope.ts`. If it fails or is aborted, what it still
   * holds is flushed for it; if it succeeds, what it kept stays until another operation releases it or the TPM is closed.
   *
   * When `signal` aborts before the operation began, it never does. When it aborts later the returned promise rejects at
   * once with the reason, as do the operation's own commands; a command already sent runs to its end, because a TPM
   * cannot be interrupted, and the next operation begins after that and after the flushing.
   *
   * ```ts
   * const { randomBytes } = await tpm.exclusive((run) => run.getRandom({ bytesRequested: 16 }));
   * ```
   *
   * @throws TypeError after `close`, and inside another operation on the same TPM
   */
  exclusive<T>(
    operation: (run: TpmCommands) => Promise<T>,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    return this.#queue.run((stop) => this.#operate(operation, stop), options.signal);
  }

  /** TPM commands transmitted so far, by name (`TPM2_Quote`): those that ESYS sends by itself count, too. */
  commandCounts(): ReadonlyMap<string, number> {
    return (
      this.#lastCounts ??
      new Map(this.#connection.native.commandCounts().map(([code, count]) => [commandName(code), count]))
    );
  }

  /**
   * Takes no more operations, drops those that wait, abandons the one that runs, lets the TPM answer, flushes what is
   * still loaded and disconnects. Idempotent. It cannot end before the TPM has answered; where that may be never, end the
   * process with `exitProcess`.
   */
  close(): Promise<void> {
    this.#closing ??= this.#disconnect();
    return this.#closing;
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #operate<T>(operation: (run: TpmCommands) => Promise<T>, stop: AbortSignal): Promise<T> {
    const runner = new Runner(this.#connection, stop);
    try {
      // Not waiting for an aborted operation: what it does besides TPM commands must not keep the TPM from others.
      return await unlessAborted(operation(new TpmCommands(runner)), stop);
    } catch (error) {
      await runner.rollBack();
      throw error;
    } finally {
      await runner.end();
    }
  }

  async #disconnect(): Promise<void> {
    const { native } = this.#connection;
    await this.#queue.close(Object.assign(new TypeError('the TPM is closed'), { code: 'ERR_TPM_CLOSED' }));
    const runner = new Runner(this.#connection, new AbortController().signal);
    await runner.releaseAll();
    this.#lastCounts = this.commandCounts();
    native.close();
  }
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}
