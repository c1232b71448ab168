/** The server plugin's options, and the policy they make. */
import { statSync } from 'node:fs';
import { isWire, wireProblem } from '../evidence/wires.ts';
import { parseHcl } from '../spire/hcl.ts';
import type { HclBody } from '../spire/hcl-body.ts';
import {
  describeProblem,
  type OptionProblem,
  type Options,
  type OptionTable,
  optionTable,
  readOptions,
  within,
} from '../spire/options.ts';
import { STATUS, StatusError } from '../spire/status.ts';
import { TPM_ALG } from '../tpm/structures/constants.ts';
import { KnownMachines } from '../verifier/known-machines.ts';
import { type PcrRequirement, type Policy, parsePcrs } from '../verifier/policy.ts';
import type { AnchorSet } from '../x509/trust-store.ts';
import { readTrustStore } from './ca-files.ts';
import { fileFailure } from './file-failure.ts';
import { isListedIn, namesOfNoHash } from './hash-folder.ts';

const EK_ALGORITHMS = ['rsa', 'ecc'] as const;
const MAX_NAME_CHARS = 80;
const MAX_TIMEOUT_MS = 10 * 60_000;

const OPTIONS = optionTable({
  plugin_name: {
    type: 'string',
    default: 'tpm',
    // A path segment of a SPIFFE ID (SPIFFE ID 2.2).
    check: (name) =>
      /^[A-Za-z0-9._-]+$/.test(name) && !/^\.\.?$/.test(name) ? undefined : 'is no SPIFFE path segment',
  },
  ca_path: { type: 'string' },
  hash_path: { type: 'string' },
  pcrs: { type: 'string', default: 'sha256:0-7', check: (text) => problemOf(pcrRequirements(text)) },
  ek_algorithms: {
    type: 'string list',
    default: ['rsa'],
    check: (list) =>
      list.length > 0 && list.every(isEkAlgorithm) ? undefined : 'must list "rsa", "ecc" or both, and nothing else',
  },
  allow_software_tpm: { type: 'boolean', default: false },
  allow_expired_ek: { type: 'boolean', default: false },
  allow_sha1_bank: { type: 'boolean', default: false },
  wire: { type: 'string', default: 'tpm-attestor', check: wireProblem },
  max_concurrent: { type: 'integer', default: 256, check: within(1, 10_000) },
  attest_timeout: { type: 'duration', default: 60_000, check: within(1000, MAX_TIMEOUT_MS, ' ms') },
  max_message_bytes: { type: 'integer', default: 256 * 1024, check: within(4096, 4 * 1024 * 1024) },
});

/** For the documents. */
export const SERVER_OPTIONS: OptionTable = OPTIONS;

const EVERY_TPM =
  'ca_path admits every TPM that its CAs ever certified, not only machines of yours; hash_path without ca_path admits ' +
  'those alone that you list';
const OTHER_WIRE =
  'agents may speak that of spire-tpm-plugin, which proves nothing of what a machine booted and lets whoever can relay a challenge to such a machine attest as it';

type ServerOptions = Options<typeof OPTIONS>;

export interface ServerConfig {
  readonly policy: Policy;
  /** Gone with the policy: the next configuration judges everybody from the start. */
  readonly known: KnownMachines;
  readonly maxConcurrent: number;
  readonly attestTimeoutMs: number;
  readonly maxMessageBytes: number;
  /** For the log of who configured this: relaxations in force, files left out. */
  readonly warnings: readonly string[];
}

