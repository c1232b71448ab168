import type { LogFields, Logger } from './logger.ts';

/**
 * A warning that any remote peer can cause as often as it likes. The first is logged at once; later ones are counted,
 * and the count is logged once an interval.
 */
export class CountedWarning {
  readonly #message: string;
  readonly #intervalMs: number;
  #count = 0;
  #last: (() => void) | undefined;
  /** While it runs, warnings are only counted. */
  #timer: NodeJS.Timeout | undefined;

  constructor(message: string, intervalMs: number) {
    this.#message = message;
    this.#intervalMs = intervalMs;
  }

  /** A record of several warnings has the fields of the last one. */
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
    // A count that is not logged yet must not keep the process alive.
    this.#timer.unref();
  }
}
