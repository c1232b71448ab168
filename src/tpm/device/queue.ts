/**
 * One thing at a time, in the order asked.
 *
 * An ESYS context admits one command in flight, and an operation of several commands must not be interleaved with
 * another's. A TPM cannot be interrupted, so aborting means: what is queued is dropped and never starts; what runs is
 * abandoned: its caller is told at once, and the queue stays occupied until it has really ended.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setMaxListeners } from 'node:events';

interface Entry {
  readonly queue: Queue;
  readonly outer: Entry | undefined;
  running: boolean;
}

const current = new AsyncLocalStorage<Entry>();

/** Tasks that must not run at the same time. */
export class Queue {
  #tail: Promise<void> = Promise.resolve();
  readonly #stops = new Set<AbortController>();
  #closed: { readonly reason: unknown } | undefined;

  /**
   * Runs `task` when everything asked for before has ended. Its signal aborts when the caller's does, or the queue
   * closes; the task has ended when its promise has settled, not before.
   *
   * @throws TypeError when called from inside a task of this queue, which would wait for itself.
   */
  run<T>(task: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed.reason);
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#runsCaller()) {
      return Promise.reject(new TypeError('called from inside an exclusive operation, which would wait for itself'));
    }
    const stop = new AbortController();
    setMaxListeners(0, stop.signal); // however many commands a task has queued, this is no leak
    const forward = (): void => stop.abort(signal?.reason);
    signal?.addEventListener('abort', forward, { once: true });
    this.#stops.add(stop);

    const entry: Entry = { queue: this, outer: current.getStore(), running: true };
    const outcome = this.#tail
      .then(() => {
        stop.signal.throwIfAborted();
        return current.run(entry, task, stop.signal);
      })
      .finally(() => {
        entry.running = false;
        signal?.removeEventListener('abort', forward);
        this.#stops.delete(stop);
      });
    this.#tail = outcome.then(ignore, ignore);
    return new Promise<T>((resolve, reject) => {
      stop.signal.addEventListener('abort', () => reject(stop.signal.reason), { once: true });
      outcome.then(resolve, reject);
    });
  }

  /** Resolves when nothing asked for so far is still running. */
  idle(): Promise<void> {
    return this.#tail;
  }

  /** Refuses what comes, drops what waits, abandons what runs; all with `reason`. Resolves when that has ended. */
  close(reason: unknown): Promise<void> {
    this.#closed ??= { reason };
    for (const stop of this.#stops) stop.abort(reason);
    return this.#tail;
  }

  #runsCaller(): boolean {
    for (let entry = current.getStore(); entry !== undefined; entry = entry.outer) {
      if (entry.queue === this && entry.running) return true;
    }
    return false;
  }
}

function ignore(): void {}
