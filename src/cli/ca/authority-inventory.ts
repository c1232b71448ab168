/** The output of `ca inspect`: CA certificates and their problems. */
import {
  AUTHORITY_PROBLEMS,
  type AuthorityProblem,
  type AuthorityProblemCode,
  type Severity,
} from '../../x509/authority/authority-problems.ts';
import type { AuthorityReport } from '../../x509/authority/authority-report.ts';

export interface ListedAuthority extends AuthorityReport {
  /** The files that hold it. */
  readonly files: readonly string[];
}

/** Counts all certificates, including those that are not shown. */
export interface InventorySummary {
  readonly certificates: number;
  readonly roots: number;
  readonly intermediates: number;
  readonly errors: number;
  readonly warnings: number;
  readonly remarks: number;
  /** How often each problem was found. */
  readonly codes: Readonly<Partial<Record<AuthorityProblemCode, number>>>;
}

export interface AuthorityInventory {
  readonly certificates: readonly ListedAuthority[];
  /** The problems of unreadable files first, then those of each certificate. */
  readonly problems: readonly AuthorityProblem[];
  readonly summary: InventorySummary;
}

export function summaryOf(
  certificates: readonly ListedAuthority[],
  problems: readonly AuthorityProblem[],
): InventorySummary {
  const roots = certificates.filter(({ role }) => role === 'root').length;
  const count = (severity: Severity): number => problems.filter((problem) => problem.severity === severity).length;
  const codes: Partial<Record<AuthorityProblemCode, number>> = {};
  for (const { code } of problems) codes[code] = (codes[code] ?? 0) + 1;
  return {
    certificates: certificates.length,
    roots,
    intermediates: certificates.length - roots,
    errors: count('error'),
    warnings: count('warning'),
    remarks: count('remark'),
    codes,
  };
}

const SEVERITIES: readonly Severity[] = ['error', 'warning', 'remark'];

export function inventoryLines({ certificates, problems, summary }: AuthorityInventory): readonly string[] {
  const ofNone = problems.filter(({ fingerprint }) => fingerprint === null);
  const byFingerprint = new Map<string | null, AuthorityProblem[]>();
  for (const problem of problems) {
    const known = byFingerprint.get(problem.fingerprint);
    if (known === undefined) byFingerprint.set(problem.fingerprint, [problem]);
    else known.push(problem);
  }
  return [
    ...certificates.flatMap((one) => [
      ...authorityLines(one),
      ...problemLines(byFingerprint.get(one.fingerprint) ?? []),
      '',
    ]),
    ...ofNone.flatMap((problem) => [row('file', problem.file), ...problemLines([problem]), '']),
    ...summaryLines(summary),
  ];
}

function row(label: string, text: string): string {
  return `${label.padEnd(12)} ${text}`;
}

function authorityLines(authority: ListedAuthority): readonly string[] {
  const { subject, issuer, role, manufacturer, key, signature, not_before, not_after, serial, files } = authority;
  return [
    row('subject', subject),
    ...(role === 'root' ? [] : [row('issuer', issuer)]),
    row(role, `${manufacturer ?? 'manufacturer unknown'}, ${key}, signed with ${signature}`),
    row('valid', `${not_before.slice(0, 10)} to ${not_after.slice(0, 10)}, serial ${serial}`),
    row('key sha256', authority.spki_sha256),
    row('cert sha256', authority.fingerprint),
    row('limits', limitsOf(authority)),
    ...(authority.oddities.length === 0 ? [] : [row('oddities', authority.oddities.join(', '))]),
    row('file', files.join(', ')),
  ];
}

function limitsOf({ eku, path_length, lists_crl, lists_issuer }: ListedAuthority): string {
  const addresses = [...(lists_crl ? ['CRL'] : []), ...(lists_issuer ? ['issuer'] : [])];
  return [
    eku === null ? 'any usage' : `usages ${eku.join(' ')}`,
    path_length === null ? 'any path length' : `path length ${path_length}`,
    `addresses of ${addresses.length === 0 ? 'nothing' : addresses.join(' and ')}`,
  ].join(', ');
}

/** The worst first. */
function problemLines(problems: readonly AuthorityProblem[]): readonly string[] {
  return SEVERITIES.flatMap((severity) => problems.filter((problem) => problem.severity === severity)).flatMap(
    ({ severity, code, message, remedy }) => [
      row(severity, `${code}: ${message}`),
      ...(severity === 'remark' ? [] : [row('', remedy)]),
    ],
  );
}

function summaryLines(summary: InventorySummary): readonly string[] {
  const { certificates, roots, intermediates, codes } = summary;
  const roles = `${counted(roots, 'root')}, ${counted(intermediates, 'intermediate')}`;
  const found = SEVERITIES.map((severity) => counted(summary[`${severity}s`], severity)).join(', ');
  return [
    `${counted(certificates, 'certificate')}: ${roles}; ${found}`,
    ...SEVERITIES.flatMap((severity) =>
      Object.entries(codes)
        .filter(([code]) => AUTHORITY_PROBLEMS[code as AuthorityProblemCode].severity === severity)
        .map(([code, count]) => row(severity, `${String(count).padStart(5)} ${code}`)),
    ),
  ];
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
