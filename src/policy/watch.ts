/** Looks at files again and again, whether anybody attests or not. */

/** Of the time that passes, the part that looks may take. */
const SHARE = 1 / 20;

export interface WatchTimes {
  /** From the end of a look to the next one, at least. */
  readonly everyMs: number;
  /** And at most, where looks take long. */
  readonly mostMs: number;
  /** After which a look is called slow. */
  readonly slowMs: number;
}

export interface WatchEvents {
  readonly look: () => Promise<void>;
  /** A look ended in an error. */
  readonly onFault: (error: unknown) => void;
  /** A look has taken so long: a file system does not answer. Once for each look. */
  readonly onSlow: () => void;
}

export class Watch {
  readonly #events: WatchEvents;
  readonly #times: WatchTimes;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;
  #last: Promise<void> = Promise.resolve();

  constructor(events: WatchEvents, times: WatchTimes) {
    this.#events = events;
    this.#times = times;
  }

  /** Looks from now on, after a pause. Keeps no process alive. */
  start(): void {
    this.#pause(this.#times.everyMs);
  }

  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  /** Looks at once, or when a look under way has ended: two never overlap. */
  look(): Promise<void> {
    const turn = this.#last.then(this.#events.look);
    this.#last = turn.catch(() => {});
    return turn;
  }

  #pause(ms: number): void {
    if (!this.#isOver) this.#timer = setTimeout(() => void this.#lookByItself(), ms).unref();
  }

  async #lookByItself(): Promise<void> {
    const { everyMs, mostMs, slowMs } = this.#times;
    const began = performance.now();
    const slow = setTimeout(this.#events.onSlow, slowMs).unref();
    await this.look().catch(this.#events.onFault);
    clearTimeout(slow);
    this.#pause(Math.min(Math.max(everyMs, (performance.now() - began) / SHARE), mostMs));
  }
}