/** Everything that is wrong with a configuration. */
export class InvalidConfig extends StatusError {
  override readonly name = 'InvalidConfig';
  /** One sentence each. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(STATUS.INVALID_ARGUMENT, problems.join('; '));
    this.problems = problems;
  }
}

/**
 * Reads the text of `plugin_data` and the files it names. Writes, locks and opens nothing else.
 *
 * @throws HclError for a text that is no HCL; InvalidConfig listing everything else that is wrong
 */
export function readServerConfig(trustDomain: string, hcl: string): ServerConfig {
  return serverConfigOf(trustDomain, parseHcl(hcl));
}

/**
 * The same, of a text that has been parsed.
 *
 * @param others options that stood beside these, and have been taken out
 */
export function serverConfigOf(trustDomain: string, body: HclBody, others: readonly string[] = []): ServerConfig {
  const result = readOptions(OPTIONS, body, others);
  if (!result.ok) throw new InvalidConfig(result.problems.map(describeProblem));
  const { options } = result;
  const problems: OptionProblem[] = [];
  const problem = (option: string, message: string): void => {
    problems.push({ line: 0, option, message });
  };
  if (options.ca_path === undefined && options.hash_path === undefined)
    problem('ca_path', 'is required, or hash_path, or both: without either no TPM could be told from another');

  if (options.wire === 'spire-tpm-plugin' && !options.ek_algorithms.includes('rsa'))
    problem('wire', 'is "spire-tpm-plugin", whose endorsement keys are RSA, which ek_algorithms does not list');

  const warnings: string[] = [...relaxations(options)];
  const anchors = attempt(options.ca_path, (path) => readAnchors(path, warnings), 'ca_path', problem);
  if (anchors !== undefined) warnings.push(EVERY_TPM);
  const isListed = attempt(options.hash_path, (path) => readHashFolder(path, warnings), 'hash_path', problem);
  const pcrs = pcrRequirements(options.pcrs);
  if (typeof pcrs !== 'string' && !options.allow_sha1_bank && pcrs.some(({ hash }) => hash === TPM_ALG.SHA1))
    problem('pcrs', 'names a SHA-1 bank, which needs allow_sha1_bank = true');
  if (problems.length > 0 || typeof pcrs === 'string') throw new InvalidConfig(problems.map(describeProblem));

  const policy: Policy = {
    trustDomain,
    pluginName: options.plugin_name,
    anchors,
    isListed,
    pcrs,
    ekAlgorithms: options.ek_algorithms.filter(isEkAlgorithm),
    allowSoftwareTpm: options.allow_software_tpm,
    allowExpiredEk: options.allow_expired_ek,
    allowSha1Bank: options.allow_sha1_bank,
    wire: isWire(options.wire) ? options.wire : 'tpm-attestor',
    challengeTimeoutMs: options.attest_timeout,
  };
  return {
    policy,
    known: new KnownMachines(policy),
    maxConcurrent: options.max_concurrent,
    attestTimeoutMs: options.attest_timeout,
    maxMessageBytes: options.max_message_bytes,
    warnings,
  };
}

function attempt<T>(
  path: string | undefined,
  read: (path: string) => T,
  option: string,
  problem: (option: string, message: string) => void,
): T | undefined {
  if (path === undefined) return undefined;
  try {
    return read(path);
  } catch (error) {
    problem(option, `cannot be used: ${path}: ${fileFailure(error)}`);
    return undefined;
  }
}

function readAnchors(path: string, warnings: string[]): AnchorSet {
  const store = readTrustStore(path);
  warnings.push(...store.problems.map(({ name, message }) => `ca_path: ${name} is left out: ${message}`));
  if (store.anchors.certificates.length === 0) throw new Error('holds no certificate that can be read');
  return store.anchors;
}

function readHashFolder(path: string, warnings: string[]): (pubHash: string) => boolean {
  if (!statSync(path).isDirectory()) throw new Error('is not a folder');
  const [example, ...more] = namesOfNoHash(path);
  if (example !== undefined)
    warnings.push(
      `hash_path: ${JSON.stringify(example.slice(0, MAX_NAME_CHARS))}${more.length > 0 ? ` and ${more.length} more` : ''}` +
        ' will never be found: a name is 64 hexadecimal digits in lower case, as "tpm-attestor ek hash" prints it',
    );
  return isListedIn(path);
}

function relaxations(options: ServerOptions): readonly string[] {
  const sentences = {
    allow_software_tpm: 'software TPMs are admitted, which anybody can copy',
    allow_expired_ek: 'endorsement certificates past their end are admitted',
    allow_sha1_bank: 'SHA-1 PCR banks may be quoted',
  } as const;
  const allowed = (Object.keys(sentences) as (keyof typeof sentences)[])
    .filter((name) => options[name])
    .map((name) => `${name}: ${sentences[name]}`);
  return options.wire === 'tpm-attestor' ? allowed : [...allowed, `wire: ${OTHER_WIRE}`];
}

/** One bank, or several in order of preference with blanks between: `sha384:0-7 sha256:0-7`. */
function pcrRequirements(text: string): readonly PcrRequirement[] | string {
  const requirements: PcrRequirement[] = [];
  for (const part of text.trim().split(/\s+/)) {
    const requirement = parsePcrs(part);
    if (typeof requirement === 'string') return requirement;
    requirements.push(requirement);
  }
  return requirements;
}

function problemOf(result: readonly PcrRequirement[] | string): string | undefined {
  return typeof result === 'string' ? `is wrong: ${result}` : undefined;
}

function isEkAlgorithm(text: string): text is (typeof EK_ALGORITHMS)[number] {
  return (EK_ALGORITHMS as readonly string[]).includes(text);
}
