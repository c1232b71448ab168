import { randomBytes } from 'node:crypto';
import type { Metadata, ServerDuplexStream } from '@grpc/grpc-js';
import type { Logger } from '../log/logger.ts';
import { PeerError, STATUS, StatusError, wireStatus } from '../status.ts';
import type { AttestationMessages, AttestationStream, MessageTranslation, PluginKind } from './attestation-stream.ts';

export interface AttestationLimits {
  /** The largest incoming message, in bytes. gRPC itself refuses more than 4 MiB. */
  readonly maxMessageBytes: number;
  /** The most attestations under way at a time. */
  readonly maxConcurrent: number;
  /** Time from the first byte to the answer. SPIRE sets no deadline: a plugin that hangs would freeze the agent. */
  readonly attestTimeoutMs: number;
}

export const DEFAULT_LIMITS: AttestationLimits = {
  maxMessageBytes: 4 * 1024 * 1024,
  maxConcurrent: 256,
  attestTimeoutMs: 60_000,
};

/** A longer timer would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The gRPC call of one attestation. It ends once: by `succeed`, by `fail`, by its time limit or by the host. */
export class AttestationCall<Kind extends PluginKind> implements AttestationStream<Kind> {
  readonly id: string = randomBytes(4).toString('hex');
  readonly metadata: ReadonlyMap<string, string>;
  ended = false;
  onEnd: () => void = () => {};
  readonly #call: ServerDuplexStream<unknown, unknown>;
  readonly #translation: MessageTranslation<Kind, unknown, unknown>;
  readonly #controller = new AbortController();
  readonly #received: unknown[] = [];
  #halfClosed = false;
  #wake: () => void = () => {};
  #limits: AttestationLimits = DEFAULT_LIMITS;
  #timer: NodeJS.Timeout | undefined;
  #answered = false;

  constructor(call: ServerDuplexStream<unknown, unknown>, translation: MessageTranslation<Kind, unknown, unknown>) {
    this.#call = call;
    this.#translation = translation;
    this.metadata = textEntries(call.metadata);
    call.on('cancelled', () => this.#end(new StatusError(STATUS.CANCELLED, 'attestation was cancelled by the host')));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** @param onTimeout must end the call with `fail` */
  start(limits: AttestationLimits, onTimeout: (error: PeerError) => void): void {
    this.#limits = limits;
    this.#timer = setTimeout(
      () => {
        const reason = `attestation took longer than ${limits.attestTimeoutMs} ms`;
        onTimeout(new PeerError(STATUS.DEADLINE_EXCEEDED, reason));
      },
      Math.min(limits.attestTimeoutMs, MAX_TIMER_MS),
    );
    // Read one message at a time: a host that keeps sending fills its own buffers, not the plugin's.
    this.#call.on('data', (message) => {
      this.#received.push(message);
      this.#call.pause();
      this.#wake();
    });
    this.#call.on('end', () => {
      this.#halfClosed = true;
      this.#wake();
    });
  }

  async receive(): Promise<AttestationMessages[Kind]['in'] | undefined> {
    for (;;) {
      this.signal.throwIfAborted();
      const request = this.#received.shift();
      if (request !== undefined) {
        const message = this.#translation.read(request);
        if (message === undefined) {
          throw new PeerError(STATUS.INVALID_ARGUMENT, 'a message without content');
        }
        const { kind, bytes } = message;
        if (bytes.length > this.#limits.maxMessageBytes) {
          const reason = `${kind} of ${bytes.length} bytes is larger than ${this.#limits.maxMessageBytes}`;
          throw new PeerError(STATUS.RESOURCE_EXHAUSTED, reason);
        }
        return message;
      }
      if (this.#halfClosed) return undefined;
      this.#call.resume();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  send(message: AttestationMessages[Kind]['out']): void {
    if (this.ended) return;
    this.#answered ||= this.#translation.answers(message);
    this.#call.write(this.#translation.write(message));
  }

  succeed(log: Logger): void {
    if (this.ended) return;
    if (!this.#answered) {
      log.error('attestation handler returned without an answer');
      this.fail(new StatusError(STATUS.INTERNAL, `internal error (attestation ${this.id})`));
      return;
    }
    this.#end(new StatusError(STATUS.CANCELLED, 'attestation has ended'));
    this.#call.end();
  }

  fail(error: StatusError): void {
    if (this.ended) return;
    this.#end(error);
    this.#call.emit('error', wireStatus(error));
  }

  #end(reason: StatusError): void {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.#timer);
    this.onEnd();
    this.#controller.abort(reason);
    this.#wake();
  }
}

function textEntries(metadata: Metadata): ReadonlyMap<string, string> {
  const entries = Object.entries(metadata.getMap());
  return new Map(entries.flatMap(([key, value]) => (typeof value === 'string' ? [[key, value]] : [])));
}
