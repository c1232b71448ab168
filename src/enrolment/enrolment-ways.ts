/** Finds the shortest ways to have a machine admitted, and checks each with the verifier. Opens no file. */
import type { PasswordHierarchy } from '../agent/passwords/hierarchy-passwords.ts';
import { linesAccepting } from '../policy/ek-templates.ts';
import type { EkTemplateName } from '../tpm/templates.ts';
import { ALLOWANCES, type Allowance, allowanceFor, allowing } from '../verifier/allowances.ts';
import type { FindingCode } from '../verifier/findings.ts';
import type { Mode, Policy } from '../verifier/policy.ts';
import { CA_PATH_BUNDLE } from '../verifier/policy-options.ts';
import { tpmVendor, vendorLetters } from '../x509/ek/vendors.ts';
import { diagnose, type EkDiagnosis, type EkJudge, judgeSubject } from './ek-diagnosis.ts';
import type { DoctorFinding } from './ek-remarks.ts';
import type { MissingIssuerReport } from './ek-report.ts';
import type { EkSubject } from './ek-subject.ts';

export interface HashListPlace {
  readonly path: string;
  readonly kind: 'folder' | 'file';
}

/** The policy, and the hash list to which a machine can be added. */
export interface EnrolmentContext {
  readonly judge: EkJudge;
  /** Undefined when no hash list was given. */
  readonly hashList: HashListPlace | undefined;
}

export interface EnrolmentWay {
  readonly way: 'ca_path' | 'hash' | 'certificate_file' | 'other_ek' | 'ek_template' | 'allowance' | 'password';
  /** The key that the way admits; null when the agent takes no key. */
  readonly ek: string | null;
  readonly text: string;
  /** Shell commands. Words in capitals stand for files. */
  readonly commands: readonly string[];
  /** Lines of the server's configuration. */
  readonly server: readonly string[];
  /** Lines of the agent's configuration. */
  readonly agent: readonly string[];
}

const MOST_WAYS = 3;
const MOST_ADDRESSES = 3;
const MAX_ADDRESS_CHARS = 200;

/** The same paths as in docs/operations.md. */
const CA_FOLDER = '/etc/spire/tpm-cas';
const HASH_FOLDER = '/etc/spire/tpm-hashes';
const CERTIFICATE_FILE = '/etc/spire/ek-certificate';

/**
 * Findings for which no way is given: the manufacturer revoked the key, the operator denies it, or anyone can compute
 * the private key (ROCA).
 */
const KEPT_OUT: readonly string[] = ['ek.revoked', 'ek.denied', 'ek.roca'] satisfies readonly FindingCode[];

/** At most three ways, the shortest first; none for an admitted key. */
export function enrolmentWays(
  taken: EkDiagnosis,
  others: readonly EkDiagnosis[],
  context: EnrolmentContext,
): readonly EnrolmentWay[] {
  if (taken.admittedBy !== null || taken.findings.some(({ code }) => KEPT_OUT.includes(code))) return [];
  const { subject } = taken;
  const { policy } = context.judge;
  if (taken.onlyWith !== null) return [templateWay(subject, taken.onlyWith.server)];
  const isSaved = subject.file !== null && !context.judge.isServers;
  const lines = subject.template === null || isSaved ? [] : linesAccepting(subject.template, policy.ekTemplates);
  const judge = accepting(subject.template, context.judge);
  const accepted = lines.length === 0 ? taken : diagnose(subject, judge);
  const keys = otherKeyWays(others, context.judge);
  // First, other keys whose templates the server already accepts: then the machine has only one ID.
  if (lines.length > 0 && accepted.admittedBy !== null)
    return [...keys.filter(({ server }) => server.length === 0), templateWay(subject, lines)].slice(0, MOST_WAYS);
  return [
    ...caWays(accepted, judge),
    ...hashWays(accepted, { ...context, judge }),
    ...fileWays(accepted),
    ...keys,
    ...allowanceWays(accepted, judge),
  ]
    .map((way) => (way.ek === subject.id ? { ...way, server: [...lines, ...way.server] } : way))
    .slice(0, MOST_WAYS);
}

