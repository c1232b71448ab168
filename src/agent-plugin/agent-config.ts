/** Reads the HCL configuration of the agent plugin. */

import type { KeyChoice } from '../agent/endorsement/load-endorsement.ts';
import { BOOT_LOG_FILES, type BootLogFiles } from '../agent/logs/boot-log-files.ts';
import { isWire, type Wire, wireProblem } from '../evidence/wires.ts';
import { parseHcl } from '../spire/config/hcl.ts';
import {
  describeProblem,
  type OptionSpec,
  type OptionTable,
  optionTable,
  readOptions,
  within,
} from '../spire/config/options.ts';
import type { AddonChoice } from '../tpm/device/native.ts';

export interface AgentConfig {
  /** TCTI string of tpm2-tss; undefined for the machine's own TPM. */
  readonly tcti: string | undefined;
  readonly ek: KeyChoice;
  readonly ak: KeyChoice;
  /** File of the EK certificate, for a TPM that does not store it. */
  readonly ekCertificatePath: string | undefined;
  readonly endorsementAuthFile: string | undefined;
  readonly ownerAuthFile: string | undefined;
  /** Limit for each of the two steps that use the TPM. */
  readonly tpmTimeoutMs: number;
  /** Limit for the wait for the server, between those two steps. */
  readonly serverTimeoutMs: number;
  readonly bootLogs: BootLogFiles;
  readonly addon: AddonChoice;
  readonly wire: Wire;
}

const EK_CHOICE: KeyChoice = 'auto';
const AK_CHOICE: KeyChoice = 'ecc';
const CHOICES: readonly KeyChoice[] = ['auto', 'rsa', 'ecc'];

function choiceOf(text: string): KeyChoice | undefined {
  return CHOICES.find((choice) => choice === text);
}

type Text = Extract<OptionSpec, { readonly type: 'string' }>;

function keyChoice(byDefault: KeyChoice): Text & { readonly default: KeyChoice } {
  const check = (value: string): string | undefined =>
    choiceOf(value) !== undefined
      ? undefined
      : `must be one of "auto", "rsa", "ecc", not ${JSON.stringify(value.slice(0, 64))}`;
  return { type: 'string', default: byDefault, check };
}

const TABLE = optionTable({
  tcti: { type: 'string' },
  ek: keyChoice(EK_CHOICE),
  ak: keyChoice(AK_CHOICE),
  ek_certificate_path: { type: 'string' },
  endorsement_auth_file: { type: 'string' },
  owner_auth_file: { type: 'string' },
  firmware_log: { type: 'string', default: BOOT_LOG_FILES.firmware },
  userspace_log: { type: 'string', default: BOOT_LOG_FILES.userspace },
  addon_path: { type: 'string' },
  addon_sha256: {
    type: 'string',
    check: (text) => (/^[0-9a-f]{64}$/.test(text) ? undefined : 'must be 64 lower-case hexadecimal digits'),
  },
  // A slow chip takes most of a minute to make an RSA key.
  tpm_timeout: { type: 'duration', default: 120_000, check: within(1000, 600_000, ' ms') },
  // The SPIRE server starts one attestation per second and client address. Behind NAT, agents that start together wait.
  server_timeout: { type: 'duration', default: 60_000, check: within(1000, 3_600_000, ' ms') },
  wire: { type: 'string', default: 'tpm-attestor', check: wireProblem },
});

/** The table of options, for the documents. */
export const AGENT_OPTIONS: OptionTable = TABLE;

export type AgentConfigResult =
  | { readonly ok: true; readonly config: AgentConfig }
  /** One sentence for each problem, with its line. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** @throws HclError when the text is not HCL */
export function readAgentConfig(hcl: string): AgentConfigResult {
  const result = readOptions(TABLE, parseHcl(hcl));
  if (!result.ok) return { ok: false, problems: result.problems.map(describeProblem) };
  const { options } = result;
  if (options.wire === 'spire-tpm-plugin' && options.ek === 'ecc')
    return {
      ok: false,
      problems: ['"wire" is "spire-tpm-plugin", which needs an RSA endorsement key, and "ek" is "ecc"; set ek = "rsa"'],
    };
  const config: AgentConfig = {
    tcti: options.tcti,
    ek: choiceOf(options.ek) ?? EK_CHOICE,
    ak: choiceOf(options.ak) ?? AK_CHOICE,
    ekCertificatePath: options.ek_certificate_path,
    endorsementAuthFile: options.endorsement_auth_file,
    ownerAuthFile: options.owner_auth_file,
    tpmTimeoutMs: options.tpm_timeout,
    serverTimeoutMs: options.server_timeout,
    bootLogs: { firmware: options.firmware_log, userspace: options.userspace_log },
    addon: { path: options.addon_path, sha256: options.addon_sha256 },
    wire: isWire(options.wire) ? options.wire : 'tpm-attestor',
  };
  return { ok: true, config };
}
