/** Parses and checks the options of the server plugin, before any file is read. */
import { type BootLogKind, bootLogsProblem, isBootLogKind } from '../evidence/boot-logs.ts';
import { isWire, LEGACY_EK_TEMPLATE, type Wire, wireProblem } from '../evidence/wires.ts';
import type { AddonChoice } from '../files/addon-file.ts';
import { parseHcl } from '../spire/config/hcl.ts';
import type { HclBody } from '../spire/config/hcl-body.ts';
import { InvalidConfig } from '../spire/config/invalid-config.ts';
import {
  describeProblem,
  type OptionProblem,
  type Options,
  type OptionTable,
  optionTable,
  readOptions,
  within,
} from '../spire/config/options.ts';
import { TPM_ALG } from '../tpm/structures/constants.ts';
import type { EkTemplateName } from '../tpm/templates.ts';
import { ALLOWANCE_NAMES, ALLOWANCES, isAllowed } from '../verifier/allowances.ts';
import {
  CRL_POLICIES,
  type CrlPolicy,
  MODES,
  type Mode,
  type PcrRequirement,
  parsePcrList,
} from '../verifier/policy.ts';
import { CA_PATH_BUNDLE, modeOf, POLICY_DEFAULTS } from '../verifier/policy-options.ts';
import type { TpmKind } from '../x509/ek/vendors.ts';
import { type BundleSettings, oneOf, RULE_OPTIONS, readBundles, ruleConflicts, rulesOf } from './bundle-options.ts';
import {
  acceptedEkTemplates,
  type EkTemplateOptions,
  ekTemplatesConflict,
  ekTemplatesProblem,
  ekTemplateWarnings,
  isEkAlgorithm,
  isEkTemplateName,
} from './ek-templates.ts';

const MAX_TIMEOUT_MS = 10 * 60_000;

const OPTIONS = optionTable({
  plugin_name: {
    type: 'string',
    default: POLICY_DEFAULTS.pluginName,
    // The name is a path segment of a SPIFFE ID (SPIFFE ID 2.2).
    check: (name) =>
      /^[A-Za-z0-9._-]+$/.test(name) && !/^\.\.?$/.test(name)
        ? undefined
        : 'must be a SPIFFE path segment: letters, digits, ".", "_" and "-"',
  },
  mode: { type: 'string', check: oneOf(MODES) },
  ca_path: { type: 'string' },
  hash_path: { type: 'string' },
  deny_path: { type: 'string' },
  crl_path: { type: 'string' },
  enforce: { type: 'boolean', default: true },
  pcrs: { type: 'string', default: POLICY_DEFAULTS.pcrs, check: (text) => problemOf(parsePcrList(text)) },
  ek_algorithms: {
    type: 'string list',
    default: ['rsa'],
    check: (list) =>
      list.length > 0 && list.every(isEkAlgorithm) ? undefined : 'must list "rsa", "ecc" or both, and nothing else',
  },
  ek_templates: { type: 'string list', check: ekTemplatesProblem },
  allow_software_tpm: { type: 'boolean', default: false },
  ...RULE_OPTIONS,
  allow_sha1_bank: { type: 'boolean', default: false },
  boot_logs: { type: 'string list', default: [], check: bootLogsProblem },
  wire: { type: 'string', default: 'tpm-attestor', check: wireProblem },
  max_concurrent: { type: 'integer', default: 256, check: within(1, 10_000) },
  attest_timeout: {
    type: 'duration',
    default: POLICY_DEFAULTS.challengeTimeoutMs,
    check: within(1000, MAX_TIMEOUT_MS, ' ms'),
  },
  max_message_bytes: { type: 'integer', default: 256 * 1024, check: within(4096, 4 * 1024 * 1024) },
  public_key_steps: { type: 'string', default: 'node', check: oneOf(['node', 'native']) },
  addon_path: { type: 'string' },
  addon_sha256: {
    type: 'string',
    check: (text) => (/^[0-9a-f]{64}$/.test(text) ? undefined : 'must be 64 lower-case hexadecimal digits'),
  },
});

/** The table of options, for the documentation. */
export const SERVER_OPTIONS: OptionTable = OPTIONS;

const BUNDLE = 'bundle';
/** The options that set rules for the certificates of `ca_path`, and have no effect without it. */
const CA_PATH_RULES: readonly string[] = ['allow_software_tpm', ...Object.keys(RULE_OPTIONS)].filter(
  // Not crl_policy: it is also the default for bundles.
  (name) => name !== 'crl_policy',
);

const EVERY_TPM =
  'the server admits every TPM that the CAs ever certified, not only your machines. To admit only listed machines, set ' +
  'hash_path without CAs, or with mode = "both"';
const OTHER_WIRE =
  'the server accepts agents of spire-tpm-plugin without a quote; a relayed challenge lets an attacker attest as that machine';
const NOT_ENFORCED =
  'enforce is false: findings about an endorsement key are only logged, and every TPM that proves its key is admitted';

type ServerOptions = Options<typeof OPTIONS>;

