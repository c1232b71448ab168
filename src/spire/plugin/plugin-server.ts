import { createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { hostLog } from '../log/host-log.ts';
import { createLogger, errorFields, type Logger } from '../log/logger.ts';
import { Output, outputHoldsThread } from '../log/output.ts';
import { captureStrayOutput } from '../log/stray-output.ts';
import { STATUS, StatusError } from '../status.ts';
import type { PluginKind } from './attestation-stream.ts';
import { formatHandshake, hostObjection, startedByHost } from './handshake.ts';
import type { PluginDefinition } from './plugin-definition.ts';
import { guardProcess } from './plugin-process.ts';
import type { PluginService } from './plugin-service.ts';
import { type PluginSocket, preparePluginSocket, removeStaleSockets } from './plugin-socket.ts';

/** Time to send the answer to Shutdown: an exit on the same tick would lose it. */
const SHUTDOWN_ANSWER_MS = 75;
/** Time for handlers to flush their TPM objects. The host kills the plugin 2 s after the answer to Shutdown. */
const HANDLER_GRACE_MS = 1200;
/** Time for the host to run its ordered stop after SIGTERM. With the grace below, the plugin ends within 2 s. */
const SERVE_AFTER_SIGTERM_MS = 800;
const GRACE_AFTER_SIGTERM_MS = 700;
/** Time to write the last log records if the host reads slowly. */
const LAST_RECORDS_MS = 250;
/** Time to write the handshake line if standard output is full. */
const HANDSHAKE_MS = 2000;

export interface PluginProcess<Kind extends PluginKind> {
  readonly kind: Kind;
  readonly version: string;
  /** Default: hclog lines on standard error. */
  readonly logger?: Logger;
}

/** Loads the plugin's code, after the host has the handshake line. Until then only the socket is needed. */
export type LoadDefinition<Kind extends PluginKind, Config> = (
  logger: Logger,
) => Promise<PluginDefinition<Kind, Config>>;

/**
 * Serves one SPIRE node attestor plugin from this process, by the protocol of HashiCorp's go-plugin. Resolves when the
 * plugin answers calls. Shutdown, SIGTERM or the end of the host ends the process. A failed start gives one error
 * record and exit code 1.
 */
export async function servePlugin<Kind extends PluginKind, Config>(
  plugin: PluginProcess<Kind>,
  load: LoadDefinition<Kind, Config>,
): Promise<void> {
  if (!startedByHost(process.env)) {
    process.exitCode = 1;
    new Output(2).write(helpText(plugin));
    return;
  }
  const logger = plugin.logger ?? createLogger();
  const life = new PluginLife(plugin, load, logger);
  captureStrayOutput(logger);
  guardProcess(logger, {
    onTerminate: () => void life.terminate(),
    onOrphaned: () => void life.stop(GRACE_AFTER_SIGTERM_MS),
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
  readonly #plugin: PluginProcess<Kind>;
  readonly #load: LoadDefinition<Kind, Config>;
  readonly #logger: Logger;
  #exit: (code: number) => void = (code) => process.exit(code);
  #service: PluginService | undefined;
  #socket: PluginSocket | undefined;
  #serving = false;
  #ended = false;

  constructor(plugin: PluginProcess<Kind>, load: LoadDefinition<Kind, Config>, logger: Logger) {
    this.#plugin = plugin;
    this.#load = load;
    this.#logger = logger;
  }

  async start(): Promise<void> {
    const objection = hostObjection(process.env);
    if (objection !== undefined) throw new Error(objection);
    const { kind, version } = this.#plugin;
    const socket = await preparePluginSocket(process.env);
    this.#socket = socket;
    process.once('exit', () => socket.remove());
    // The host dials as soon as it has read the line. Its connections wait until gRPC is loaded. The socket stays open
    // for the whole life: after about 1000 cancelled streams Node's HTTP/2 sends GOAWAY, and the host dials again.
    const early: Socket[] = [];
    await listening(socket.path, (connection) => {
      if (this.#service === undefined) early.push(connection);
      else this.#service.serve(connection);
    });
    await socket.restrict();
    await handshakeWritten(socket.path);
    // A plugin works for milliseconds and then waits for hours, so memory counts more than throughput. Given as
    // arguments of Node, these flags would make it recompile its own modules, which takes 15 % of the whole start.
    setFlagsFromString('--optimize-for-size');
    setFlagsFromString('--semi-space-growth-factor=1');
    const service = await this.#loadService();
    for (const connection of early.splice(0)) service.serve(connection);
    this.#service = service;
    this.#serving = true;
    this.#logger.debug('plugin is serving', { kind, version });
    const removed = await removeStaleSockets(process.env).catch(() => 0);
    if (removed > 0) this.#logger.debug('removed sockets left behind by earlier plugins', { removed });
  }

  async #loadService(): Promise<PluginService> {
    const [{ pluginService }, definition] = await Promise.all([
      import('./plugin-service.ts'),
      this.#load(this.#logger),
    ]);
    this.#exit = definition.exit ?? this.#exit;
    return pluginService(this.#plugin.kind, definition, this.#logger, () => void this.#shutdown());
  }

  async #shutdown(): Promise<void> {
    await Promise.all([this.#service?.stop(PLUGIN_ENDS, HANDLER_GRACE_MS), delay(SHUTDOWN_ANSWER_MS)]);
    this.end(0);
  }

  /** Ends the process when the attestations under way have ended, or after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    await this.#service?.stop(PLUGIN_ENDS, graceMs);
    this.end(0);
  }

  async terminate(): Promise<void> {
    this.#logger.info('SIGTERM: serving the host until it stops this plugin, for less than 2 s');
    await delay(SERVE_AFTER_SIGTERM_MS);
    await this.stop(GRACE_AFTER_SIGTERM_MS);
  }

  /** Before the plugin serves, the host only waits for it, so an error ends it. Later it goes on serving. */
  strayError(): void {
    if (!this.#serving) this.end(1);
  }

  end(code: number): void {
    if (this.#ended) return;
    this.#ended = true;
    // Remove the socket first: the rest may never return.
    this.#socket?.remove();
    void hostLog.flushed(LAST_RECORDS_MS).then(() => {
      // process.exit would wait for that thread, and the thread waits for the host.
      if (outputHoldsThread()) process.kill(process.pid, 'SIGKILL');
      this.#exit(code);
    });
  }
}

/** @throws Error if the host does not read the line */
async function handshakeWritten(socketPath: string): Promise<void> {
  const output = new Output(1);
  output.write(formatHandshake(socketPath));
  const isWritten = await output.flushed(HANDSHAKE_MS);
  if (!isWritten) throw new Error('the host does not read the handshake line');
}

/** A connection may reach gRPC late: Node's HTTP/2 starts with the bytes that were read meanwhile. */
async function listening(path: string, onConnection: (connection: Socket) => void): Promise<void> {
  const listener = createServer(onConnection);
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject).listen(path, resolve);
  });
}

const PLUGIN_ENDS = new StatusError(STATUS.UNAVAILABLE, 'plugin is shutting down');

function helpText({ kind, version }: Pick<PluginProcess<PluginKind>, 'kind' | 'version'>): string {
  return (
    `tpm-attestor-${kind} ${version} is a plugin of spire-${kind}, which starts it by itself.\n` +
    `Name it in the configuration of spire-${kind}: NodeAttestor "tpm" { plugin_cmd = "…" plugin_data { … } }\n`
  );
}
