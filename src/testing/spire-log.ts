/** Parses the log of a genuine SPIRE process into records, and waits for a record. */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** One line of SPIRE's JSON log. The log also has the records of plugins, with fields added by SPIRE. */
export interface SpireLogRecord {
  /** The level of logrus: `debug`, `info`, `warning`, `error`; `output` for a line that is not JSON. */
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const DEFAULT_TIMEOUT_MS = 30_000;
/** Number of last lines in the error of a failed wait, to show what went wrong. */
const LAST_LINES = 25;
const LAST_LINE_CHARS = 400;

export class SpireLog {
  readonly records: SpireLogRecord[] = [];
  readonly #waiting: Set<() => void> = new Set();
  #closed = false;

  /** Reads a stream to its end. May be called for several streams. */
  read(stream: Readable): void {
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
      this.records.push(parsed(line));
      this.#wake();
    });
  }

  /** Ends the log: every pending wait fails. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /**
   * Waits for the first record that matches, from index `from` on.
   *
   * @throws Error with the last lines when none comes in time, or when the log has ended
   */
  async until(
    what: string,
    matches: (record: SpireLogRecord) => boolean,
    { from = 0, timeoutMs = DEFAULT_TIMEOUT_MS }: { readonly from?: number; readonly timeoutMs?: number } = {},
  ): Promise<SpireLogRecord> {
    const deadline = performance.now() + timeoutMs;
    for (let next = from; ; ) {
      for (; next < this.records.length; next++) {
        const record = this.records[next];
        if (record !== undefined && matches(record)) return record;
      }
      const leftMs = deadline - performance.now();
      if (this.#closed || leftMs <= 0) {
        throw new Error(
          `${this.#closed ? 'the log ended' : `${timeoutMs} ms passed`} without: ${what}\n${this.last()}`,
        );
      }
      await this.#change(leftMs);
    }
  }

  /** The end of the log, for a message. */
  last(): string {
    return this.records
      .slice(-LAST_LINES)
      .map(({ level, message, fields }) => {
        const { error, err } = fields;
        return `  ${level}: ${message} ${String(error ?? err ?? '')}`.slice(0, LAST_LINE_CHARS);
      })
      .join('\n');
  }

  #change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      this.#waiting.add(wake);
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

function parsed(line: string): SpireLogRecord {
  try {
    const { level, msg, ...fields } = JSON.parse(line);
    if (typeof level === 'string' && typeof msg === 'string') return { level, message: msg, fields };
  } catch {
    // A panic, or a line from before the process has read its log format.
  }
  return { level: 'output', message: line, fields: {} };
}
