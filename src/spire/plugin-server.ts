import { setTimeout as delay } from 'node:timers/promises';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { type AttestationLimits, DEFAULT_LIMITS } from './attestation-call.ts';
import { AttestationCalls } from './attestation-calls.ts';
import type { AttestationStream, PluginKind } from './attestation-stream.ts';
import { formatHandshake, hostObjection, startedByHost } from './handshake.ts';
import { createLogger, errorFields, type Logger } from './logger.ts';
import { PluginConfig, type PluginConfigDefinition } from './plugin-config.ts';
import { guardProcess } from './plugin-process.ts';
import { addHostServices, addNodeAttestor, addSpireServices } from './plugin-services.ts';
import { type PluginSocket, preparePluginSocket, removeStaleSockets } from './plugin-socket.ts';
import { writeStandardError, writeStandardOutput } from './standard-error.ts';
import { STATUS, StatusError } from './status.ts';
import { captureStrayOutput } from './stray-output.ts';

/** Exiting on the tick of the answer would lose the answer. */
const SHUTDOWN_ANSWER_MS = 75;
/** For handlers to flush what they hold in the TPM. The host kills 2 s after the answer to Shutdown. */
const HANDLER_GRACE_MS = 1200;
/** After SIGTERM the host may still run its ordered stop for so long; with the grace after it, the end is within 2 s. */
const SERVE_AFTER_SIGTERM_MS = 800;
const GRACE_AFTER_SIGTERM_MS = 700;

export interface PluginDefinition<Kind extends PluginKind, Config> {
  readonly kind: Kind;
  readonly version: string;
  /** Default: hclog lines on standard error. */
  readonly logger?: Logger;
  readonly config: PluginConfigDefinition<Config>;
  /**
   * One attestation, called as soon as its stream opens, with the configuration then in force. A StatusError is the
   * answer; any other error is logged, and answered with INTERNAL and a generic text. A server plugin has answered when
   * it sent `agent_attributes`, an agent plugin when it sent `payload`.
   */
  attest(stream: AttestationStream<Kind>, config: Config): Promise<void>;
  readonly limits?: (config: Config) => Partial<AttestationLimits>;
  /**
   * Ends the process at once. Default `process.exit`, which waits for a thread that is blocked in a TPM command; a plugin
   * with such threads gives another one.
   */
  readonly exit?: (code: number) => void;
}

/**
 * Serves one SPIRE node attestor plugin from this process, as HashiCorp's go-plugin and SPIRE expect it. Resolves when the
 * handshake line is out; the process ends by Shutdown, SIGTERM or the end of its host. A failed start is one error record
 * and exit code 1.
 */
export async function servePlugin<Kind extends PluginKind, Config>(
  definition: PluginDefinition<Kind, Config>,
): Promise<void> {
  const exit = definition.exit ?? ((code: number) => process.exit(code));
  if (!startedByHost(process.env)) {
    writeStandardError(helpText(definition));
    exit(1);
    return;
  }
  const logger = definition.logger ?? createLogger();
  const life = new PluginLife(definition, logger, exit);
  captureStrayOutput(logger);
  guardProcess(logger, {
    onTerminate: () => void life.terminate(),
    onOrphaned: () => life.end(0),
    onStrayError: () => life.strayError(),
  });
  try {
    await life.start();
  } catch (error) {
    logger.error('plugin could not start', errorFields(error));
    life.end(1);
  }
}

class PluginLife<Kind extends PluginKind, Config> {
  readonly #definition: PluginDefinition<Kind, Config>;
  readonly #logger: Logger;
  readonly #exit: (code: number) => void;
  readonly #server: Server = new Server();
  readonly #calls: AttestationCalls<Kind, Config>;
  readonly #config: PluginConfig<Config>;
  #socket: PluginSocket | undefined;
  #serving = false;
  #ended = false;

  constructor(definition: PluginDefinition<Kind, Config>, logger: Logger, exit: (code: number) => void) {
    this.#definition = definition;
    this.#logger = logger;
    this.#exit = exit;
    this.#config = new PluginConfig(definition.config);
    this.#calls = new AttestationCalls({
      kind: definition.kind,
      logger,
      config: () => this.#config.current(),
      limits: (config) => ({ ...DEFAULT_LIMITS, ...definition.limits?.(config) }),
      attest: (stream, config) => definition.attest(stream, config),
    });
  }

  async start(): Promise<void> {
    const objection = hostObjection(process.env);
    if (objection !== undefined) throw new Error(objection);
    const { kind, version } = this.#definition;
    addHostServices(this.#server, this.#logger, () => void this.#shutdown());
    addSpireServices(this.#server, this.#logger, kind, this.#config);
    addNodeAttestor(this.#server, kind, this.#calls);
    const socket = await preparePluginSocket(process.env);
    this.#socket = socket;
    process.once('exit', () => socket.remove());
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(`unix:${socket.path}`, ServerCredentials.createInsecure(), (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
    await socket.restrict();
    // The host dials as soon as it has read the line. The socket stays for the whole life: the host dials again after
    // about a thousand cancelled streams, when Node's HTTP/2 answers them with GOAWAY.
    writeStandardOutput(formatHandshake(socket.path));
    this.#serving = true;
    this.#logger.debug('plugin is serving', { kind, version });
    const removed = await removeStaleSockets(process.env).catch(() => 0);
    if (removed > 0) this.#logger.debug('removed sockets left behind by earlier plugins', { removed });
  }

  async #shutdown(): Promise<void> {
    await Promise.all([this.#calls.stop(PLUGIN_ENDS, HANDLER_GRACE_MS), delay(SHUTDOWN_ANSWER_MS)]);
    this.end(0);
  }

  async terminate(): Promise<void> {
    this.#logger.info('SIGTERM: serving the host until it stops this plugin, for less than 2 s');
    await delay(SERVE_AFTER_SIGTERM_MS);
    await this.#calls.stop(PLUGIN_ENDS, GRACE_AFTER_SIGTERM_MS);
    this.end(0);
  }

  /** Before the handshake the host waits for the line and reacts to nothing else; after it, serving goes on. */
  strayError(): void {
    if (!this.#serving) this.end(1);
  }

  end(code: number): void {
    if (this.#ended) return;
    this.#ended = true;
    // The file first: what follows may never return.
    this.#socket?.remove();
    this.#exit(code);
  }
}

const PLUGIN_ENDS = new StatusError(STATUS.UNAVAILABLE, 'plugin is shutting down');

function helpText({ kind, version }: { readonly kind: PluginKind; readonly version: string }): string {
  return (
    `tpm-attestor-${kind} ${version} is a plugin of spire-${kind}, which starts it by itself.\n` +
    `Name it in the configuration of spire-${kind}: NodeAttestor "tpm" { plugin_cmd = "…" plugin_data { … } }\n`
  );
}
