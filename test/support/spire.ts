/** Starts genuine SPIRE servers and agents for a test file, and stops them when it ends. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { SpireAgent, type SpireAgentOptions } from '../../src/testing/spire-agent.ts';
import type { SpireLogRecord } from '../../src/testing/spire-log.ts';
import { type NodeAttestorBlock, tpmAttestor } from '../../src/testing/spire-plugin-block.ts';
import { SpireServer, type SpireServerOptions } from '../../src/testing/spire-server.ts';
import './cli.ts';
import type { SoftwareTpm } from './swtpm.ts';

export { TRUST_DOMAIN } from '../../src/testing/spire-server.ts';

const agents = new Set<SpireAgent>();
const servers = new Set<SpireServer>();
afterAll(async () => {
  await Promise.all([...agents].map((agent) => agent.stop()));
  await Promise.all([...servers].map((server) => server.stop()));
}, 60_000);

/** A server that admits these TPMs. */
export function serverFor(
  tpms: readonly SoftwareTpm[],
  options: Partial<SpireServerOptions> & { readonly config?: string } = {},
): Promise<SpireServer> {
  const { config = '', ...rest } = options;
  return startServer({ nodeAttestors: [tpmAttestor('server', `${admitting(tpms)}\n${config}`)], ...rest });
}

export async function startServer(options: SpireServerOptions): Promise<SpireServer> {
  const server = await SpireServer.start(options);
  servers.add(server);
  return server;
}

/** The plugin_data of a server that admits these TPMs. */
export function admitting(tpms: readonly SoftwareTpm[]): string {
  const [first] = tpms;
  if (first === undefined) throw new RangeError('no TPM');
  const caPath = join(first.folder, 'admitted.pem');
  writeFileSync(caPath, tpms.map((tpm) => readFileSync(tpm.caPath, 'utf8')).join(''));
  return `ca_path = "${caPath}"\nallow_software_tpm = true`;
}

/** The `tpm` NodeAttestor block of an agent on this TPM. */
export function attestorOn(tpm: SoftwareTpm, config = ''): NodeAttestorBlock {
  return tpmAttestor('agent', `tcti = "${tpm.tcti}"\n${config}`);
}

/** An agent of this server, on a TPM or with another attestor. */
export async function agentOf(
  server: Pick<SpireServer, 'bundle' | 'port'>,
  attestor: SoftwareTpm | NodeAttestorBlock,
  options: Partial<SpireAgentOptions> = {},
): Promise<SpireAgent> {
  const agent = await SpireAgent.start({
    serverPort: server.port,
    trustBundle: await server.bundle(),
    nodeAttestor: 'tcti' in attestor ? attestorOn(attestor) : attestor,
    ...options,
  });
  agents.add(agent);
  return agent;
}

/** A condition for `SpireLog.until`: a record with this message, and with these fields if given. */
export function says(message: string | RegExp, fields: Readonly<Record<string, unknown>> = {}) {
  return (record: SpireLogRecord): boolean =>
    (typeof message === 'string' ? record.message === message : message.test(record.message)) &&
    Object.entries(fields).every(([name, value]) => record.fields[name] === value);
}

/** The field `error` of a record. */
export function errorOf({ fields }: SpireLogRecord): string {
  return String(fields['error']);
}

/** The process id of the plugin that this SPIRE process started. */
export async function pluginPid({ process: { log } }: SpireServer | SpireAgent): Promise<number> {
  return Number((await log.until('the plugin starts', says('plugin started', { plugin_name: 'tpm' }))).fields['pid']);
}