function accepting(template: EkTemplateName | null, judge: EkJudge): EkJudge {
  const { ekTemplates } = judge.policy;
  if (template === null || ekTemplates.includes(template)) return judge;
  return { ...judge, policy: { ...judge.policy, ekTemplates: [...ekTemplates, template] } };
}

/** The way for a key whose only finding is its template. */
function templateWay({ id, template }: EkSubject, server: readonly string[]): EnrolmentWay {
  return {
    way: 'ek_template',
    ek: id,
    text: `Let the server accept keys of template ${template}, for every machine. A TPM then has one ID for each template.`,
    commands: [],
    server,
    agent: [],
  };
}

/** The ways for a machine whose agent takes no key at all. */
export function waysToAKey(
  findings: readonly DoctorFinding[],
  others: readonly EkDiagnosis[],
  { judge }: EnrolmentContext,
): readonly EnrolmentWay[] {
  return [...passwordWays(findings), ...otherKeyWays(others, judge)].slice(0, MOST_WAYS);
}

/** The ways for a TPM whose hierarchy refuses a password that is needed. */
export function passwordWays(findings: readonly DoctorFinding[]): readonly EnrolmentWay[] {
  return (['endorsement', 'owner'] as const)
    .filter((hierarchy) => findings.some(({ code }) => code === `tpm.${hierarchy}_password`))
    .map(passwordWay);
}

function passwordWay(hierarchy: PasswordHierarchy): EnrolmentWay {
  return {
    way: 'password',
    ek: null,
    text: `Write the password of the ${hierarchy} hierarchy into a file that only the agent's user may read. Give it here and to the agent.`,
    commands: [`tpm-attestor ek doctor --${hierarchy}-auth-file PASSWORD`],
    server: [],
    agent: [`${hierarchy}_auth_file = "/etc/spire/tpm-${hierarchy}-password"`],
  };
}

/** The way for a key that lacks only its CA, or whose other findings a bundle of that CA can overlook. */
function caWays({ subject, certificate, findings }: EkDiagnosis, judge: EkJudge): readonly EnrolmentWay[] {
  const missing = certificate?.missing_issuer ?? null;
  if (certificate === null || missing === null) return [];
  const needed = switchesFor(findings.filter(({ code }) => code !== 'ek.unknown_issuer'));
  const relaxed = { ...judge, policy: withAllowances(judge.policy, [...needed.keys()]) };
  if (judgeSubject(subject, relaxed).findings.some(({ code }) => code !== 'ek.unknown_issuer')) return [];
  const id = (certificate.manufacturer ?? '').replace('id:', '').toUpperCase();
  const vendor = tpmVendor(id);
  const kind = vendor?.kind ?? 'hardware';
  const name = (vendorLetters(id) ?? vendor?.name ?? 'tpm').toLowerCase().replace(/[^a-z0-9]+/g, '-');
  const folder = `${CA_FOLDER}-${name}`;
  const imported = kind === 'hardware' ? '' : ` --allow-${kind}`;
  const file = subject.file === null ? '' : `${quoted(subject.file)} `;
  const overlooked = needed.size === 0 ? '' : ` --allow ${[...needed.keys()].join(' ')}`;
  const price = needed.size === 0 ? '' : ` The server then overlooks: ${pricesOf(needed)}.`;
  return [
    {
      way: 'ca_path',
      ek: subject.id,
      text: `Get ${issuerText(missing)}, and the CAs above it, by a way you trust, as ISSUER. The server then admits every TPM that it certified.${price}`,
      commands: [
        `tpm-attestor ca import ISSUER --to ${folder}${imported}`,
        `tpm-attestor ek doctor ${file}--ca-path ${folder}${overlooked}`,
      ],
      server: [
        `bundle "${name}" {`,
        `  ca_path       = "${folder}"`,
        ...(kind === 'hardware' ? [] : [`  kind          = "${kind}"`]),
        ...(/^[0-9A-F]{8}$/.test(id) ? [`  manufacturers = ["${vendorLetters(id) ?? id}"]`] : []),
        // In a bundle, `kind` allows software TPMs.
        ...[...needed.keys()].filter((one) => one !== 'software_tpm').map((one) => `  allow_${one} = true`),
        '}',
      ],
      agent: [],
    },
  ];
}

