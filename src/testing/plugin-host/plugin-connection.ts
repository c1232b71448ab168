/** The gRPC connection of a host to a plugin under test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Client,
  type ClientDuplexStream,
  type ClientOptions,
  type ClientReadableStream,
  credentials,
  Server,
  ServerCredentials,
  type ServiceError,
} from '@grpc/grpc-js';
import { type ConnInfo, GRPCBrokerClient } from '../../spire/gen/plugin/broker.ts';
import { GRPCControllerClient } from '../../spire/gen/plugin/controller.ts';
import { GRPCStdioClient } from '../../spire/gen/plugin/stdio.ts';
import { NodeAttestorClient as AgentClient } from '../../spire/gen/spire/plugin/agent/nodeattestor/v1/nodeattestor.ts';
import { NodeAttestorClient as ServerClient } from '../../spire/gen/spire/plugin/server/nodeattestor/v1/nodeattestor.ts';
import { ConfigClient } from '../../spire/gen/spire/service/common/config/v1/config.ts';
import { InitClient, type InitResponse } from '../../spire/gen/spire/service/private/init/v1/init.ts';
import { MAX_SOCKET_PATH_BYTES } from '../../spire/plugin/plugin-socket.ts';
import { type StatusCode, StatusError } from '../../spire/status.ts';
import { PluginHostError } from './plugin-child.ts';

/** Broker id of SPIRE's host services. */
const HOST_SERVICES_ID = 1;

/** One HTTP/2 connection to a plugin, with the two long streams of go-plugin and the listener of its broker. */
export class PluginConnection {
  readonly initClient: InitClient;
  readonly config: ConfigClient;
  readonly controller: GRPCControllerClient;
  readonly server: ServerClient;
  readonly agent: AgentClient;
  readonly #client: Client;
  readonly #broker: ClientDuplexStream<ConnInfo, ConnInfo>;
  readonly #stdio: ClientReadableStream<unknown>;
  readonly #hostServices: Server;
  readonly #directory: string;

  private constructor(socketPath: string, hostServices: Server, directory: string) {
    const address = `unix:${socketPath}`;
    const plain = credentials.createInsecure();
    // The authority and the limits of a go-plugin host.
    const options: ClientOptions = {
      'grpc.default_authority': 'unused',
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      'grpc.enable_retries': 0,
    };
    this.#client = new Client(address, plain, options);
    const shared: ClientOptions = { ...options, channelOverride: this.#client.getChannel() };
    this.initClient = new InitClient(address, plain, shared);
    this.config = new ConfigClient(address, plain, shared);
    this.controller = new GRPCControllerClient(address, plain, shared);
    this.server = new ServerClient(address, plain, shared);
    this.agent = new AgentClient(address, plain, shared);
    this.#broker = new GRPCBrokerClient(address, plain, shared).startStream();
    this.#stdio = new GRPCStdioClient(address, plain, shared).streamStdio({});
    for (const stream of [this.#broker, this.#stdio]) {
      stream.on('data', () => {});
      stream.on('error', () => {});
    }
    this.#hostServices = hostServices;
    this.#directory = directory;
  }

  static async open(socketPath: string): Promise<PluginConnection> {
    const directory = await mkdtemp(join(tmpdir(), 'spire-host-'));
    const path = join(directory, 'broker.sock');
    if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
      await rm(directory, { recursive: true });
      throw new PluginHostError(
        `socket path is longer than ${MAX_SOCKET_PATH_BYTES} bytes: ${path}; set TMPDIR to a shorter one`,
      );
    }
    const hostServices = new Server();
    try {
      await new Promise<void>((resolve, reject) => {
        hostServices.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => {
          if (error === null) resolve();
          else reject(error);
        });
      });
    } catch (error) {
      await rm(directory, { recursive: true });
      throw error;
    }
    const connection = new PluginConnection(socketPath, hostServices, directory);
    connection.#broker.write({ serviceId: HOST_SERVICES_ID, network: 'unix', address: path, knock: undefined });
    return connection;
  }

  /** The names of the services that the plugin offers. This host offers no services. */
  async init(): Promise<readonly string[]> {
    const response = await unary<InitResponse>((done) => this.initClient.init({ hostServiceNames: [] }, done));
    return response.pluginServiceNames;
  }

  closeBroker(): void {
    this.#broker.cancel();
  }

  async close(): Promise<void> {
    this.#broker.cancel();
    this.#stdio.cancel();
    this.#client.close();
    this.#hostServices.forceShutdown();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** A unary call as a promise that rejects with a StatusError. */
export function unary<Response>(
  call: (done: (error: ServiceError | null, response: Response) => void) => unknown,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    call((error, response) => {
      if (error === null) resolve(response);
      else reject(new StatusError(error.code as StatusCode, error.details));
    });
  });
}
