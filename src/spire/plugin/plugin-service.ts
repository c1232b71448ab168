/** The gRPC server of a plugin: all services its host calls. The caller accepts the connections. */
import type { Socket } from 'node:net';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { Logger } from '../log/logger.ts';
import type { StatusError } from '../status.ts';
import { DEFAULT_LIMITS } from './attestation-call.ts';
import { AttestationCalls } from './attestation-calls.ts';
import type { PluginKind } from './attestation-stream.ts';
import { PluginConfig } from './plugin-config.ts';
import type { PluginDefinition } from './plugin-definition.ts';
import { addHostServices, addNodeAttestor, addSpireServices } from './plugin-services.ts';

export interface PluginService {
  /** Serves gRPC on a connection from the host. */
  serve(connection: Socket): void;
  /** Fails every attestation under way, then waits for their handlers, but no longer than `timeoutMs`. */
  stop(reason: StatusError, timeoutMs: number): Promise<void>;
}

/** @param onShutdown called when the host asks the plugin to end */
export function pluginService<Kind extends PluginKind, Config>(
  kind: Kind,
  { config: configDefinition, limits, attest, idle }: PluginDefinition<Kind, Config>,
  logger: Logger,
  onShutdown: () => void,
): PluginService {
  const server = new Server();
  const config = new PluginConfig(configDefinition);
  const calls = new AttestationCalls<Kind, Config>({
    kind,
    logger,
    config: () => config.current(),
    limits: (current) => ({ ...DEFAULT_LIMITS, ...limits?.(current) }),
    attest,
    idle,
  });
  addHostServices(server, logger, onShutdown);
  addSpireServices(server, logger, kind, config);
  addNodeAttestor(server, kind, calls);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return {
    serve: (connection) => injector.injectConnection(connection),
    stop: (reason, timeoutMs) => calls.stop(reason, timeoutMs),
  };
}
