/** `ek verify`: judges one endorsement certificate offline, as the server plugin would. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { CA_PATH_BUNDLE } from '../server-plugin/bundle-options.ts';
import { fileFailure } from '../server-plugin/file-failure.ts';
import { readTrustFiles } from '../server-plugin/trust-files.ts';
import { judgeEkCertificate } from '../verifier/ek-certificate.ts';
import { type BundleRules, CRL_POLICIES, type CrlPolicy, type Policy } from '../verifier/policy.ts';
import type { Certificate } from '../x509/certificate.ts';
import { MalformedCertificateError } from '../x509/malformed-certificate.ts';
import { PathCache } from '../x509/path-cache.ts';
import { crlsFrom } from '../x509/revocation.ts';
import { type TrustStoreFile, trustStoreFrom } from '../x509/trust-store.ts';
import { readCertificateFile } from './certificate-file.ts';
import { type EkReport, ekReport, linesOf, unreadableReport } from './ek-verify-report.ts';
import { EXIT, UsageError } from './failure.ts';
import { nameOf } from './files.ts';
import { atOption, type JsonOptions, jsonOption, nonEmpty } from './options.ts';
import { readPolicyFile } from './policy-file.ts';
import { remark, say, sayJson } from './terminal.ts';

/** What `--allow` takes, by the names that the server's options have behind their `allow_`. */
const ALLOWANCES = {
  software_tpm: { kinds: ['hardware', 'cloud', 'software'] },
  expired_ek: { allowExpiredLeaf: true },
  not_yet_valid: { allowNotYetValid: true },
  sha1_signatures: { allowSha1: true },
  tpm12: { allowTpm12: true },
  gce_profile: { allowGceProfile: true },
} as const satisfies Readonly<Record<string, Partial<BundleRules>>>;
type Allowance = keyof typeof ALLOWANCES;

interface VerifyOptions extends JsonOptions {
  readonly caPath?: readonly string[];
  readonly intermediates?: readonly string[];
  readonly policy?: string;
  readonly at?: Date;
  readonly allow?: readonly Allowance[];
  readonly crlPath?: readonly string[];
  readonly crlPolicy?: CrlPolicy;
}

export function ekVerifyCommand(): Command {
  return new Command('verify')
    .description('judge an endorsement certificate by CAs, without a TPM and offline')
    .argument('<certificate>', 'PEM, its chain behind it, or DER as an NV index holds it; - for standard input')
    .addOption(paths('--ca-path', 'CA certificates, file or folder, each an anchor'))
    .addOption(paths('--intermediates', 'further certificates that may stand between, file or folder'))
    .option('--policy <file>', "instead of CAs and allowances: the server plugin's options, as for verify")
    .addOption(atOption())
    .addOption(
      new Option('--allow <name...>', `what to overlook: ${Object.keys(ALLOWANCES).join(', ')}`).argParser(
        collectAllowances,
      ),
    )
    .addOption(paths('--crl-path', 'revocation lists, file or folder'))
    .addOption(
      new Option('--crl-policy <policy>', 'what becomes of a certificate of which no list tells').choices(CRL_POLICIES),
    )
    .addOption(jsonOption())
    .action((path: string, options: VerifyOptions) => {
      const report = judge(path, options);
      if (options.json) sayJson(report);
      else for (const line of linesOf(report)) say(line);
      process.exitCode = report.verdict === 'trusted' ? EXIT.OK : EXIT.UNTRUSTED;
    });
}

function judge(path: string, options: VerifyOptions): EkReport {
  const policy = options.policy === undefined ? policyOf(options) : givenPolicy(options.policy, options);
  const between = certificatesIn(options.intermediates ?? [], '--intermediates');
  try {
    const { leaf, intermediates, oddities, leftOut } = readCertificateFile(path);
    for (const sentence of leftOut) remark(sentence);
    const now = options.at ?? new Date();
    const question = { leaf, intermediates: [...intermediates, ...between], now, keyIsKnown: false };
    return ekReport(leaf, oddities, judgeEkCertificate(question, policy));
  } catch (error) {
    if (!(error instanceof MalformedCertificateError)) throw error;
    return unreadableReport(nameOf(path), error);
  }
}

