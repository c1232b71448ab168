/** Collects a machine's boot logs piece by piece, in any number of messages below the server's limit. Pure. */
import { concat } from '../bytes/bytes.ts';
import { MalformedError } from '../bytes/malformed.ts';
import { type BootLogKind, LOG_BYTES, LOG_NUMBERS, MISSING_LOG, type MissingLog } from '../evidence/boot-logs.ts';
import { LOG_PART_BYTES, LOG_PART_ENVELOPE } from '../evidence/limits.ts';
import { decodeLogPart, encodeLogRequest, type LogPart } from '../evidence/messages.ts';

/** A log as the machine sent it, which nothing vouches for yet; or why the machine sent none. */
export type CollectedLog = { readonly bytes: Uint8Array } | { readonly missing: MissingLog };

/** Asks for one piece after another. Only a machine that has proved itself is asked: an attacker's logs cost no memory. */
export class LogCollector {
  /** Each wanted log, once it is complete. */
  readonly logs: Map<BootLogKind, CollectedLog> = new Map();
  readonly #wanted: readonly BootLogKind[];
  readonly #maxBytes: number;
  #chunks: Uint8Array[] = [];
  #offset = 0;
  #total: number | undefined;

  /** @param messageBytes of the longest message that the server takes */
  constructor(wanted: readonly BootLogKind[], messageBytes: number) {
    this.#wanted = wanted;
    this.#maxBytes = Math.min(LOG_PART_BYTES, messageBytes - LOG_PART_ENVELOPE);
  }

  /** The next LogRequest; undefined when every log is here. */
  request(): Uint8Array | undefined {
    const log = this.#next();
    return log === undefined
      ? undefined
      : encodeLogRequest({ log: LOG_NUMBERS[log], offset: this.#offset, maxBytes: this.#maxBytes });
  }

  /**
   * @param message the agent's answer to the last request, as received
   * @throws MalformedError for anything but the piece that was asked for
   */
  take(message: Uint8Array): void {
    const part = decodeLogPart(message);
    const log = this.#next();
    if (log === undefined || part.log !== LOG_NUMBERS[log] || part.offset !== this.#offset)
      throw new MalformedError('LogPart', 0, 'is another piece than the one asked for');
    const missing = missingOf(part, this.#offset);
    if (missing !== undefined) {
      this.#complete(log, { missing });
      return;
    }
    this.#append(part);
    if (this.#offset === this.#total) this.#complete(log, { bytes: concat(...this.#chunks) });
  }

  #append({ total, data }: LogPart): void {
    // tooth A77: a log may be of any length
    if (total > LOG_BYTES) throw new MalformedError('LogPart.total', 0, `${total} bytes are over ${LOG_BYTES}`);
    if (this.#total !== undefined && total !== this.#total)
      throw new MalformedError('LogPart.total', 0, `the log had ${this.#total} bytes and now has ${total}`);
    // tooth A86: an agent sends pieces of one byte, or of none
    if (data.length !== Math.min(this.#maxBytes, total - this.#offset))
      throw new MalformedError('LogPart.data', 0, 'has more or fewer bytes than were asked for');
    this.#total = total;
    this.#offset += data.length;
    this.#chunks.push(data);
  }

  #next(): BootLogKind | undefined {
    return this.#wanted.find((log) => !this.logs.has(log));
  }

  #complete(log: BootLogKind, collected: CollectedLog): void {
    this.logs.set(log, collected);
    [this.#chunks, this.#offset, this.#total] = [[], 0, undefined];
  }
}

/** @throws MalformedError for a reason that does not exist, or one beside a log */
function missingOf({ missing, total, data }: LogPart, offset: number): MissingLog | undefined {
  if (missing === '') return undefined;
  const known = MISSING_LOG.find((reason) => reason === missing);
  if (known === undefined || total > 0 || data.length > 0 || offset > 0)
    throw new MalformedError('LogPart.missing', 0, 'is no known reason, or stands beside a log');
  return known;
}
