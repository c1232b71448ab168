/** Opens the TPM for one attestation, runs work on it, and closes it, several times if needed. */
import { setTimeout as delay } from 'node:timers/promises';
import type { TpmCommands } from '../tpm/device/commands.ts';
import { TpmError } from '../tpm/device/errors.ts';
import type { Queue } from '../tpm/device/queue.ts';
import { Tpm } from '../tpm/device/tpm.ts';

export interface HoldingOptions {
  /** TCTI string of tpm2-tss. */
  readonly tcti: () => string;
  /** One queue for the process, because it has one TPM. */
  readonly queue: Queue;
}

const FULL: readonly string[] = ['OBJECT_MEMORY', 'OBJECT_HANDLES', 'SESSION_MEMORY', 'SESSION_HANDLES'].map(
  (name) => `TPM_RC_${name}`,
);
/** Other software usually frees a full TPM within seconds. */
const TRIES = 4;
const PAUSE_MS = 400;

/** True when the TPM has no room for one more object or session. */
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

  /** Number of commands sent so far, by name. */
  get commands(): ReadonlyMap<string, number> {
    return this.#commands;
  }

  /** Runs `work` after earlier callers have closed the TPM. Settles when `work` does, also after an abort. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#options.queue.run(async () => {
      this.signal.throwIfAborted();
      return work();
    });
  }

  /**
   * Opens the TPM for `work`; call it within `inTurn`. Closes a full TPM and tries again later, so that others can free
   * it.
   */
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