/** The checked options. The files they name are not read yet. */
export interface ServerSettings {
  readonly trustDomain: string;
  readonly pluginName: string;
  readonly mode: Mode;
  readonly bundles: readonly BundleSettings[];
  readonly hashPath: string | undefined;
  readonly denyPath: string | undefined;
  readonly crlPath: string | undefined;
  readonly enforce: boolean;
  readonly pcrs: readonly PcrRequirement[];
  readonly ekTemplates: readonly EkTemplateName[];
  readonly allowSha1Bank: boolean;
  readonly logs: readonly BootLogKind[];
  readonly wire: Wire;
  readonly maxConcurrent: number;
  readonly attestTimeoutMs: number;
  readonly maxMessageBytes: number;
  /** The addon that computes with public keys; undefined where node:crypto does. */
  readonly stepsAddon: AddonChoice | undefined;
  /** Warnings for the operator: exceptions from the strict rules, and unknown machines that the server admits. */
  readonly warnings: readonly string[];
}

/**
 * Reads the text of `plugin_data`.
 *
 * @throws HclError if the text does not parse; InvalidConfig listing all other problems
 */
export function readServerSettings(trustDomain: string, hcl: string): ServerSettings {
  return serverSettingsOf(trustDomain, parseHcl(hcl));
}

/**
 * Reads options that are parsed already.
 *
 * @param others names of other options in the same text, which the caller has removed from the body
 */
export function serverSettingsOf(
  trustDomain: string,
  { entries }: HclBody,
  others: readonly string[] = [],
): ServerSettings {
  const body = { entries: entries.filter(({ key }) => key !== BUNDLE) };
  const result = readOptions(OPTIONS, body, [...others, BUNDLE]);
  const crlPolicy = crlPolicyOf(result.ok ? result.options : undefined);
  const named = readBundles(
    entries.filter(({ key }) => key === BUNDLE),
    crlPolicy,
  );
  if (!result.ok) throw new InvalidConfig([...result.problems.map(describeProblem), ...named.problems]);
  if (named.problems.length > 0) throw new InvalidConfig(named.problems);

  const { options } = result;
  const bundles = [...caPathBundle(options, crlPolicy), ...named.bundles];
  const given = new Set(body.entries.map(({ key }) => key));
  const mode = MODES.find((one) => one === options.mode) ?? modeOf(bundles.length > 0, options.hash_path !== undefined);
  const pcrs = parsePcrList(options.pcrs);
  const problems = conflicts(options, bundles, mode, given, pcrs);
  if (problems.length > 0 || typeof pcrs === 'string') throw new InvalidConfig(problems.map(describeProblem));
  const ekTemplates = acceptedEkTemplates(ekTemplateOptions(options, given));
  return {
    trustDomain,
    pluginName: options.plugin_name,
    mode,
    bundles,
    hashPath: options.hash_path,
    denyPath: options.deny_path,
    crlPath: options.crl_path,
    enforce: options.enforce,
    pcrs,
    ekTemplates,
    allowSha1Bank: options.allow_sha1_bank,
    logs: options.boot_logs.filter(isBootLogKind),
    wire: isWire(options.wire) ? options.wire : 'tpm-attestor',
    maxConcurrent: options.max_concurrent,
    attestTimeoutMs: options.attest_timeout,
    maxMessageBytes: options.max_message_bytes,
    stepsAddon:
      options.public_key_steps === 'native' ? { path: options.addon_path, sha256: options.addon_sha256 } : undefined,
    warnings: [...relaxations(options, bundles, ekTemplates), ...(admitsStrangers(mode, options) ? [EVERY_TPM] : [])],
  };
}

/**
 * As in spire-tpm-plugin, every certificate in `ca_path` is an anchor. Every kind of TPM is accepted except software.
 */
function caPathBundle(options: ServerOptions, crlPolicy: CrlPolicy): readonly BundleSettings[] {
  if (options.ca_path === undefined) return [];
  const kinds: readonly TpmKind[] = options.allow_software_tpm
    ? ['hardware', 'cloud', 'software']
    : ['hardware', 'cloud'];
  return [{ name: CA_PATH_BUNDLE, caPath: options.ca_path, rules: rulesOf(options, kinds, crlPolicy) }];
}

/** Only options that were given: a default must not contradict the other option. */
function ekTemplateOptions(options: ServerOptions, given: ReadonlySet<string>): EkTemplateOptions {
  return {
    algorithms: given.has('ek_algorithms') ? options.ek_algorithms.filter(isEkAlgorithm) : undefined,
    templates: options.ek_templates?.filter(isEkTemplateName),
  };
}

/** The default is `fail-closed` if crl_path is set: an operator who gives lists wants them to count. */
function crlPolicyOf(options: ServerOptions | undefined): CrlPolicy {
  const named = CRL_POLICIES.find((one) => one === options?.crl_policy);
  return named ?? (options?.crl_path === undefined ? 'off' : 'fail-closed');
}

