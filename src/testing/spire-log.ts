/** What a genuine SPIRE process logs, as records that can be waited for. */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** One line of SPIRE's JSON log. A plugin's own records are among them, with SPIRE's fields beside theirs. */
export interface SpireLogRecord {
  /** logrus: `debug`, `info`, `warning`, `error`; `output` for a line that is no JSON. */
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const DEFAULT_TIMEOUT_MS = 30_000;
/** Of a failed wait's message: what came last tells what went wrong. */
const LAST_LINES = 25;
const LAST_LINE_CHARS = 400;

export class SpireLog {
  readonly records: SpireLogRecord[] = [];
  readonly #waiting: Set<() => void> = new Set();
  #closed = false;

  /** Reads a stream to its end; several may be read. */
  read(stream: Readable): void {
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
      this.records.push(parsed(line));
      this.#wake();
    });
  }

  /** No more will come: whoever still waits is told so. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /**
   * The first record that matches, among those from index `from` on and those still to come.
   *
   * @throws Error with the last lines when none comes in time, or none can come any more
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
    // A panic, or what a command prints before it knows its log format.
  }
  return { level: 'output', message: line, fields: {} };
}
