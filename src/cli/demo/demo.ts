/**
 * `tpm-attestor-demo`: runs an attestation, or an attack on it, through both plugins, and explains what each step
 * proves.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { decodePayload } from '../../evidence/messages.ts';
import { VERSION } from '../../spire/version.ts';
import { SOFTWARE_EK_TEMPLATES } from '../../testing/software-tpm.ts';
import { decode } from '../../tpm/structures/codec.ts';
import { tpmtPublic } from '../../tpm/structures/public.ts';
import { ekTemplateOf } from '../../tpm/templates.ts';
import { EXIT, UsageError } from '../terminal/failure.ts';
import { type JsonOptions, jsonOption, nonEmpty, positiveInteger } from '../terminal/options.ts';
import { remark, say, sayJson } from '../terminal/terminal.ts';
import { conclusion, type Narrator, narration, tellOutcome } from './demo-narration.ts';
import { type CommandCounts, commandsIn, type DemoDocument, findingsIn, keysIn } from './demo-report.ts';
import { attestOnce, type Round } from './demo-round.ts';
import { type Actor, DemoScene, type KeyChoices, TRUST_DOMAIN } from './demo-scene.ts';
import { type Loot, TAMPERINGS, type Tampering, type TamperingName } from './tampering.ts';

const CLOSING_MS = 3000;
const CLOSING_POLL_MS = 10;

interface DemoOptions extends JsonOptions {
  readonly ek?: 'rsa' | 'ecc';
  readonly ak: 'rsa' | 'ecc';
  readonly tcti?: string;
  readonly caPath?: string;
  readonly repeat: number;
  readonly tamper?: TamperingName;
}

export function demoCommand(): Command {
  return new Command('tpm-attestor-demo')
    .description('attest a software TPM made for the purpose, or a given TPM, through both plugins')
    .version(VERSION)
    .addHelpText('after', '\nExit codes: 0 trusted, 1 untrusted, 2 usage or configuration, 3 TPM or system.')
    .addOption(
      new Option('--ek <kind>', 'kind of the endorsement key (default: as the agent chooses)').choices(['rsa', 'ecc']),
    )
    .addOption(new Option('--ak <kind>', 'kind of the attestation key').choices(['rsa', 'ecc']).default('ecc'))
    .addOption(new Option('--tcti <conf>', 'attest this TPM, which is not changed').argParser(nonEmpty))
    .addOption(new Option('--ca-path <path>', "the CAs of that TPM's certificate").argParser(nonEmpty))
    .addOption(
      new Option('--repeat <count>', 'attestations in a row; ends at the first refused')
        .argParser(positiveInteger)
        .default(1),
    )
    .addOption(
      new Option('--tamper <what>', 'attack, after an untampered control; exit code 1 says it was refused').choices(
        Object.keys(TAMPERINGS),
      ),
    )
    .addOption(jsonOption())
    .action(async (options: DemoOptions) => {
      const document = await demonstrate(options);
      if (options.json) sayJson(document);
      else for (const line of conclusion(document)) say(line);
      process.exitCode = document.verdict === 'trusted' ? EXIT.OK : EXIT.UNTRUSTED;
      // Not exit code 1: that would mean that the attack was refused.
      if (document.control === 'untrusted')
        throw new UsageError('the control was refused, so the attack was not tried; see its findings');
    });
}

async function demonstrate(options: DemoOptions): Promise<DemoDocument> {
  const { tcti, caPath } = options;
  if ((tcti === undefined) !== (caPath === undefined))
    throw new UsageError('--tcti and --ca-path are given together: a TPM is believed for the sake of its CAs');
  const given = tcti === undefined || caPath === undefined ? undefined : { tcti, caPath };
  const scene = await DemoScene.open(given);
  try {
    return await play(scene, options, options.json ? remark : say, given === undefined);
  } finally {
    await scene.close();
  }
}

async function play(scene: DemoScene, options: DemoOptions, tell: Narrator, made: boolean): Promise<DemoDocument> {
  const choices: KeyChoices = { ek: options.ek ?? 'auto', ak: options.ak };
  tell(
    made
      ? 'TPM        a software TPM, and a CA of its manufacturer that certified its endorsement keys'
      : `TPM        ${scene.tcti}`,
  );
  const server = await scene.startServer();
  const honest = await scene.startAgent({ ...choices, tcti: scene.tcti });
  const serverSha256 = scene.serverSha256();
  tell(
    `plugins    agent and server run as SPIRE runs them, trust domain ${TRUST_DOMAIN}; server ${serverSha256.slice(0, 16)}…`,
  );

  const first = await attestOnce(honest, server, {}, narration(tell));
  tellOutcome(first, tell);
  // An attack proves something only if the same machine is trusted without it. Otherwise the demo ends here.
  const tampering = first.outcome.verdict === 'trusted' && options.tamper !== undefined && TAMPERINGS[options.tamper];
  let agent = honest;
  let rounds: readonly Round[];
  if (tampering) {
    tell(`tampering  ${tampering.deed}`);
    const cast = { agent: honest, server, control: first };
    ({ agent, rounds } = await tamper(scene, cast, choices, tampering, options.repeat));
    for (const round of rounds) tellOutcome(round, tell);
  } else rounds = await repeated(honest, server, first, options.repeat, tell);
  // The control is not counted as a round.
  const before = tampering && agent === honest ? 1 : 0;
  const commands = (await loggedCommands(agent, before + rounds.length)).slice(before);
  await scene.stopPlugins();

  const { outcome } = rounds.at(-1) ?? first;
  const trusted = outcome.verdict === 'trusted' ? outcome.agent : undefined;
  const refused = outcome.verdict === 'untrusted' ? outcome : undefined;
  return {
    verdict: outcome.verdict,
    agent_id: trusted?.agentId ?? null,
    selectors: trusted?.selectors ?? [],
    can_reattest: trusted?.canReattest ?? false,
    findings: refused === undefined ? [] : findingsIn(server.records, refused.correlationId),
    peer_message: refused?.peerMessage ?? null,
    correlation_id: refused?.correlationId ?? null,
    ...keysIn(first.payload, honest.records),
    server_sha256: serverSha256,
    rounds: rounds.map(({ ms }, i) => ({ tpm_commands: commands[i] ?? null, ms })),
    ...(options.tamper === undefined ? {} : { control: first.outcome.verdict }),
  };
}

/** Repeats the attestation until there are `count`, including the first, or until one is refused. */
async function repeated(
  agent: Actor<'agent'>,
  server: Actor<'server'>,
  first: Round,
  count: number,
  tell: Narrator,
): Promise<readonly Round[]> {
  const rounds = [first];
  while (rounds.length < count && rounds.at(-1)?.outcome.verdict === 'trusted') {
    const round = await attestOnce(agent, server);
    rounds.push(round);
    tell(`again      ${round.outcome.verdict} in ${round.ms} ms`);
  }
  return rounds;
}