/** The conflicts between options that are valid alone. */
function conflicts(
  options: ServerOptions,
  bundles: readonly BundleSettings[],
  mode: Mode,
  given: ReadonlySet<string>,
  pcrs: readonly PcrRequirement[] | string,
): readonly OptionProblem[] {
  const [hasCas, hasList] = [bundles.length > 0, options.hash_path !== undefined];
  const asksCas = mode !== 'hash';
  const asksList = mode !== 'certificate';
  const asksCrls = bundles.some(({ rules }) => rules.crlPolicy !== 'off');
  const idle = [...given].filter((name) => CA_PATH_RULES.includes(name)).at(0);
  const isSha1 = typeof pcrs !== 'string' && pcrs.some(({ hash }) => hash === TPM_ALG.SHA1);
  const named = JSON.stringify(mode);
  const templates = ekTemplateOptions(options, given);
  const contradiction = ekTemplatesConflict(templates);
  const accepted = acceptedEkTemplates(templates);
  const isOtherWire = options.wire === 'spire-tpm-plugin';
  const hasRsa = templates.algorithms?.includes('rsa') ?? true;
  const problems: readonly (readonly [boolean, string, string])[] = [
    [
      !hasCas && !hasList,
      'ca_path',
      'is missing, and so are bundles and hash_path: set at least one of them to say which TPMs to admit',
    ],
    [(hasCas || hasList) && asksCas && !hasCas, 'mode', `is ${named}, which needs ca_path or a bundle`],
    [(hasCas || hasList) && asksList && !hasList, 'mode', `is ${named}, which needs hash_path`],
    [
      hasCas && !asksCas,
      'mode',
      `is ${named}, which uses no CA, but ca_path or a bundle is set; remove it, or choose another mode`,
    ],
    [
      hasList && !asksList,
      'mode',
      `is ${named}, which uses no list, but hash_path is set; remove it, or choose another mode`,
    ],
    [asksCrls && options.crl_path === undefined, 'crl_policy', 'needs revocation lists; set crl_path'],
    [
      !asksCrls && options.crl_path !== undefined,
      'crl_path',
      'is set, but no crl_policy uses it; remove it, or set crl_policy',
    ],
    [
      idle !== undefined && hasCas && options.ca_path === undefined,
      idle ?? '',
      'is a rule for the CAs of ca_path, which is not set; put the rule into a bundle',
    ],
    [contradiction !== undefined, 'ek_templates', contradiction ?? ''],
    [
      isOtherWire && !hasRsa,
      'wire',
      'is "spire-tpm-plugin", which needs RSA endorsement keys; add "rsa" to ek_algorithms',
    ],
    [
      isOtherWire && hasRsa && contradiction === undefined && !accepted.includes(LEGACY_EK_TEMPLATE),
      'wire',
      'is "spire-tpm-plugin", which needs endorsement keys of template L-1; add "L-1" to ek_templates',
    ],
    ...(['addon_path', 'addon_sha256'] as const).map((name): readonly [boolean, string, string] => [
      given.has(name) && options.public_key_steps !== 'native',
      name,
      'is set, but no addon is used; remove it, or set public_key_steps = "native"',
    ]),
    [isSha1 && !options.allow_sha1_bank, 'pcrs', 'names a SHA-1 bank, which needs allow_sha1_bank = true'],
  ];
  return [
    ...problems.filter(([applies]) => applies).map(([, option, message]) => ({ line: 0, option, message })),
    ...bundles.filter(({ name }) => name === CA_PATH_BUNDLE).flatMap(({ rules }) => ruleConflicts(rules)),
  ];
}

/** Whether the server admits TPMs that the operator has not listed. */
function admitsStrangers(mode: Mode, { enforce }: ServerOptions): boolean {
  return enforce && (mode === 'certificate' || mode === 'either');
}

function relaxations(
  options: ServerOptions,
  bundles: readonly BundleSettings[],
  accepted: readonly EkTemplateName[],
): readonly string[] {
  const ofBundle = ({ name, rules }: BundleSettings): readonly string[] =>
    ALLOWANCE_NAMES.filter((one) => isAllowed(rules, one)).map((one) => {
      const option = one === 'software_tpm' && name !== CA_PATH_BUNDLE ? 'kind' : `allow_${one}`;
      return `${option}: ${ALLOWANCES[one].admits}`;
    });
  return [
    ...(options.enforce ? [] : [NOT_ENFORCED]),
    ...bundles.flatMap((bundle) =>
      ofBundle(bundle).map((text) => (bundle.name === CA_PATH_BUNDLE ? text : `bundle "${bundle.name}": ${text}`)),
    ),
    ...ekTemplateWarnings(accepted),
    ...(options.allow_sha1_bank ? ['allow_sha1_bank: SHA-1 PCR banks may be quoted'] : []),
    ...(options.wire === 'tpm-attestor' ? [] : [`wire: ${OTHER_WIRE}`]),
  ];
}

function problemOf(result: readonly PcrRequirement[] | string): string | undefined {
  return typeof result === 'string' ? `is wrong: ${result}` : undefined;
}
