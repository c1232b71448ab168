/** The policy by which a command judges EK certificates, from options or from a policy file. */
import { InvalidArgumentError, Option } from 'commander';
import { fileFailure } from '../../files/file-failure.ts';
import { readTrustFiles } from '../../policy/trust-files.ts';
import { ALLOWANCE_NAMES, type Allowance, allowing } from '../../verifier/allowances.ts';
import { CRL_POLICIES, type CrlPolicy, type Policy, STRICT_RULES } from '../../verifier/policy.ts';
import { CA_PATH_BUNDLE } from '../../verifier/policy-options.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { unmarked } from '../../x509/file/file-text.ts';
import {
  type AnchorSet,
  anchorsOf,
  type TrustStoreFile,
  type TrustStoreProblem,
  trustStoreFrom,
} from '../../x509/file/trust-store.ts';
import { PathCache } from '../../x509/path/path-cache.ts';
import { crlsFrom } from '../../x509/path/revocation.ts';
import { readAuthorityBundle } from '../ca/authority-bundle.ts';
import { nothingFound } from '../ca/ca-folder.ts';
import { UsageError } from '../terminal/failure.ts';
import { nameOf } from '../terminal/files.ts';
import { atOption, nonEmpty } from '../terminal/options.ts';
import { interruptible } from '../terminal/signals.ts';
import { remark } from '../terminal/terminal.ts';
import { type PolicyExtent, readPolicyAndSettings } from './policy-file.ts';

export interface JudgingOptions {
  readonly caPath?: readonly string[];
  readonly intermediates?: readonly string[];
  readonly policy?: string;
  readonly at?: Date;
  readonly allow?: readonly Allowance[];
  readonly crlPath?: readonly string[];
  readonly crlPolicy?: CrlPolicy;
}

export type JudgingPolicy = Pick<Policy, 'bundles' | 'crls' | 'cache'>;

export function judgingOptions(): readonly Option[] {
  return [
    paths('--ca-path', 'trusted CA certificates (PEM or DER; file or folder)'),
    paths('--intermediates', 'intermediate CA certificates, not trusted by themselves (file or folder)'),
    new Option(
      '--policy <file>',
      "file with the server plugin's options (plugin_data_file), instead of CAs and allowances",
    ),
    atOption(),
    new Option(
      '--allow <name...>',
      `rules to relax, put behind the other arguments: ${ALLOWANCE_NAMES.join(', ')}`,
    ).argParser(collectAllowances),
    paths('--crl-path', 'certificate revocation lists (file or folder)'),
    new Option('--crl-policy <policy>', 'what to do with a certificate that no revocation list covers').choices(
      CRL_POLICIES,
    ),
  ];
}

/** The policy from options. Without --ca-path it has no anchors. @throws UsageError */
export function policyOfOptions({ caPath, allow = [], crlPath, crlPolicy }: JudgingOptions): JudgingPolicy {
  const anchors = caPath === undefined ? anchorsOf([]) : anchorsIn(caPath);
  const lists = interruptible(() => crlsFrom(filesIn(crlPath ?? [], '--crl-path')));
  sayLeftOut('--crl-path', lists.problems);
  if (crlPolicy !== undefined && crlPolicy !== 'off' && crlPath === undefined)
    throw new UsageError('--crl-policy is given without revocation lists; give --crl-path');
  const rules = { ...STRICT_RULES, crlPolicy: crlPolicy ?? (crlPath === undefined ? 'off' : 'fail-closed') };
  return {
    bundles: [{ name: CA_PATH_BUNDLE, anchors, rules: allowing(rules, allow) }],
    crls: lists.crls,
    cache: new PathCache(),
  };
}

/** @throws UsageError if options that the policy file also sets are given */
export function policyOfFile(
  path: string,
  { caPath, allow, crlPath, crlPolicy }: JudgingOptions,
  extent?: PolicyExtent,
): ReturnType<typeof readPolicyAndSettings> {
  if (caPath !== undefined || allow !== undefined || crlPath !== undefined || crlPolicy !== undefined)
    throw new UsageError(
      '--ca-path, --allow and --crl-… cannot be used with --policy, which has them; leave one or the other out',
    );
  return readPolicyAndSettings(path, extent);
}

/** @throws UsageError */
export function intermediatesOf({ intermediates = [] }: JudgingOptions): readonly Certificate[] {
  return interruptible(() =>
    filesIn(intermediates, '--intermediates').flatMap(({ name, bytes }) => {
      const { anchors, problems } = readAuthorityBundle(name, unmarked(bytes));
      sayLeftOut('--intermediates', problems);
      return anchors.certificates;
    }),
  );
}

function anchorsIn(caPath: readonly string[]): AnchorSet {
  // Read exactly as the server reads them, so that the verdict is the server's.
  const files = interruptible(() => filesIn(caPath, '--ca-path'));
  if (files.length === 0) throw new UsageError(`--ca-path: ${nothingFound(caPath)}`);
  const { anchors, problems } = interruptible(() => trustStoreFrom(files));
  sayLeftOut('--ca-path', problems);
  if (anchors.certificates.length === 0)
    throw new UsageError(
      `--ca-path: ${caPath.map(nameOf).join(', ')} holds no certificate that can be read; give CA certificates in PEM or DER`,
    );
  return anchors;
}

function sayLeftOut(option: string, problems: readonly TrustStoreProblem[]): void {
  for (const { name, message } of problems) remark(`${option}: ${name} is left out: ${message}`);
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

/** Accepts names with the prefix `allow_`, with hyphens, and in upper case. */
function collectAllowances(text: string, before: readonly Allowance[] = []): readonly Allowance[] {
  const name = text
    .toLowerCase()
    .replaceAll('-', '_')
    .replace(/^allow_/, '');
  const found = ALLOWANCE_NAMES.find((one) => one === name || `${name}_signatures` === one);
  if (found === undefined)
    throw new InvalidArgumentError(`Give one of ${ALLOWANCE_NAMES.join(', ')}. Put FILE before --allow.`);
  return [...before, found];
}
