/** The agent plugin's configuration. */

import type { KeyChoice } from '../agent/endorsement/load-endorsement.ts';
import { type Wire, wireProblem } from '../evidence/wires.ts';
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
  /** File of the endorsement certificate, where the TPM does not hold it. */
  readonly ekCertificatePath: string | undefined;
  readonly endorsementAuthFile: string | undefined;
  readonly ownerAuthFile: string | undefined;
  /** For each of the two steps that are the TPM's. */
  readonly tpmTimeoutMs: number;
  /** For the wait between them. */
  readonly serverTimeoutMs: number;
  readonly addon: AddonChoice;
  readonly wire: Wire;
}

const CHOICES: readonly string[] = ['auto', 'rsa', 'ecc'] satisfies KeyChoice[];

function keyChoice<Default extends KeyChoice>(byDefault: Default): OptionSpec & { readonly default: Default } {
  const check = (value: string): string | undefined =>
    CHOICES.includes(value)
      ? undefined
      : `must be one of "auto", "rsa", "ecc", not ${JSON.stringify(value.slice(0, 64))}`;
  return { type: 'string', default: byDefault, check };
}

const TABLE = optionTable({
  tcti: { type: 'string' },
  ek: keyChoice('auto'),
  ak: keyChoice('ecc'),
  ek_certificate_path: { type: 'string' },
  endorsement_auth_file: { type: 'string' },
  owner_auth_file: { type: 'string' },
  addon_path: { type: 'string' },
  addon_sha256: {
    type: 'string',
    check: (text) => (/^[0-9a-f]{64}$/.test(text) ? undefined : 'must be 64 lower-case hexadecimal digits'),
  },
  // Making RSA keys takes a slow chip most of a minute.
  tpm_timeout: { type: 'duration', default: 120_000, check: within(1000, 600_000, ' ms') },
  // SPIRE lets one attestation begin per second and client address: behind NAT a fleet that starts together stands in line.
  server_timeout: { type: 'duration', default: 60_000, check: within(1000, 3_600_000, ' ms') },
  wire: { type: 'string', default: 'tpm-attestor', check: wireProblem },
});

/** For the documents. */
export const AGENT_OPTIONS: OptionTable = TABLE;

export type AgentConfigResult =
  | { readonly ok: true; readonly config: AgentConfig }
  /** One sentence each, with the line. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** @throws HclError for text that is no HCL */
export function readAgentConfig(hcl: string): AgentConfigResult {
  const result = readOptions(TABLE, parseHcl(hcl));
  if (!result.ok) return { ok: false, problems: result.problems.map(describeProblem) };
  const { options } = result;
  if (options.wire === 'spire-tpm-plugin' && options.ek === 'ecc')
    return { ok: false, problems: ['"wire" is "spire-tpm-plugin", whose endorsement key is RSA, and "ek" is "ecc"'] };
  const config: AgentConfig = {
    tcti: options.tcti as string | undefined,
    ek: options.ek as KeyChoice,
    ak: options.ak as KeyChoice,
    ekCertificatePath: options.ek_certificate_path as string | undefined,
    endorsementAuthFile: options.endorsement_auth_file as string | undefined,
    ownerAuthFile: options.owner_auth_file as string | undefined,
    tpmTimeoutMs: options.tpm_timeout as number,
    serverTimeoutMs: options.server_timeout as number,
    addon: { path: options.addon_path as string | undefined, sha256: options.addon_sha256 as string | undefined },
    wire: options.wire as Wire,
  };
  return { ok: true, config };
}
