/** The times one attestation holds the TPM: opened, worked with, closed. */
import { setTimeout as delay } from 'node:timers/promises';
import type { TpmCommands } from '../tpm/device/commands.ts';
import { TpmError } from '../tpm/device/errors.ts';
import type { Queue } from '../tpm/device/queue.ts';
import { Tpm } from '../tpm/device/tpm.ts';

export interface HoldingOptions {
  /** TCTI string of tpm2-tss. */
  readonly tcti: () => string;
  /** Of the process, which has one TPM. */
  readonly queue: Queue;
}

const FULL: readonly string[] = ['OBJECT_MEMORY', 'OBJECT_HANDLES', 'SESSION_MEMORY', 'SESSION_HANDLES'].map(
  (name) => `TPM_RC_${name}`,
);
/** Whoever fills a TPM is usually at work: seconds later there is room again. */
const TRIES = 4;
const PAUSE_MS = 400;

/** Whether the TPM has no room for one more object or session. */
export function isFull(error: unknown): boolean {
  return error instanceof TpmError && FULL.includes(error.name);
}

export class TpmHoldings {
  readonly #options: HoldingOptions;
  /** Abandons what is under way. */
  readonly signal: AbortSignal;
  readonly #commands: Map<string, number> = new Map();

  constructor(options: HoldingOptions, signal: AbortSignal = new AbortController().signal) {
    this.#options = options;
    this.signal = signal;
  }

  /** Commands sent, by name, each time it was open. */
  get commands(): ReadonlyMap<string, number> {
    return this.#commands;
  }

  /** Runs when whoever asked before has closed the TPM. Settles when `work` has, also after an abort. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#options.queue.run(async () => {
      this.signal.throwIfAborted();
      return work();
    });
  }

  /** In turn. A full TPM is closed and tried again a little later: others cannot make room while it is open. */
  async hold<T>(work: (run: TpmCommands) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#once(work);
      } catch (error) {
        if (!isFull(error) || tries === TRIES) throw error;
        await this.unlessAborted(delay(PAUSE_MS));
      }
    }
  }

  async unlessAborted<T>(work: Promise<T>): Promise<T> {
    const signal = this.signal;
    let onAbort: (() => void) | undefined;
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason);
      if (signal.aborted) onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([work, aborted]);
    } finally {
      if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
    }
  }

  async #once<T>(work: (run: TpmCommands) => Promise<T>): Promise<T> {
    const tpm = await Tpm.open(this.#options.tcti());
    try {
      return await tpm.exclusive(work, { signal: this.signal });
    } finally {
      await tpm.close();
      for (const [name, count] of tpm.commandCounts())
        this.#commands.set(name, (this.#commands.get(name) ?? 0) + count);
    }
  }
}
