/**
 * Reads `bundle "name" { … }` blocks and the rules of `ca_path`: which CAs may certify which TPMs, with which
 * exceptions.
 */
import type { HclBody, HclEntry, HclValue } from '../spire/config/hcl-body.ts';
import {
  describeProblem,
  type OptionProblem,
  type OptionSpec,
  type Options,
  type OptionTable,
  optionTable,
  readOptions,
} from '../spire/config/options.ts';
import { ALLOWANCE_NAMES, type Allowance, allowing } from '../verifier/allowances.ts';
import { type BundleRules, CRL_POLICIES, type CrlPolicy, STRICT_RULES } from '../verifier/policy.ts';
import { CA_PATH_BUNDLE } from '../verifier/policy-options.ts';
import { TPM_KINDS, type TpmKind, tpmVendor, vendorIds } from '../x509/ek/vendors.ts';

/** The name is the value of a selector. SPIRE splits selectors at the first colon. */
const BUNDLE_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/i;
/** A firmware version as in certificates. The prefix `id:` is optional. */
const FIRMWARE = /^(id:)?[0-9a-f]{2,8}$/i;
/** A limit, because each certificate may cost a search in each bundle. */
const MAX_BUNDLES = 16;

export interface BundleSettings {
  readonly name: string;
  readonly caPath: string;
  readonly rules: BundleRules;
}

type Text = Extract<OptionSpec, { readonly type: 'string' }>;
type List = Extract<OptionSpec, { readonly type: 'string list' }>;
type Switch = Extract<OptionSpec, { readonly type: 'boolean' }> & { readonly default: boolean };

/** The type is written out because the server's option table includes these options. */
type RuleTable = {
  readonly manufacturers: List;
  readonly models: List;
  readonly min_firmware: Text;
  readonly crl_policy: Text;
} & { readonly [Name in RuleAllowance as `allow_${Name}`]: Switch };
type RuleAllowance = Exclude<Allowance, 'software_tpm'>;

/** All allowances but software TPMs: a bundle admits those by `kind`, and `ca_path` by an option of its own. */
const RULE_ALLOWANCES = ALLOWANCE_NAMES.filter((name): name is RuleAllowance => name !== 'software_tpm');

/** The options that set rules, both for `ca_path` and in a bundle. */
export const RULE_OPTIONS: RuleTable = {
  manufacturers: {
    type: 'string list',
    check: (list) => {
      const unknown = list.filter((text) => vendorIds(text).length === 0);
      if (list.length === 0) return 'must not be empty, because no TPM would be admitted; leave it out to accept all';
      return unknown.length === 0
        ? undefined
        : `names ${named(unknown)}, which tpm-attestor does not know; give its id of eight hexadecimal digits`;
    },
  },
  models: {
    type: 'string list',
    check: (list) =>
      list.length > 0 ? undefined : 'must not be empty, because no TPM would be admitted; leave it out to accept all',
  },
  min_firmware: {
    type: 'string',
    check: (text) => (FIRMWARE.test(text) ? undefined : 'must be two to eight hexadecimal digits'),
  },
  ...switches(),
  crl_policy: { type: 'string', check: oneOf(CRL_POLICIES) },
};

function switches(): { readonly [Name in RuleAllowance as `allow_${Name}`]: Switch } {
  const off: Switch = { type: 'boolean', default: false };
  return Object.fromEntries(RULE_ALLOWANCES.map((name) => [`allow_${name}`, off])) as ReturnType<typeof switches>;
}

export type RuleOptions = Options<Pick<RuleTable, keyof RuleTable>>;

const OPTIONS = optionTable({
  ca_path: { type: 'string', required: true },
  kind: { type: 'string', default: 'hardware', check: oneOf(TPM_KINDS) },
  ...RULE_OPTIONS,
});

/** The table of options, for the documentation. */
export const BUNDLE_OPTIONS: OptionTable = OPTIONS;

/** @param crlPolicy the policy if the options name none */
export function rulesOf(options: RuleOptions, kinds: readonly TpmKind[], crlPolicy: CrlPolicy): BundleRules {
  const { manufacturers, crl_policy: named } = options;
  const rules: BundleRules = {
    ...STRICT_RULES,
    kinds,
    manufacturers: manufacturers?.flatMap(vendorIds),
    models: options.models,
    minFirmware: options.min_firmware?.replace(/^id:/i, ''),
    crlPolicy: CRL_POLICIES.find((one) => one === named) ?? crlPolicy,
  };
  return allowing(
    rules,
    RULE_ALLOWANCES.filter((name) => options[`allow_${name}`]),
  );
}

