import type { LogFields, Logger } from './logger.ts';

/** A warning that a stranger can cause at will: the first is logged at once, later ones as a count now and then. */
export class CountedWarning {
  readonly #message: string;
  readonly #intervalMs: number;
  #count = 0;
  #last: (() => void) | undefined;
  /** Runs while there is to be no further record. */
  #timer: NodeJS.Timeout | undefined;

  constructor(message: string, intervalMs: number) {
    this.#message = message;
    this.#intervalMs = intervalMs;
  }

  /** The record is the one of the first, or of the last of several. */
  warn(logger: Logger, fields: LogFields): void {
    this.#count += 1;
    // tooth availability: each attestation that is turned away is a record of the log
    if (this.#timer !== undefined) {
      this.#last = () => logger.warn(this.#message, { ...fields, times: this.#count });
      return;
    }
    logger.warn(this.#message, { ...fields, times: 1 });
    this.#rest();
  }

  #rest(): void {
    this.#count = 0;
    this.#last = undefined;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#last === undefined) return;
      this.#last();
      this.#rest();
    }, this.#intervalMs);
    // A count that is not told is no reason to live on.
    this.#timer.unref();
  }
}
