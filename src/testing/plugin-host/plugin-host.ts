/** Runs a plugin executable for a test, as SPIRE runs it. */
import { setTimeout as delay } from 'node:timers/promises';
import { Metadata } from '@grpc/grpc-js';
import type { PluginKind } from '../../spire/plugin/attestation-stream.ts';
import { CONFIG_SERVICE, NODE_ATTESTOR } from '../../spire/plugin/plugin-services.ts';
import {
  type AgentAttestation,
  agentAttestation,
  type ServerAttestation,
  serverAttestation,
} from './host-attestation.ts';
import {
  type PluginChild,
  type PluginChildOptions,
  type PluginExit,
  PluginHostError,
  startChild,
} from './plugin-child.ts';
import { PluginConnection, unary } from './plugin-connection.ts';

const DEINIT_TIMEOUT_MS = 10_000;
/** go-plugin kills a plugin that has not ended this long after Shutdown. */
const EXIT_TIMEOUT_MS = 2000;

export interface PluginHostOptions<Kind extends PluginKind> extends PluginChildOptions {
  readonly kind: Kind;
}

export interface PluginStop extends PluginExit {
  /** True when the plugin ended by itself, in time, with code 0. */
  readonly graceful: boolean;
}

export interface Validation {
  readonly valid: boolean;
  readonly notes: readonly string[];
}

interface AttestationOf {
  readonly server: ServerAttestation;
  readonly agent: AgentAttestation;
}

/** A running plugin. Its calls throw StatusError. */
export interface PluginHost<Kind extends PluginKind> {
  readonly kind: Kind;
  readonly pid: number;
  /** The plugin's socket. */
  readonly socketPath: string;
  readonly exited: Promise<PluginExit>;
  configure(hcl: string, trustDomain: string): Promise<void>;
  validate(hcl: string, trustDomain: string): Promise<Validation>;
  /** Opens a new stream. `metadata` is what spire-server would send, such as `x-forwarded-client-ip`. */
  openAttestation(metadata?: Readonly<Record<string, string>>): AttestationOf[Kind];
  /** Sends Deinit and Shutdown, and SIGKILL after two seconds. May be called again. */
  stop(): Promise<PluginStop>;
}

/**
 * Starts a plugin as SPIRE does: with the environment and cookie, the handshake line, the broker and Init.
 *
 * @throws PluginHostError when it does not start
 */
export async function startPlugin<Kind extends PluginKind>(
  options: PluginHostOptions<Kind>,
): Promise<PluginHost<Kind>> {
  const { child, socketPath } = await startChild(options);
  let connection: PluginConnection | undefined;
  try {
    connection = await PluginConnection.open(socketPath);
    const names = await connection.init();
    for (const name of [NODE_ATTESTOR[options.kind].name, CONFIG_SERVICE]) {
      if (!names.includes(name)) throw new PluginHostError(`plugin does not serve ${name}, but: ${names.join(', ')}`);
    }
    return new RunningPlugin(options.kind, child, socketPath, connection);
  } catch (error) {
    child.kill('SIGKILL');
    await child.exited;
    await connection?.close();
    if (error instanceof PluginHostError) throw error;
    throw new PluginHostError(`plugin failed at start: ${(error as Error).message}`, { cause: error });
  }
}

class RunningPlugin<Kind extends PluginKind> implements PluginHost<Kind> {
  readonly kind: Kind;
  readonly pid: number;
  readonly socketPath: string;
  readonly exited: Promise<PluginExit>;
  readonly #child: PluginChild;
  readonly #connection: PluginConnection;
  #stopped: Promise<PluginStop> | undefined;

  constructor(kind: Kind, child: PluginChild, socketPath: string, connection: PluginConnection) {
    this.kind = kind;
    this.pid = child.pid;
    this.socketPath = socketPath;
    this.exited = child.exited;
    this.#child = child;
    this.#connection = connection;
  }

  async configure(hclConfiguration: string, trustDomain: string): Promise<void> {
    const request = { coreConfiguration: { trustDomain }, hclConfiguration };
    await unary((done) => this.#connection.config.configure(request, done));
  }

  async validate(hclConfiguration: string, trustDomain: string): Promise<Validation> {
    const request = { coreConfiguration: { trustDomain }, hclConfiguration };
    return unary((done) => this.#connection.config.validate(request, done));
  }

  openAttestation(metadata: Readonly<Record<string, string>> = {}): AttestationOf[Kind] {
    const headers = new Metadata();
    for (const [key, value] of Object.entries(metadata)) headers.set(key, value);
    const open: { readonly [Of in PluginKind]: () => AttestationOf[Of] } = {
      server: () => serverAttestation(this.#connection.server.attest(headers)),
      agent: () => agentAttestation(this.#connection.agent.aidAttestation(headers)),
    };
    return open[this.kind]();
  }

  stop(): Promise<PluginStop> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<PluginStop> {
    // SPIRE only logs an error of either call. What counts is the end of the process.
    const deadline = { deadline: Date.now() + DEINIT_TIMEOUT_MS };
    await unary((done) => this.#connection.initClient.deinit({}, new Metadata(), deadline, done)).catch(() => {});
    this.#connection.closeBroker();
    const shutdown = unary((done) => this.#connection.controller.shutdown({}, done)).catch(() => {});
    // go-plugin waits here without limit, and would hang with a stopped process.
    await Promise.race([shutdown, this.#child.exited, delay(EXIT_TIMEOUT_MS, undefined, { ref: false })]);
    let killed = false;
    const timer = setTimeout(() => {
      killed = true;
      this.#child.kill('SIGKILL');
    }, EXIT_TIMEOUT_MS);
    const exit = await this.#child.exited;
    clearTimeout(timer);
    await this.#connection.close();
    return { ...exit, graceful: !killed && exit.code === 0 };
  }
}
