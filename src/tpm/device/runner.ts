/**
 * Sends the commands of one exclusive operation, and records what they leave loaded in the TPM.
 *
 * A TPM has three slots for transient objects and few for sessions. Without a resource manager a forgotten handle keeps
 * its slot. So the runner flushes what a caller loaded, whatever happens to the caller.
 */

import { TPMA_SESSION } from '../structures/attributes.ts';
import { TpmError } from './errors.ts';
import { ESYS_TR, type KeyHandle, type SessionHandle } from './handles.ts';
import type { NativeContext } from './native-context.ts';
import { Queue } from './queue.ts';

/** A handle that takes a slot of the TPM until it is flushed. */
export type LoadedHandle = KeyHandle | SessionHandle;

/** The state that all operations on one TPM share. */
export interface Connection {
  readonly native: NativeContext;
  /** The handles that we loaded and have not flushed. */
  readonly held: Set<LoadedHandle>;
  /** Why the TPM can no longer be reached. */
  lost?: TpmError;
}

interface Effects<T> {
  /** The sessions that the command uses. */
  readonly sessions?: readonly SessionHandle[] | undefined;
  /** The handle that the command loaded. */
  readonly loads?: (output: T) => LoadedHandle;
  /** The handle that the command flushed. */
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
   * Sends the command after the TPM has answered the earlier ones. When the operation is aborted meanwhile, the promise
   * rejects at once. The effects are still recorded when the TPM answers, so the key of an abandoned TPM2_CreatePrimary
   * is flushed, too.
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

  /** Flushes what this operation loaded and still holds. Ignores failures. */
  async rollBack(): Promise<void> {
    await this.#queue.idle();
    await this.#releaseEach(this.#loadedHere);
  }

  /** Flushes what any operation left loaded. Ignores failures. */
  releaseAll(): Promise<void> {
    return this.#releaseEach(this.#connection.held);
  }

  /** Refuses further commands. Resolves when none is in flight. */
  end(): Promise<void> {
    this.#ended = true;
    return this.#queue.close(new TypeError('the exclusive operation has ended'));
  }

  async #releaseEach(handles: Iterable<LoadedHandle>): Promise<void> {
    // A failed flush must not hide why the operation failed, and must not keep the other handles loaded.
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
      // The TPM has ended these sessions. Flushing one would fail.
      for (const session of ending) {
        held.delete(session);
        native.trClose({ object: session });
      }
      return output;
    } catch (thrown) {
      const error = TpmError.from(thrown);
      // After a transport failure ESYS answers every call with "bad sequence". Later commands get the first error
      // instead.
      if (error instanceof TpmError && error.layer === 'tcti') this.#connection.lost = error;
      throw error;
    }
  }
}

/** The sessions that end when the command succeeds: `continueSession` is clear (Part 1, 17.6). */
function endingSessions(native: NativeContext, sessions: readonly SessionHandle[]): readonly SessionHandle[] {
  return sessions.filter(
    (session) =>
      session !== ESYS_TR.PASSWORD && !(native.sessionGetAttributes({ session }) & TPMA_SESSION.continueSession),
  );
}
