/** Checks files for changes at intervals. */

/** The largest part of the time that checks may take. */
const SHARE = 1 / 20;

export interface WatchTimes {
  /** The shortest pause after a look. */
  readonly everyMs: number;
  /** The longest pause, used if looks take long. */
  readonly mostMs: number;
  /** A look that takes longer is slow. */
  readonly slowMs: number;
}

export interface WatchEvents {
  readonly look: () => Promise<void>;
  /** A look ended in an error. */
  readonly onFault: (error: unknown) => void;
  /** A look is slow: a file system does not answer. Called once for each look. */
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

  /** Looks at intervals, first after a pause. It does not keep the process alive. */
  start(): void {
    this.#pause(this.#times.everyMs);
  }

  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  /** Looks now, or after the look under way: two looks never overlap. */
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