type JudgingPolicy = Pick<Policy, 'bundles' | 'crls' | 'cache'>;

function policyOf({ caPath, allow = [], crlPath, crlPolicy }: VerifyOptions): JudgingPolicy {
  if (caPath === undefined) throw new UsageError('--ca-path is needed, or --policy: nothing is trusted by itself');
  const files = filesIn(caPath, '--ca-path');
  const { anchors, problems } = trustStoreFrom(files);
  for (const { name, message } of problems) remark(`--ca-path: ${name} is left out: ${message}`);
  if (anchors.certificates.length === 0)
    throw new UsageError(`--ca-path: ${caPath.map(nameOf).join(', ')}: no certificate that can be read`);
  const lists = crlsFrom(filesIn(crlPath ?? [], '--crl-path'));
  for (const { name, message } of lists.problems) remark(`--crl-path: ${name} is left out: ${message}`);
  if (crlPolicy !== undefined && crlPolicy !== 'off' && crlPath === undefined)
    throw new UsageError('--crl-policy needs --crl-path, where the lists are');
  const rules: BundleRules = {
    kinds: ['hardware', 'cloud'],
    manufacturers: undefined,
    models: undefined,
    minFirmware: undefined,
    allowExpiredLeaf: false,
    allowNotYetValid: false,
    allowSha1: false,
    allowTpm12: false,
    allowGceProfile: false,
    crlPolicy: crlPolicy ?? (crlPath === undefined ? 'off' : 'fail-closed'),
    ...Object.assign({}, ...allow.map((name) => ALLOWANCES[name])),
  };
  return { bundles: [{ name: CA_PATH_BUNDLE, anchors, rules }], crls: lists.crls, cache: new PathCache() };
}

function givenPolicy(path: string, { caPath, allow, crlPath, crlPolicy }: VerifyOptions): JudgingPolicy {
  if (caPath !== undefined || allow !== undefined || crlPath !== undefined || crlPolicy !== undefined)
    throw new UsageError(
      '--policy says which CAs and what to overlook: it goes without --ca-path, --allow and --crl-…',
    );
  const policy = readPolicyFile(path);
  if (policy.bundles.length === 0)
    throw new UsageError(`${nameOf(path)} names no CAs, by which to judge a certificate`);
  return policy;
}

function certificatesIn(given: readonly string[], option: string): readonly Certificate[] {
  const { anchors, problems } = trustStoreFrom(filesIn(given, option));
  for (const { name, message } of problems) remark(`${option}: ${name} is left out: ${message}`);
  return anchors.certificates;
}

function filesIn(given: readonly string[], option: string): readonly TrustStoreFile[] {
  return given.flatMap((path) => {
    try {
      return readTrustFiles(path);
    } catch (cause) {
      throw new UsageError(`${option}: ${nameOf(path)} cannot be read: ${fileFailure(cause)}`, { cause });
    }
  });
}

function paths(name: string, description: string): Option {
  return new Option(`${name} <path>`, `${description}; may be given several times`).argParser(
    (path: string, before: readonly string[] = []) => [...before, nonEmpty(path)],
  );
}

/** `allow_` in front, hyphens and upper case make no difference. */
function collectAllowances(text: string, before: readonly Allowance[] = []): readonly Allowance[] {
  const name = text
    .toLowerCase()
    .replaceAll('-', '_')
    .replace(/^allow_/, '');
  const found = (Object.keys(ALLOWANCES) as Allowance[]).find((one) => one === name || `${name}_signatures` === one);
  if (found === undefined) throw new InvalidArgumentError(`It must be one of ${Object.keys(ALLOWANCES).join(', ')}.`);
  return [...before, found];
}