/** The allowances that overlook errors among the findings, each with its price. */
function switchesFor(findings: readonly DoctorFinding[]): ReadonlyMap<Allowance, string> {
  const errors = findings.filter(({ severity }) => severity === 'error');
  const allowances = errors.map(({ code }) => allowanceFor(code)).filter((one) => one !== undefined);
  return new Map(allowances.map((one) => [one, ALLOWANCES[one].price]));
}

function pricesOf(switches: ReadonlyMap<Allowance, string>): string {
  return [...switches].map(([name, price]) => `allow_${name} (${price})`).join(', ');
}

function issuerText({ name, key_id: keyId, aia }: MissingIssuerReport): string {
  // The certificate may name many long addresses, so the sentence has only some. The report above it has them all.
  const shown = aia.filter(({ length }) => length <= MAX_ADDRESS_CHARS).slice(0, MOST_ADDRESSES);
  const details = [
    ...(keyId === null ? [] : [`key id ${keyId}`]),
    ...(shown.length === 0 ? [] : [`the certificate that it issued names ${shown.join(' or ')}`]),
  ];
  return `the CA "${name}"${details.length === 0 ? '' : ` (${details.join(', ')})`}`;
}

function hashWays({ subject, findings }: EkDiagnosis, { judge, hashList }: EnrolmentContext): readonly EnrolmentWay[] {
  const { pubHash } = subject;
  if (subject.file !== null && isOfOtherUse(subject, findings, judge)) return [];
  const { policy } = judge;
  const mode: Mode = policy.mode === 'certificate' ? 'either' : policy.mode;
  const listed: Policy = { ...policy, mode, isListed: (hash) => hash === pubHash };
  if (pubHash === null || judgeSubject(subject, { ...judge, policy: listed }).admittedBy === null) return [];
  const place = hashList ?? { path: HASH_FOLDER, kind: 'folder' };
  const path = quoted(place.path);
  const named = policy.isListed === undefined ? [`hash_path = ${JSON.stringify(place.path)}`] : [];
  const both = policy.isListed !== undefined && policy.mode === 'certificate' ? ['mode = "either"'] : [];
  return [
    {
      way: 'hash',
      ek: subject.id,
      text: `List the key on every server. This admits this machine alone, ${mode === 'both' ? 'if its certificate passes' : 'whatever its certificate'}.`,
      commands: [
        // `install -D` makes the folder when it does not exist.
        place.kind === 'folder' ? `install -D -m 0644 /dev/null ${path}/${pubHash}` : `echo ${pubHash} >> ${path}`,
      ],
      server: [...named, ...both],
      agent: [],
    },
  ];
}

/** True when the saved certificate is not for an EK by its key usage, and nothing else shows that its key is an EK. */
function isOfOtherUse(subject: EkSubject, findings: readonly DoctorFinding[], judge: EkJudge): boolean {
  const relaxed = { ...judge, policy: withAllowances(judge.policy, [...switchesFor(findings).keys()]) };
  return judgeSubject(subject, relaxed).findings.some(({ code }) => code === 'ek.usage');
}

/** Findings about the key itself, which no certificate can mend. */
const OF_THE_KEY: readonly string[] = ['malformed', 'template', 'weak_key', 'roca', 'algorithm', 'denied'];

