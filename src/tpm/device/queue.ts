/**
 * Runs tasks one at a time, in the order in which they were asked for.
 *
 * An ESYS context allows one command in flight, and the commands of two operations must not interleave. A TPM cannot be
 * interrupted. So an abort drops a task that waits, and abandons a task that runs: the caller's promise rejects at
 * once, but the queue stays occupied until the task has ended.
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
   * Runs `task` after every earlier task has ended. Its signal aborts when the caller's signal does, or when the queue
   * closes. The task has ended when its promise has settled, not before.
   *
   * @throws TypeError when a task of this queue calls it, because that task would wait for itself
   */
  run<T>(task: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed.reason);
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#runsCaller()) {
      return Promise.reject(new TypeError('called from inside an exclusive operation, which would wait for itself'));
    }
    const stop = new AbortController();
    setMaxListeners(0, stop.signal); // a task may queue many commands; their listeners are not a leak
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

  /** Resolves when every task asked for so far has ended. */
  idle(): Promise<void> {
    return this.#tail;
  }

  /**
   * Refuses new tasks, drops waiting ones and abandons the running one, all with `reason`. Resolves when that one has
   * ended.
   */
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