/** Waits for the agent's log of TPM commands: a refused agent closes its TPM a little after the refusal. */
async function loggedCommands(agent: Actor<'agent'>, attestations: number): Promise<readonly CommandCounts[]> {
  const deadline = performance.now() + CLOSING_MS;
  while (commandsIn(agent.records).length < attestations && performance.now() < deadline) await sleep(CLOSING_POLL_MS);
  return commandsIn(agent.records);
}

interface Cast {
  readonly agent: Actor<'agent'>;
  readonly server: Actor<'server'>;
  readonly control: Round;
}

async function tamper(
  scene: DemoScene,
  { agent: honest, server, control }: Cast,
  choices: KeyChoices,
  tampering: Tampering,
  count: number,
): Promise<{ readonly agent: Actor<'agent'>; readonly rounds: readonly Round[] }> {
  const { ak, trustDomain, relay } = tampering;
  const agent =
    ak === undefined && trustDomain === undefined
      ? honest
      : await scene.startAgent({ ...choices, tcti: scene.tcti, dishonestAk: ak, trustDomain });
  const loot: Loot = {
    recordedResponse: control.response,
    otherPayload: () => scene.payloadOfOtherTpm(templateOf(control.payload), choices),
  };
  const hooks = (await relay?.(loot)) ?? {};
  const rounds: Round[] = [];
  do rounds.push(await attestOnce(agent, server, hooks));
  while (rounds.length < count && rounds.at(-1)?.outcome.verdict === 'trusted');
  return { agent, rounds };
}

function templateOf(payload: Uint8Array): (typeof SOFTWARE_EK_TEMPLATES)[number] {
  const name = ekTemplateOf(decode(tpmtPublic, decodePayload(payload).ekPublic))?.name;
  const template = SOFTWARE_EK_TEMPLATES.find((known) => known === name);
  if (template === undefined)
    throw new UsageError(`no software TPM has an endorsement key like this one's (${name ?? 'of no TCG template'})`);
  return template;
}
