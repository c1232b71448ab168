import type { ServerDuplexStream } from '@grpc/grpc-js';
import { CountedWarning } from '../log/counted-warning.ts';
import { errorFields, type Logger } from '../log/logger.ts';
import { PEER_SENTENCE, PeerError, STATUS, StatusError } from '../status.ts';
import { AttestationCall, type AttestationLimits } from './attestation-call.ts';
import { type AttestationStream, type PluginKind, TRANSLATION } from './attestation-stream.ts';

const TOO_MANY = 'too many attestations under way';
const TOO_MANY_INTERVAL_MS = 5000;

export interface AttestationCallsOptions<Kind extends PluginKind, Config> {
  readonly kind: Kind;
  readonly logger: Logger;
  /** Throws a StatusError before the plugin is configured. */
  readonly config: () => Config;
  readonly limits: (config: Config) => AttestationLimits;
  readonly attest: (stream: AttestationStream<Kind>, config: Config) => Promise<void>;
  /** See `PluginDefinition.idle`. */
  readonly idle?: (() => Promise<void>) | undefined;
}

/** Runs the attestations of a plugin, each on its own stream. Each ends with a status, whatever its handler does. */
export class AttestationCalls<Kind extends PluginKind, Config> {
  readonly #options: AttestationCallsOptions<Kind, Config>;
  /** Calls without an answer yet. `maxConcurrent` limits them. */
  readonly #open: Set<AttestationCall<Kind>> = new Set();
  /** Handlers still running; a cancelled one may have a TPM object to flush. */
  readonly #running: Set<Promise<void>> = new Set();
  readonly #tooMany: CountedWarning = new CountedWarning(`attestation refused: ${TOO_MANY}`, TOO_MANY_INTERVAL_MS);

  constructor(options: AttestationCallsOptions<Kind, Config>) {
    this.#options = options;
  }

  handle(grpcCall: ServerDuplexStream<unknown, unknown>): void {
    const { logger, attest } = this.#options;
    const call = new AttestationCall<Kind>(grpcCall, TRANSLATION[this.#options.kind]);
    const address = call.metadata.get('x-forwarded-client-ip');
    const log = logger.with({ attestation: call.id, ...(address === undefined ? {} : { client_ip: address }) });
    const fail = (error: unknown): void => call.fail(answerTo(error, log, { kind: this.#options.kind, id: call.id }));
    let limits: AttestationLimits;
    let config: Config;
    try {
      config = this.#options.config();
      limits = this.#options.limits(config);
      if (this.#open.size >= limits.maxConcurrent) {
        this.#tooMany.warn(log, { max_concurrent: limits.maxConcurrent });
        const message = `${PEER_SENTENCE[this.#options.kind]} (attestation ${call.id})`;
        throw new StatusError(STATUS.RESOURCE_EXHAUSTED, message);
      }
    } catch (error) {
      fail(error);
      return;
    }
    this.#open.add(call);
    call.onEnd = () => this.#open.delete(call);
    call.start(limits, fail);
    const running = Promise.resolve()
      .then(() => attest(call, config))
      .then(
        () => call.succeed(log),
        (error) => {
          if (call.ended) log.debug('attestation ended after its answer', errorFields(error));
          else fail(error);
        },
      )
      .catch((error) => log.error('attestation could not be answered', errorFields(error)))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Fails every attestation under way, then waits for their handlers and `idle`, but no longer than `timeoutMs`. */
  async stop(reason: StatusError, timeoutMs: number): Promise<void> {
    for (const call of this.#open) call.fail(reason);
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    const ended = Promise.all(this.#running).then(() => this.#options.idle?.());
    await Promise.race([ended, timeout]);
    clearTimeout(timer);
  }
}

/**
 * The status that answers a call whose handler threw. Details that the caller must not see go to the log.
 *
 * @param attestation given if the call was an attestation
 */
export function answerTo(
  error: unknown,
  logger: Logger,
  attestation?: { readonly kind: PluginKind; readonly id: string },
): StatusError {
  const suffix = attestation === undefined ? '' : ` (attestation ${attestation.id})`;
  if (error instanceof PeerError) {
    logger.warn(`attestation refused: ${error.reason}`);
    // tooth availability [PEER_SENTENCE[attestation?.kind ?? 'server'] -> error.reason]: the peer learns limits
    return new StatusError(error.code, `${PEER_SENTENCE[attestation?.kind ?? 'server']}${suffix}`);
  }
  if (error instanceof StatusError) {
    if (error.cause !== undefined) logger.error(error.message, errorFields(error.cause));
    return error;
  }
  logger.error('unexpected error', errorFields(error));
  return new StatusError(STATUS.INTERNAL, `internal error${suffix}`);
}
