/** Writes text to a descriptor without ever blocking the event loop, even if the reader is slow or gone. */
import { constants, fstatSync, openSync, write, writeSync } from 'node:fs';

/** How long to wait before a full pipe is tried again. The pause doubles while the pipe stays full. */
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 100;
/** How many written texts may keep their place in the queue before it is shortened. */
const MOST_TAKEN = 1024;

export interface OutputLimit {
  /** When more bytes than this would wait, texts are dropped until half of the waiting bytes are written. */
  readonly maxBytes: number;
  /** The text that is written instead of the dropped ones. */
  readonly notice: (dropped: number) => string;
}

/**
 * Queues the text that a descriptor does not take at once. Never throws.
 *
 * A blocking write into a full pipe would stop the event loop, and with it all signal handlers. A pipe or a terminal is
 * therefore opened a second time, non-blocking. `O_NONBLOCK` belongs to one open file description (open(2)), so other
 * holders of the descriptor keep their mode. A socket cannot be opened by its path in /proc; the thread pool writes to
 * it.
 */
export class Output {
  readonly #descriptor: number;
  readonly #limit: OutputLimit | undefined;
  /** Opened when the first text is written. */
  #target: Target | undefined;
  /** The texts before `#first` were written or given up. */
  readonly #queue: Uint8Array[] = [];
  #first = 0;
  #waitingBytes = 0;
  /** How many bytes of the first waiting text are written. */
  #takenBytes = 0;
  #dropped = 0;
  #resting = false;
  #pauseMs = FIRST_PAUSE_MS;
  /** Whether the last text was given up after a part of it was written. */
  #torn = false;
  #failure: NodeJS.ErrnoException | undefined;
  #whenEmpty: (() => void)[] = [];

  constructor(descriptor: number, limit?: OutputLimit) {
    this.#descriptor = descriptor;
    this.#limit = limit;
  }

  write(text: string | Uint8Array): void {
    const bytes = typeof text === 'string' ? Buffer.from(text, 'utf8') : text;
    if (bytes.length === 0) return;
    const limit = this.#limit?.maxBytes ?? Number.POSITIVE_INFINITY;
    if (this.#dropped > 0 || this.#waitingBytes + bytes.length > limit) {
      this.#dropped += 1;
      return;
    }
    this.#enqueue(bytes);
    this.#pump();
  }

  /** Why the last lost text could not be written: `EPIPE` if the reader is gone. */
  get failure(): NodeJS.ErrnoException | undefined {
    return this.#failure;
  }

  /** Resolves when the queue is empty, or after `timeoutMs`. True means that everything was written. */
  async flushed(timeoutMs?: number): Promise<boolean> {
    if (!this.#isEmpty) {
      await new Promise<void>((resolve) => {
        const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, timeoutMs);
        this.#whenEmpty.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return this.#isEmpty && this.#failure === undefined;
  }

  get #isEmpty(): boolean {
    return this.#first === this.#queue.length;
  }

  #enqueue(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  #pump(): void {
    for (let text = this.#queue[this.#first]; !this.#resting && text !== undefined; text = this.#queue[this.#first])
      this.#attempt(text);
  }

  #attempt(text: Uint8Array): void {
    this.#target ??= targetOf(this.#descriptor);
    // A newline first: otherwise this text would continue the torn line.
    const rest = this.#torn ? Buffer.concat([Buffer.from('\n'), text]) : text.subarray(this.#takenBytes);
    this.#resting = true;
    let hasReturned = false;
    this.#target(rest, (error, taken) => {
      this.#resting = false;
      if (error?.code === 'EAGAIN') this.#rest();
      else if (error !== null) this.#giveUp(error);
      else this.#took(text, taken, rest.length);
      // If the target calls back before it returns, the loop in `#pump` goes on; calling it here would nest each text.
      if (hasReturned && !this.#resting) this.#pump();
    });
    hasReturned = true;
  }

  #took(text: Uint8Array, taken: number, offered: number): void {
    this.#torn = false;
    this.#pauseMs = FIRST_PAUSE_MS;
    this.#takenBytes = text.length - (offered - taken);
    if (taken === offered) this.#next();
  }

  #giveUp(error: NodeJS.ErrnoException): void {
    this.#failure = error;
    this.#torn ||= this.#takenBytes > 0;
    this.#next();
  }

  #next(): void {
    this.#waitingBytes -= this.#queue[this.#first]?.length ?? 0;
    this.#first += 1;
    this.#takenBytes = 0;
    // Removed many at a time: each removal moves all waiting texts.
    if (this.#isEmpty || this.#first === MOST_TAKEN) {
      this.#queue.splice(0, this.#first);
      this.#first = 0;
    }
    if (this.#limit !== undefined && this.#dropped > 0 && this.#waitingBytes <= this.#limit.maxBytes / 2) {
      this.#enqueue(Buffer.from(this.#limit.notice(this.#dropped), 'utf8'));
      this.#dropped = 0;
    }
    if (this.#isEmpty) for (const settle of this.#whenEmpty.splice(0)) settle();
  }

  #rest(): void {
    this.#resting = true;
    setTimeout(() => {
      this.#resting = false;
      this.#pump();
    }, this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** Writes bytes and calls back with how many were taken, perhaps before it returns. */
type Target = (bytes: Uint8Array, done: (error: NodeJS.ErrnoException | null, taken: number) => void) => void;

/** Threads of the pool that are writing. */
let threads = 0;

/** Whether a thread of the pool is blocked in a write. `process.exit` would wait for that thread. */
export function outputHoldsThread(): boolean {
  return threads > 0;
}

function targetOf(descriptor: number): Target {
  const own = withoutBlocking(descriptor);
  if (own === undefined) {
    return (bytes, done) => {
      threads += 1;
      write(descriptor, bytes, (error, taken) => {
        threads -= 1;
        done(error, taken);
      });
    };
  }
  return (bytes, done) => {
    let taken: number;
    try {
      taken = writeSync(own, bytes);
    } catch (error) {
      done(error as NodeJS.ErrnoException, 0);
      return;
    }
    done(null, taken);
  };
}

/** A descriptor for the same file that never blocks. Undefined for a socket, and for a pipe this user may not open. */
function withoutBlocking(descriptor: number): number | undefined {
  try {
    const status = fstatSync(descriptor);
    if (status.isFile()) return descriptor;
    if (!status.isFIFO() && !status.isCharacterDevice()) return undefined;
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    return openSync(`/proc/self/fd/${descriptor}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return undefined;
  }
}
