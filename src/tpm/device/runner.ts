/**
 * Sends the commands of one exclusive operation, and knows what they left in the TPM.
 *
 * A TPM has three slots for transient objects and few for sessions, and only a resource manager forgives a forgotten one:
 * whatever happens to a caller, what was loaded for it is flushed.
 */

import { TPMA_SESSION } from '../structures/attributes.ts';
import { TpmError } from './errors.ts';
import { ESYS_TR, type KeyHandle, type SessionHandle } from './handles.ts';
import type { NativeContext } from './native-context.ts';
import { Queue } from './queue.ts';

/** What takes up a slot of the TPM until it is flushed. */
export type LoadedHandle = KeyHandle | SessionHandle;

/** What the operations on one TPM share. */
export interface Connection {
  readonly native: NativeContext;
  /** What we loaded and have not flushed. */
  readonly held: Set<LoadedHandle>;
  /** Why nothing can reach the TPM any more. */
  lost?: TpmError;
}

interface Effects<T> {
  /** The sessions the command is sent with. */
  readonly sessions?: readonly SessionHandle[] | undefined;
  /** What the command left in the TPM. */
  readonly loads?: (output: T) => LoadedHandle;
  /** What the command removed from it. */
  readonly flushes?: LoadedHandle;
}

export class Runner {
  readonly #connection: Connection;
  readonly #signal: AbortSignal;
  readonly #queue = new Queue();
  readonly #loadedHere = new Set<LoadedHandle>();
  #ended = false;

  constructor(connection: Connection, signal: AbortSignal) {
    this.#connection = connection;
    this.#signal = signal;
  }

  /**
   * Sends when the commands before it have been answered. When the operation is aborted meanwhile the promise rejects at
   * once, but the effects are recorded when the TPM answers: the handle an abandoned TPM2_CreatePrimary made is known.
   */
  send<T>(command: (native: NativeContext) => T | Promise<T>, effects: Effects<T> = {}): Promise<T> {
    return this.#queue.run(() => this.#perform(command, effects), this.#signal);
  }

  /** Flushes `handle` unless it is gone already. Works in `finally` after an abort, too. */
  async release(handle: LoadedHandle): Promise<void> {
    if (this.#ended) return;
    await this.#queue.run(async () => {
      if (!this.#connection.held.has(handle)) return;
      await this.#perform((native) => native.flushContext({ flushHandle: handle }), { flushes: handle });
    });
  }

  /** Flushes what this operation loaded and still holds, as far as the TPM lets it. */
  async rollBack(): Promise<void> {
    await this.#queue.idle();
    await this.#releaseEach(this.#loadedHere);
  }

  /** Flushes what any operation left loaded, as far as the TPM lets it. */
  releaseAll(): Promise<void> {
    return this.#releaseEach(this.#connection.held);
  }

  /** Takes no more commands; resolves when none is in flight. */
  end(): Promise<void> {
    this.#ended = true;
    return this.#queue.close(new TypeError('the exclusive operation has ended'));
  }

  async #releaseEach(handles: Iterable<LoadedHandle>): Promise<void> {
    // What cannot be flushed must not hide why the operation failed, nor keep the others loaded.
    for (const handle of [...handles]) await this.release(handle).catch(() => {});
  }

  async #perform<T>(command: (native: NativeContext) => T | Promise<T>, effects: Effects<T>): Promise<T> {
    const { native, held } = this.#connection;
    if (this.#connection.lost !== undefined) throw this.#connection.lost;
    try {
      const ending = endingSessions(native, effects.sessions ?? []);
      if (effects.flushes !== undefined) held.delete(effects.flushes);
      const output = await command(native);
      if (effects.loads !== undefined) {
        held.add(effects.loads(output));
        this.#loadedHere.add(effects.loads(output));
      }
      // The TPM has ended them; flushing would be one more command, and an error.
      for (const session of ending) {
        held.delete(session);
        native.trClose({ object: session });
      }
      return output;
    } catch (thrown) {
      const error = TpmError.from(thrown);
      // ESYS cannot be used after its transport failed: every further call answers "bad sequence", which says nothing.
      if (error instanceof TpmError && error.layer === 'tcti') this.#connection.lost = error;
      throw error;
    }
  }
}

/** Those that the command ends by succeeding: `continueSession` is clear (Part 1, 17.6). */
function endingSessions(native: NativeContext, sessions: readonly SessionHandle[]): readonly SessionHandle[] {
  return sessions.filter(
    (session) =>
      session !== ESYS_TR.PASSWORD && !(native.sessionGetAttributes({ session }) & TPMA_SESSION.continueSession),
  );
}
