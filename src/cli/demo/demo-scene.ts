/** The set-up of the demo: a TPM, both plugin executables, started as SPIRE starts them, and their logs. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodePayload, type Payload } from '../../evidence/messages.ts';
import { STATUS, StatusError } from '../../spire/status.ts';
import type { HostedLogRecord } from '../../testing/plugin-host/hclog-reader.ts';
import { type PluginHost, startPlugin } from '../../testing/plugin-host/plugin-host.ts';
import { type SoftwareEkTemplate, type SoftwareTpm, startSoftwareTpm } from '../../testing/software-tpm.ts';
import { checksumOf } from '../../testing/spire-plugin-block.ts';
import { EK_TEMPLATE_NAMES } from '../../tpm/templates.ts';
import { UsageError } from '../terminal/failure.ts';
import { TAMPERING_AGENT } from './tampering-agent.ts';

export const TRUST_DOMAIN = 'example.org';

// Both plugins are in the folder of this executable.
const HERE = dirname(fileURLToPath(import.meta.url));
const EXECUTABLES = {
  command: fileURLToPath(import.meta.url),
  agent: join(HERE, 'tpm-attestor-agent.cjs'),
  server: join(HERE, 'tpm-attestor-server.cjs'),
} as const;

export interface KeyChoices {
  readonly ek: 'auto' | 'rsa' | 'ecc';
  readonly ak: 'rsa' | 'ecc';
}

export interface GivenTpm {
  readonly tcti: string;
  readonly caPath: string;
}

/** A plugin and everything it has logged. */
export interface Actor<Kind extends 'agent' | 'server'> {
  readonly host: PluginHost<Kind>;
  /** Complete once the plugin has been stopped. */
  readonly records: readonly HostedLogRecord[];
}

export interface AgentOptions extends KeyChoices {
  readonly tcti: string;
  readonly trustDomain?: string | undefined;
  /** Starts the tampering agent with this kind of AK. */
  readonly dishonestAk?: 'unrestricted' | 'software' | undefined;
}

export class DemoScene {
  readonly tcti: string;
  readonly caPath: string;
  readonly #tpms: SoftwareTpm[] = [];
  readonly #plugins: PluginHost<'agent' | 'server'>[] = [];

  private constructor(tcti: string, caPath: string) {
    this.tcti = tcti;
    this.caPath = caPath;
  }

  /** Uses the given TPM, which is never changed, or starts a software TPM with its own manufacturer CA. */
  static async open(given: GivenTpm | undefined): Promise<DemoScene> {
    for (const path of [EXECUTABLES.agent, EXECUTABLES.server])
      if (!existsSync(path)) throw new UsageError(`${path} is missing; build it with "npm run build"`);
    if (given !== undefined) return new DemoScene(given.tcti, resolve(given.caPath));
    const tpm = await startSoftwareTpm();
    const scene = new DemoScene(tpm.tcti, tpm.caPath);
    scene.#tpms.push(tpm);
    return scene;
  }

  /** @throws UsageError if the server plugin refuses the CA path */
  startServer(): Promise<Actor<'server'>> {
    return this.#start('server', [EXECUTABLES.server], TRUST_DOMAIN, {
      ca_path: this.caPath,
      allow_software_tpm: true,
      // Accepts every template: the demo has only one machine.
      ek_templates: EK_TEMPLATE_NAMES,
    });
  }

  startAgent({ tcti, ek, ak, trustDomain, dishonestAk }: AgentOptions): Promise<Actor<'agent'>> {
    const args = dishonestAk === undefined ? [EXECUTABLES.agent] : [EXECUTABLES.command, TAMPERING_AGENT, dishonestAk];
    return this.#start('agent', args, trustDomain ?? TRUST_DOMAIN, { tcti, ek, ak });
  }

  /** The payload of an agent on another TPM, which another CA certifies. */
  async payloadOfOtherTpm(template: SoftwareEkTemplate, choices: KeyChoices): Promise<Payload> {
    const tpm = await startSoftwareTpm({ templates: [template] });
    this.#tpms.push(tpm);
    const { host } = await this.startAgent({ ...choices, tcti: tpm.tcti });
    const attestation = host.openAttestation();
    try {
      return decodePayload((await attestation.next()).bytes);
    } finally {
      attestation.cancel();
      await host.stop();
    }
  }

  /** The hash of the server plugin's executable. */
  serverSha256(): string {
    return checksumOf(EXECUTABLES.server);
  }

  /** Stops the plugins. Afterwards all log records have been read. */
  async stopPlugins(): Promise<void> {
    await Promise.all(this.#plugins.splice(0).map((plugin) => plugin.stop()));
  }

  async close(): Promise<void> {
    await this.stopPlugins();
    await Promise.all(this.#tpms.splice(0).map((tpm) => tpm.stop()));
  }

  async #start<Kind extends 'agent' | 'server'>(
    kind: Kind,
    args: readonly string[],
    trustDomain: string,
    options: Readonly<Record<string, unknown>>,
  ): Promise<Actor<Kind>> {
    const records: HostedLogRecord[] = [];
    const onLog = (record: HostedLogRecord): void => void records.push(record);
    const host = await startPlugin({ kind, command: process.execPath, args, onLog });
    this.#plugins.push(host);
    try {
      // JSON is accepted as HCL, and its quoting prevents interpolation.
      await host.configure(JSON.stringify(options), trustDomain);
    } catch (cause) {
      if (cause instanceof StatusError && cause.code === STATUS.INVALID_ARGUMENT)
        throw new UsageError(`the ${kind} plugin does not take its configuration: ${cause.message}`, { cause });
      throw cause;
    }
    return { host, records };
  }
}
