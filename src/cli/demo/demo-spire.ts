/**
 * `tpm-attestor-demo spire`: a genuine spire-server and spire-agent attest a software TPM, and a workload gets its
 * SVID.
 */
import { Command } from 'commander';
import { type SoftwareTpm, startSoftwareTpm } from '../../testing/software-tpm.ts';
import { SpireAgent } from '../../testing/spire-agent.ts';
import { tpmAttestor } from '../../testing/spire-plugin-block.ts';
import { spireCommand, spireFolder } from '../../testing/spire-process.ts';
import { SpireServer, TRUST_DOMAIN } from '../../testing/spire-server.ts';
import { EXIT } from '../terminal/failure.ts';
import { type JsonOptions, jsonOption } from '../terminal/options.ts';
import { remark, say, sayJson } from '../terminal/terminal.ts';

/** So short that the agent renews its SVID during the demo. */
const AGENT_TTL = '20s';
const ROTATION_TIMEOUT_MS = 60_000;
const NODE_ALIAS = `spiffe://${TRUST_DOMAIN}/edge`;
const WORKLOAD = `spiffe://${TRUST_DOMAIN}/workload`;

export interface DemoSpireDocument {
  readonly agent_id: string;
  readonly selectors: readonly string[];
  readonly can_reattest: boolean;
  readonly workload_spiffe_id: string;
  /** The number of new SVIDs of the agent, each after a new quote. */
  readonly rotations: number;
  readonly spire_version: string;
}

export function demoSpireCommand(): Command {
  return new Command('spire')
    .description('attest a software TPM through a genuine spire-server and spire-agent, and fetch a workload SVID')
    .addOption(jsonOption())
    .action(async (options: JsonOptions) => {
      const document = await demonstrate(options.json ? remark : say);
      if (options.json) sayJson(document);
      process.exitCode = EXIT.OK;
    });
}

async function demonstrate(tell: (line: string) => void): Promise<DemoSpireDocument> {
  const folder = await spireFolder();
  const { stdout, stderr } = await spireCommand(`${folder}/spire-server`, ['--version']);
  const version = (stdout || stderr).trim();
  tell(`spire      spire-server and spire-agent ${version}, trust domain ${TRUST_DOMAIN}, on loopback`);
  const tpm = await startSoftwareTpm({ templates: ['L-1'] });
  tell('tpm        a software TPM made now, its endorsement key certified by a manufacturer CA made with it');
  let server: SpireServer | undefined;
  let agent: SpireAgent | undefined;
  try {
    server = await startServer(tpm);
    tell('server     serves, with the tpm attestor under plugin_checksum');
    agent = await SpireAgent.start({
      serverPort: server.port,
      trustBundle: await server.bundle(),
      nodeAttestor: tpmAttestor('agent', `tcti = "${tpm.tcti}"`),
    });
    return await watch(server, agent, version, tell);
  } finally {
    await agent?.stop();
    await server?.stop();
    await tpm.stop();
  }
}

function startServer(tpm: SoftwareTpm): Promise<SpireServer> {
  const data = `ca_path = "${tpm.caPath}"\nallow_software_tpm = true`;
  return SpireServer.start({ agentTtl: AGENT_TTL, nodeAttestors: [tpmAttestor('server', data)] });
}

async function watch(
  server: SpireServer,
  agent: SpireAgent,
  version: string,
  tell: (line: string) => void,
): Promise<DemoSpireDocument> {
  const agentId = await agent.attested();
  tell(`attested   ${agentId}`);
  const node = (await server.nodes()).find(({ id }) => id === agentId);
  if (node === undefined) throw new Error(`spire-server does not list ${agentId}`);
  for (const selector of node.selectors) tell(`selector   ${selector}`);

  await server.command('entry', 'create', '-node', '-spiffeID', NODE_ALIAS, ...selectorWords(node.selectors));
  await server.command(
    ...['entry', 'create', '-parentID', NODE_ALIAS, '-spiffeID', WORKLOAD],
    ...selectorWords([`unix:uid:${process.getuid?.() ?? 0}`]),
  );
  tell(`entries    ${NODE_ALIAS} for nodes with these selectors, ${WORKLOAD} for this user on them`);
  const workload = await agent.workloadId();
  tell(`workload   got an X.509-SVID for ${workload}`);

  tell(`rotation   waiting for the agent's next SVID (agent_ttl is ${AGENT_TTL} here)`);
  const renewed = 'Successfully reattested node';
  const { log } = agent.process;
  await log.until(renewed, ({ message }) => message === renewed, { timeoutMs: ROTATION_TIMEOUT_MS });
  const rotations = log.records.filter(({ message }) => message === renewed).length;
  tell('rotation   done: a new quote, a new SVID, the same agent ID');
  return {
    agent_id: agentId,
    selectors: node.selectors,
    can_reattest: node.canReattest,
    workload_spiffe_id: workload,
    rotations,
    spire_version: version,
  };
}

function selectorWords(selectors: readonly string[]): readonly string[] {
  return selectors.flatMap((selector) => ['-selector', selector]);
}