/** The conflicts between rules. Each message is a predicate for the option's name. */
export function ruleConflicts({ kinds, manufacturers, allowGceProfile }: BundleRules): readonly OptionProblem[] {
  const problems: OptionProblem[] = [];
  const wrong = (manufacturers ?? [])
    .map((id) => tpmVendor(id))
    .find((vendor) => vendor && !kinds.includes(vendor.kind));
  if (wrong !== undefined)
    problems.push({
      line: 0,
      option: 'manufacturers',
      message: `names ${wrong.name}, whose TPMs are of kind ${wrong.kind}, which these rules do not accept`,
    });
  if (allowGceProfile && !kinds.includes('cloud'))
    problems.push({ line: 0, option: 'allow_gce_profile', message: 'is for vTPMs; set kind = "cloud"' });
  return problems;
}

/** Quotes the first few texts, each cut to the length of a name. */
function named(texts: readonly string[]): string {
  const shown = texts.slice(0, 3).map((text) => JSON.stringify(text.slice(0, 64)));
  return texts.length > shown.length ? `${shown.join(', ')} and ${texts.length - shown.length} more` : shown.join(', ');
}

export interface Bundles {
  readonly bundles: readonly BundleSettings[];
  /** One sentence each. */
  readonly problems: readonly string[];
}

/**
 * Reads the `bundle` entries. In HCL each is a block with its name as label; in JSON, an object maps names to bundles.
 */
export function readBundles(entries: readonly HclEntry[], crlPolicy: CrlPolicy): Bundles {
  const bundles = new Map<string, BundleSettings>();
  const problems: string[] = [];
  for (const { name, body, line } of entries.flatMap(namedBodies)) {
    const problem = (message: string): void => {
      problems.push(`line ${line}: bundle ${JSON.stringify((name ?? '').slice(0, 64))}: ${message}`);
    };
    if (name === undefined || body === undefined) problem('must be a block with a name: bundle "hardware" { … }');
    else if (!BUNDLE_NAME.test(name)) problem('its name must be letters, digits, ".", "_" and "-"');
    else if (name.toLowerCase() === CA_PATH_BUNDLE)
      problem('its name is reserved for the option ca_path; choose another');
    // People, and some databases of SPIRE, treat `ca:HW` and `ca:hw` as the same selector.
    else if (bundles.has(name.toLowerCase())) problem('its name is used twice, apart from case; choose another');
    else {
      const result = readOptions(OPTIONS, body);
      if (!result.ok) for (const one of result.problems) problem(describeProblem(one));
      else {
        const { options } = result;
        const rules = rulesOf(
          options,
          TPM_KINDS.filter((kind) => kind === options.kind),
          crlPolicy,
        );
        for (const one of ruleConflicts(rules)) problem(describeProblem(one));
        bundles.set(name.toLowerCase(), { name, caPath: options.ca_path, rules });
      }
    }
  }
  if (bundles.size > MAX_BUNDLES) problems.push(`there are ${bundles.size} bundles; the limit is ${MAX_BUNDLES}`);
  return { bundles: [...bundles.values()], problems };
}

interface NamedBody {
  readonly name: string | undefined;
  readonly body: HclBody | undefined;
  readonly line: number;
}

function namedBodies({ labels, value, line }: HclEntry): readonly NamedBody[] {
  const [name] = labels;
  if (name !== undefined || labels.length > 1)
    return [{ name, body: labels.length === 1 ? bodyOf(value) : undefined, line }];
  const objects = value.kind === 'list' ? value.items : [value];
  return objects.flatMap((object): readonly NamedBody[] => {
    const named = bodyOf(object)?.entries;
    if (named === undefined || named.length === 0) return [{ name: undefined, body: undefined, line: object.line }];
    return named.map((entry) => ({ name: entry.key, body: bodyOf(entry.value), line: entry.line }));
  });
}

function bodyOf(value: HclValue): HclBody | undefined {
  return value.kind === 'object' ? value.body : undefined;
}

/** A check that an option is one of these words. */
export function oneOf(words: readonly string[]): (text: string) => string | undefined {
  return (text) =>
    words.includes(text) ? undefined : `must be one of ${words.map((word) => JSON.stringify(word)).join(', ')}`;
}
