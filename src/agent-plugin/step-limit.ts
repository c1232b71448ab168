/** Limits the time of each step of one attestation. */
import { STATUS, StatusError } from '../spire/status.ts';

export interface Step {
  /** The subject of "… took longer than". */
  readonly name: string;
  readonly limitMs: number;
}

/** Its signal aborts with DEADLINE_EXCEEDED when the current step takes too long. It also follows the outer signal. */
export class StepLimit {
  readonly #controller: AbortController = new AbortController();
  readonly #outer: AbortSignal;
  readonly #forward: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(outer: AbortSignal) {
    this.#outer = outer;
    this.#forward = () => this.#controller.abort(outer.reason);
    if (outer.aborted) this.#forward();
    else outer.addEventListener('abort', this.#forward, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends the previous step and starts the limit of this one. */
  begin({ name, limitMs }: Step): void {
    clearTimeout(this.#timer);
    const expire = (): void =>
      this.#controller.abort(new StatusError(STATUS.DEADLINE_EXCEEDED, `${name} took longer than ${limitMs} ms`));
    this.#timer = setTimeout(expire, limitMs);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener('abort', this.#forward);
  }
}
