/** The handlers of every gRPC service that go-plugin and SPIRE call in a plugin. */
import type { handleBidiStreamingCall, handleUnaryCall, Server, ServiceDefinition } from '@grpc/grpc-js';
import { HealthCheckResponse_ServingStatus, type HealthServer, HealthService } from '../gen/grpc/health/v1/health.ts';
import { type GRPCBrokerServer, GRPCBrokerService } from '../gen/plugin/broker.ts';
import { type GRPCControllerServer, GRPCControllerService } from '../gen/plugin/controller.ts';
import { type GRPCStdioServer, GRPCStdioService } from '../gen/plugin/stdio.ts';
import { NodeAttestorService as AgentNodeAttestorService } from '../gen/spire/plugin/agent/nodeattestor/v1/nodeattestor.ts';
import { NodeAttestorService as ServerNodeAttestorService } from '../gen/spire/plugin/server/nodeattestor/v1/nodeattestor.ts';
import { type ConfigServer, ConfigService } from '../gen/spire/service/common/config/v1/config.ts';
import { type InitServer, InitService } from '../gen/spire/service/private/init/v1/init.ts';
import type { Logger } from '../log/logger.ts';
import { STATUS, StatusError, wireStatus } from '../status.ts';
import { type AttestationCalls, answerTo } from './attestation-calls.ts';
import type { PluginKind } from './attestation-stream.ts';
import type { PluginConfig } from './plugin-config.ts';

export const CONFIG_SERVICE = 'spire.service.common.config.v1.Config';

/** The node attestor service of each kind. SPIRE refuses a plugin whose answer to Init lacks its name. */
export const NODE_ATTESTOR = {
  server: {
    name: 'spire.plugin.server.nodeattestor.v1.NodeAttestor',
    service: ServerNodeAttestorService as ServiceDefinition,
    method: 'attest',
  },
  agent: {
    name: 'spire.plugin.agent.nodeattestor.v1.NodeAttestor',
    service: AgentNodeAttestorService as ServiceDefinition,
    method: 'aidAttestation',
  },
} as const;

/** The name under which go-plugin asks for the health of a plugin. */
const HEALTH_NAME = 'plugin';

/** The services of go-plugin: the broker, standard output and error, health, and the call that ends the plugin. */
export function addHostServices(server: Server, logger: Logger, onShutdown: () => void): void {
  const broker: GRPCBrokerServer = {
    // The host sends the addresses of its own services here. The plugin uses none, but the stream must stay open.
    startStream: (call) => {
      call.on('data', () => {});
      call.on('end', () => call.end());
    },
  };
  // SPIRE discards what a plugin sends here. It expects a stream that stays open.
  const stdio: GRPCStdioServer = { streamStdio: () => {} };
  const controller: GRPCControllerServer = {
    shutdown: unary(logger, async () => {
      onShutdown();
      return {};
    }),
  };
  const { SERVING, SERVICE_UNKNOWN } = HealthCheckResponse_ServingStatus;
  const health: HealthServer = {
    check: unary(logger, async ({ service }) => {
      if (service !== HEALTH_NAME && service !== '') throw new StatusError(STATUS.NOT_FOUND, 'unknown service');
      return { status: SERVING };
    }),
    watch: (call) => {
      const known = call.request.service === HEALTH_NAME || call.request.service === '';
      call.write({ status: known ? SERVING : SERVICE_UNKNOWN });
    },
  };
  server.addService(GRPCBrokerService, broker);
  server.addService(GRPCStdioService, stdio);
  server.addService(GRPCControllerService, controller);
  server.addService(HealthService, health);
}

/** The services of SPIRE's own layer: Init, Deinit and configuration. */
export function addSpireServices<Config>(
  server: Server,
  logger: Logger,
  kind: PluginKind,
  config: PluginConfig<Config>,
): void {
  const init: InitServer = {
    init: unary(logger, async () => ({ pluginServiceNames: [NODE_ATTESTOR[kind].name, CONFIG_SERVICE] })),
    deinit: unary(logger, async () => ({})),
  };
  const configuration: ConfigServer = {
    configure: unary(logger, (request) => config.configure(request)),
    validate: unary(logger, (request) => config.validate(request)),
  };
  server.addService(InitService, init);
  server.addService(ConfigService, configuration);
}

/** The node attestor service. grpc-js calls the handler when the headers arrive, before any message. */
export function addNodeAttestor<Kind extends PluginKind, Config>(
  server: Server,
  kind: Kind,
  calls: AttestationCalls<Kind, Config>,
): void {
  const { service, method } = NODE_ATTESTOR[kind];
  const handler: handleBidiStreamingCall<unknown, unknown> = (call) => calls.handle(call);
  server.addService(service, { [method]: handler });
}

/** Answers a call even if its handler rejects: grpc-js ignores the promise of an async handler. */
function unary<Request, Response>(
  logger: Logger,
  handler: (request: Request) => Promise<Response>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    Promise.resolve()
      .then(() => handler(call.request))
      .then(
        (response) => callback(null, response),
        (error) => callback(wireStatus(answerTo(error, logger))),
      )
      .catch((error) => logger.error('call could not be answered', { error: String(error) }));
  };
}
