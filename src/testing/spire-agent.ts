/** Runs a genuine spire-agent with a given node attestor, and fetches the SVID of a workload from it. */
import { chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeScratchFolder, removeScratchFolder } from '../files/scratch-folder.ts';
import { type NodeAttestorBlock, pluginBlock } from './spire-plugin-block.ts';
import { type SpireExit, SpireProcess, spireCommand, spireFolder } from './spire-process.ts';
import { TRUST_DOMAIN } from './spire-server.ts';

export interface SpireAgentOptions {
  readonly serverPort: number;
  /** PEM. */
  readonly trustBundle: string;
  readonly nodeAttestor: NodeAttestorBlock;
  readonly joinToken?: string;
  /** A command that becomes spire-agent by exec, such as `unshare`. */
  readonly under?: readonly string[];
  /** Runs spire-agent as this user, with these groups only. */
  readonly user?: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
}

export class SpireAgent {
  /** Holds all files of this agent. `stop` removes it. */
  readonly folder: string;
  readonly process: SpireProcess;
  readonly #file: string;

  private constructor(folder: string, file: string, process: SpireProcess) {
    this.folder = folder;
    this.#file = file;
    this.process = process;
  }

  /** Resolves when the process has started; `attested` waits for the attestation. @throws SpireError */
  static async start(options: SpireAgentOptions): Promise<SpireAgent> {
    const file = join(await spireFolder(), 'spire-agent');
    const folder = makeScratchFolder('spire-agent-');
    const [config, bundle] = [join(folder, 'agent.conf'), join(folder, 'bundle.pem')];
    await writeFile(bundle, options.trustBundle);
    await writeFile(config, agentConfig(folder, bundle, options));
    const { user } = options;
    if (user !== undefined) for (const path of [folder, config, bundle]) await chown(path, user.uid, user.gid);
    const as =
      user === undefined
        ? []
        : ['--reuid', `${user.uid}`, '--regid', `${user.gid}`, '--groups', [user.gid, ...user.groups].join(',')];
    return new SpireAgent(
      folder,
      file,
      new SpireProcess(file, ['run', '-config', config], { as, under: options.under ?? [], temporary: folder }),
    );
  }

  /** Waits until the agent serves workloads, and returns its SPIFFE ID. Otherwise rejects with the end of the log. */
  async attested(timeoutMs?: number): Promise<string> {
    const { log } = this.process;
    const options = timeoutMs === undefined ? {} : { timeoutMs };
    const done = await log.until(
      'attestation',
      ({ message }) => message === 'Node attestation was successful',
      options,
    );
    await log.until('Workload API', ({ message }) => message === 'Starting agent APIs', options);
    return String(done.fields['spiffe_id']);
  }

  get socketPath(): string {
    return join(this.folder, 'api.sock');
  }

  /**
   * The SPIFFE ID of the X.509-SVID that a workload of this process's user gets. It asks repeatedly, because a new
   * entry reaches the agent only at the next sync.
   *
   * @throws the last error of `spire-agent api fetch`
   */
  async workloadId(timeoutMs = 20_000): Promise<string> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      try {
        const { stdout } = await spireCommand(this.#file, [
          ...['api', 'fetch', 'x509', '-socketPath', this.socketPath, '-timeout', '5s', '-output', 'json'],
        ]);
        const { svids } = JSON.parse(stdout) as { readonly svids: readonly { readonly spiffe_id: string }[] };
        if (svids[0] !== undefined) return svids[0].spiffe_id;
        throw new Error('the agent has no SVID for this workload');
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await sleep(200);
      }
    }
  }

  /** Ends the agent and removes its folder. May be called again. */
  async stop(): Promise<SpireExit> {
    const exit = await this.process.stop();
    await removeScratchFolder(this.folder);
    return exit;
  }
}

/** The configuration of an agent that keeps its keys in memory and syncs every second. */
function agentConfig(folder: string, bundle: string, options: SpireAgentOptions): string {
  const { serverPort, nodeAttestor, joinToken } = options;
  return `agent {
  server_address = "127.0.0.1"
  server_port = "${serverPort}"
  trust_domain = "${TRUST_DOMAIN}"
  data_dir = ${JSON.stringify(folder)}
  socket_path = ${JSON.stringify(join(folder, 'api.sock'))}
  trust_bundle_path = ${JSON.stringify(bundle)}
${joinToken === undefined ? '' : `  join_token = "${joinToken}"\n`}  log_level = "DEBUG"
  log_format = "json"
  experimental {
    sync_interval = "1s"
  }
}
plugins {
  KeyManager "memory" {
    plugin_data {}
  }
${pluginBlock(nodeAttestor)}  WorkloadAttestor "unix" {
    plugin_data {}
  }
}
`;
}
