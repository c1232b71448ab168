/** Runs a genuine spire-server on loopback with a database of its own, and sends it commands of an operator. */
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { makeScratchFolder, removeScratchFolder } from '../files/scratch-folder.ts';
import { type NodeAttestorBlock, pluginBlock } from './spire-plugin-block.ts';
import { type SpireCommandOutput, type SpireExit, SpireProcess, spireCommand, spireFolder } from './spire-process.ts';

export const TRUST_DOMAIN = 'example.org';

export interface SpireServerOptions {
  readonly nodeAttestors: readonly NodeAttestorBlock[];
  /** A duration in SPIRE's form. Default `1h`. */
  readonly agentTtl?: string;
  /** Switches on SPIRE's limit of one attestation per second and client address. Default false. */
  readonly limitsAttestations?: boolean;
  /** Body of the DataStore's plugin_data. Default: SQLite in `folder`. */
  readonly dataStore?: string;
}

/** A node in the output of `spire-server agent list`. */
export interface AttestedNode {
  readonly id: string;
  readonly attestationType: string;
  readonly banned: boolean;
  readonly canReattest: boolean;
  readonly serialNumber: string;
  /** `type:value` */
  readonly selectors: readonly string[];
}

interface ListedAgent {
  readonly attestation_type: string;
  readonly banned: boolean;
  readonly can_reattest: boolean;
  readonly id: { readonly trust_domain: string; readonly path: string };
  readonly selectors: readonly { readonly type: string; readonly value: string }[];
  readonly x509svid_serial_number: string;
}

export class SpireServer {
  /** Holds all files of this server. `stop` removes it. */
  readonly folder: string;
  readonly port: number;
  readonly process: SpireProcess;
  readonly #file: string;

  private constructor(folder: string, port: number, file: string, process: SpireProcess) {
    this.folder = folder;
    this.port = port;
    this.#file = file;
    this.process = process;
  }

  /**
   * Resolves when the server answers.
   *
   * @throws SpireError; Error with the end of the log when the server does not start
   */
  static async start(options: SpireServerOptions): Promise<SpireServer> {
    const file = join(await spireFolder(), 'spire-server');
    const folder = makeScratchFolder('spire-server-');
    const port = await freePort();
    const config = join(folder, 'server.conf');
    await writeFile(config, serverConfig(folder, port, options));
    const process = new SpireProcess(file, ['run', '-config', config], { temporary: folder });
    const server = new SpireServer(folder, port, file, process);
    try {
      const { log } = server.process;
      const serves = (network: string) =>
        log.until(`${network} API`, ({ message, fields }) => {
          return message === 'Starting Server APIs' && fields['network'] === network;
        });
      await Promise.all([serves('unix'), serves('tcp')]);
      await server.#answers();
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  get socketPath(): string {
    return join(this.folder, 'api.sock');
  }

  /** Runs `spire-server WORDS… -socketPath …`. Rejects when the command fails. */
  command(...words: readonly string[]): Promise<SpireCommandOutput> {
    return spireCommand(this.#file, [...words, '-socketPath', this.socketPath]);
  }

  /** PEM of the trust bundle, for `trust_bundle_path`. */
  async bundle(): Promise<string> {
    return (await this.command('bundle', 'show')).stdout;
  }

  async nodes(): Promise<readonly AttestedNode[]> {
    const { stdout } = await this.command('agent', 'list', '-output', 'json');
    const { agents } = JSON.parse(stdout) as { readonly agents: readonly ListedAgent[] };
    return agents.map((agent) => ({
      id: `spiffe://${agent.id.trust_domain}${agent.id.path}`,
      attestationType: agent.attestation_type,
      banned: agent.banned,
      canReattest: agent.can_reattest,
      serialNumber: agent.x509svid_serial_number,
      selectors: agent.selectors.map(({ type, value }) => `${type}:${value}`),
    }));
  }

  /** Ends the server and removes its folder. May be called again. */
  async stop(): Promise<SpireExit> {
    const exit = await this.process.stop();
    await removeScratchFolder(this.folder);
    return exit;
  }

  /** Waits until the socket listens, which is a moment after the log line. */
  async #answers(): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        await this.command('healthcheck');
        return;
      } catch (error) {
        if (tries === 20) throw error;
      }
    }
  }
}

/** The configuration of a server with no more than an attestation needs. */
export function serverConfig(folder: string, port: number, options: SpireServerOptions): string {
  const { nodeAttestors, agentTtl = '1h', limitsAttestations = false } = options;
  const sqlite = `database_type = "sqlite3"\n      connection_string = ${JSON.stringify(join(folder, 'datastore.sqlite3'))}`;
  return `server {
  bind_address = "127.0.0.1"
  bind_port = "${port}"
  trust_domain = "${TRUST_DOMAIN}"
  data_dir = ${JSON.stringify(folder)}
  socket_path = ${JSON.stringify(join(folder, 'api.sock'))}
  log_level = "DEBUG"
  log_format = "json"
  agent_ttl = "${agentTtl}"
  ratelimit {
    attestation = ${limitsAttestations}
    signing = false
  }
}
plugins {
  DataStore "sql" {
    plugin_data {
      ${options.dataStore ?? sqlite}
    }
  }
  KeyManager "memory" {
    plugin_data {}
  }
${nodeAttestors.map(pluginBlock).join('')}}
`;
}

/** A port that is free now. Another process could take it in between, but that is unlikely on a test machine. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('a listening TCP socket has a port');
  return address.port;
}
