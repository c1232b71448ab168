/** The start of a go-plugin connection: the environment the host sets, and the handshake line the plugin prints. */
import { isAbsolute } from 'node:path';

/** Server and agent use the same cookie: SPIRE tells its plugins apart by the result of Init. */
export const MAGIC_COOKIE = 'NodeAttestor';

const CORE_PROTOCOL_VERSION = 1;
export const APP_PROTOCOL_VERSION = 1;

export type PluginEnvironment = Readonly<Record<string, string | undefined>>;

export function startedByHost(env: PluginEnvironment): boolean {
  return env[MAGIC_COOKIE] === MAGIC_COOKIE;
}

/** Why the plugin cannot serve this host. Undefined if it can. */
export function hostObjection(env: PluginEnvironment): string | undefined {
  if (env['PLUGIN_CLIENT_CERT']) {
    return 'PLUGIN_CLIENT_CERT is set: mutual TLS between SPIRE and its plugins is not supported; remove it from the environment of SPIRE';
  }
  const versions = env['PLUGIN_PROTOCOL_VERSIONS'];
  if (versions && !versions.split(',').some((version) => Number(version) === APP_PROTOCOL_VERSION)) {
    return `the host speaks plugin protocol ${versions}, this plugin speaks ${APP_PROTOCOL_VERSION}`;
  }
  return undefined;
}

/** The line that go-plugin reads from standard output, newline included. */
export function formatHandshake(socketPath: string): string {
  return `${CORE_PROTOCOL_VERSION}|${APP_PROTOCOL_VERSION}|unix|${socketPath}|grpc|\n`;
}

/**
 * Parses the handshake line, with the checks of go-plugin.
 *
 * @returns the absolute path of the plugin's socket
 * @throws RangeError that says what is wrong with the line
 */
export function parseHandshake(line: string): string {
  const parts = line.trim().split('|');
  const [core, app, network, address, protocol = 'netrpc', certificate = ''] = parts;
  if (parts.length < 4 || address === undefined) throw new RangeError(`Unrecognized remote plugin message: ${line}`);
  if (Number(core) !== CORE_PROTOCOL_VERSION) throw new RangeError(`incompatible core API version ${core}`);
  if (Number(app) !== APP_PROTOCOL_VERSION) throw new RangeError(`incompatible API version ${app}`);
  if (network !== 'unix') throw new RangeError(`unknown address type: ${network}`);
  if (!isAbsolute(address)) throw new RangeError(`socket path is not absolute: ${address}`);
  if (protocol !== 'grpc') throw new RangeError(`unsupported plugin protocol ${protocol}, expected grpc`);
  if (certificate.length > 50) throw new RangeError('plugin wants TLS, but the host did not ask for it');
  return address;
}
