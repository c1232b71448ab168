/** Opens a TPM, and gives each operation exclusive use of it. */

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
  /** The TCTI configuration string that opened it. */
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
   * @throws TctiError when the string names a file that is not a TPM
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
   * Runs `operation` with exclusive use of the TPM. Operations run one after another, in the order of the calls.
   *
   * The operation must release what it loads, best with the scopes of `scope.ts`. When it fails or is aborted, this
   * class flushes what it still holds. When it succeeds, what it kept stays until another operation releases it, or
   * `close`.
   *
   * When `signal` aborts before the operation begins, it never begins. When it aborts later, the returned promise
   * rejects at once with the reason, and so do the operation's own commands. A command already sent runs to its end,
   * because a TPM cannot be interrupted. The next operation begins after that command and after the flushing.
   *
   * ```ts
   * const { randomBytes } = await tpm.exclusive((run) => run.getRandom({ bytesRequested: 16 }));
   * ```
   *
   * @throws TypeError after `close`, and when called inside another operation on the same TPM
   */
  exclusive<T>(
    operation: (run: TpmCommands) => Promise<T>,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    return this.#queue.run((stop) => this.#operate(operation, stop), options.signal);
  }

  /** TPM commands sent so far, by name (`TPM2_Quote`). Commands that ESYS sends by itself count, too. */
  commandCounts(): ReadonlyMap<string, number> {
    return (
      this.#lastCounts ??
      new Map(this.#connection.native.commandCounts().map(([code, count]) => [commandName(code), count]))
    );
  }

  /**
   * Refuses new operations, drops waiting ones and abandons the running one. It waits for the TPM's answer, flushes
   * what is still loaded, and disconnects. Idempotent. When the TPM may never answer, end the process with
   * `exitProcess`.
   */
  close(): Promise<void> {
    this.#closing ??= this.#disconnect();
    return this.#closing;
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #operate<T>(operation: (run: TpmCommands) => Promise<T>, stop: AbortSignal): Promise<T> {
    const runner = new Runner(this.#connection, stop);
    try {
      // Do not wait for an aborted operation: its other work must not block the TPM for others.
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