function fileWays({ subject, findings }: EkDiagnosis): readonly EnrolmentWay[] {
  const [address] = subject.addresses;
  if (address === undefined || findings.some(({ code }) => OF_THE_KEY.some((one) => code === `ek.${one}`))) return [];
  const others = subject.addresses
    .slice(1)
    .map((other) => ` or ${other}`)
    .join('');
  return [
    {
      way: 'certificate_file',
      ek: subject.id,
      text: `Fetch the certificate that its manufacturer may have at ${address}${others}, and give it to the agent. The server also needs the CAs above it.`,
      commands: [
        `curl -fo ${CERTIFICATE_FILE} '${address}'`,
        `tpm-attestor ek doctor ${subject.file === null ? '--ek-certificate ' : ''}${CERTIFICATE_FILE}`,
      ],
      server: [],
      agent: [`ek_certificate_path = "${CERTIFICATE_FILE}"`],
    },
  ];
}

/** Findings that the server refuses this kind of key in general. */
const OF_THE_TEMPLATE: readonly string[] = [
  'ek.algorithm',
  'ek.template_not_accepted',
] satisfies readonly FindingCode[];

/** The ways to another key of this TPM that has no findings, or only findings about its template. */
function otherKeyWays(others: readonly EkDiagnosis[], judge: EkJudge): readonly EnrolmentWay[] {
  return others.flatMap(({ subject, findings }): readonly EnrolmentWay[] => {
    const choice = subject.takenBy.find((one) => one !== 'auto');
    const errors = findings.filter(({ severity }) => severity === 'error');
    if (choice === undefined || errors.some(({ code }) => !OF_THE_TEMPLATE.includes(code))) return [];
    return [
      {
        way: 'other_ek',
        ek: subject.id,
        text: `Let the agent take the key of template ${subject.id}, which has no other findings. Another key is another agent ID.`,
        commands: [`tpm-attestor ek doctor --ek ${choice}`],
        server: subject.template === null ? [] : linesAccepting(subject.template, judge.policy.ekTemplates),
        agent: [`ek = "${choice}"`],
      },
    ];
  });
}

/** The way for a key that the server admits only with allowances. */
function allowanceWays({ subject, findings }: EkDiagnosis, judge: EkJudge): readonly EnrolmentWay[] {
  const needed = switchesFor(findings);
  const allowances = [...needed.keys()];
  const relaxed = withAllowances(judge.policy, allowances);
  const admits = (bundles: Policy['bundles']): boolean =>
    judgeSubject(subject, { ...judge, policy: { ...relaxed, bundles } }).admittedBy !== null;
  const vouching = relaxed.bundles.find((bundle) => admits([bundle]));
  if (needed.size === 0 || vouching === undefined) return [];
  // Outside a bundle block, the allowances apply to ca_path alone.
  const isBlock = vouching.name !== CA_PATH_BUNDLE;
  const place = isBlock ? ` of the bundle "${vouching.name}", in its block` : '';
  const switches = allowances.map((name) =>
    isBlock && name === 'software_tpm' ? 'kind = "software"' : `allow_${name} = true`,
  );
  return [
    {
      way: 'allowance',
      ek: subject.id,
      text: `Overlook this for every machine${place}: ${pricesOf(needed)}.`,
      commands: [],
      server: switches,
      agent: [],
    },
  ];
}

function withAllowances(policy: Policy, allowances: readonly Allowance[]): Policy {
  return {
    ...policy,
    bundles: policy.bundles.map((bundle) => ({ ...bundle, rules: allowing(bundle.rules, allowances) })),
  };
}

/** Quotes a path for a shell, and protects a leading dash, which a command would take for an option. */
function quoted(path: string): string {
  const named = path.startsWith('-') ? `./${path}` : path;
  return /^[\w@%+=:,./-]+$/.test(named) ? named : `'${named.replaceAll("'", "'\\''")}'`;
}
