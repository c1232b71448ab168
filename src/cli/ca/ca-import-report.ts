/** The output of `ca import`, for people and programs. */
import { authorityReport } from '../../x509/authority/authority-report.ts';
import type { LeftOutCertificate, SelectedCertificate } from './ca-selection.ts';
import type { ReadSources, UnreadSource } from './ca-sources.ts';

export interface ReportedCertificate {
  readonly subject: string;
  readonly manufacturer: string;
  readonly role: 'root' | 'intermediate';
  readonly fingerprint: string;
  readonly source: string;
}

export interface LeftOutReport extends ReportedCertificate {
  /** A code of `ca inspect`, or `other_manufacturer`, `name_taken`. */
  readonly code: LeftOutCertificate['code'] | 'name_taken';
  readonly message: string;
}

export interface ImportReport {
  readonly folder: string;
  /** If true, nothing was written, and `added` lists what a run would add. */
  readonly dry_run: boolean;
  readonly added: readonly (ReportedCertificate & { readonly file: string })[];
  readonly present: readonly ReportedCertificate[];
  readonly left_out: readonly LeftOutReport[];
  readonly unreadable: readonly UnreadSource[];
  readonly summary: {
    readonly added: number;
    readonly present: number;
    readonly left_out: number;
    readonly unreadable: number;
    /** Files in folders and cabinets that do not look like certificates. */
    readonly other_files: number;
    /** How often each reason was found. */
    readonly codes: Readonly<Record<string, number>>;
  };
}

export interface ImportOutcome {
  readonly folder: string;
  readonly dryRun: boolean;
  /** Each file name with its certificate. */
  readonly fresh: readonly (readonly [string, SelectedCertificate])[];
  readonly present: readonly SelectedCertificate[];
  readonly leftOut: readonly (Omit<LeftOutCertificate, 'code'> & { readonly code: LeftOutReport['code'] })[];
  readonly read: ReadSources;
}

export function reportOf({ folder, dryRun, fresh, present, leftOut, read }: ImportOutcome): ImportReport {
  const codes: Record<string, number> = {};
  for (const { code } of leftOut) codes[code] = (codes[code] ?? 0) + 1;
  return {
    folder,
    dry_run: dryRun,
    added: fresh.map(([file, one]) => ({ file, ...reported(one) })),
    present: present.map(reported),
    left_out: leftOut.map((one) => ({ ...reported(one), code: one.code, message: one.message })),
    unreadable: read.unreadable,
    summary: {
      added: fresh.length,
      present: present.length,
      left_out: leftOut.length,
      unreadable: read.unreadable.length,
      other_files: read.otherFiles,
      codes,
    },
  };
}

function reported({ certificate, manufacturer, source }: SelectedCertificate): ReportedCertificate {
  const { subject, role, fingerprint } = authorityReport(certificate);
  return { subject, manufacturer, role, fingerprint, source };
}

/** For each reason to leave a certificate out, the option that imports it anyway. */
const TAKEN_BY: Readonly<Partial<Record<LeftOutReport['code'], string>>> = {
  software_authority: '--allow-software',
  cloud_authority: '--allow-cloud',
  unknown_authority: '--allow-unknown',
};

function leftOutLine({ code, message, source }: LeftOutReport): string {
  const option = TAKEN_BY[code];
  return `left out    ${code}: ${message} (${source})${option === undefined ? '' : `; ${option} takes it`}`;
}

export function importLines({
  folder,
  dry_run,
  added,
  left_out,
  unreadable,
  summary,
}: ImportReport): readonly string[] {
  return [
    ...added.map(({ file, subject }) => `${dry_run ? 'would add ' : 'added     '}  ${file}  ${subject}`),
    // Certificates of other manufacturers are only counted, below.
    ...left_out.filter(({ code }) => code !== 'other_manufacturer').map(leftOutLine),
    ...unreadable.map(({ source, message }) => `unreadable  ${source}: ${message}`),
    [
      `${folder}: ${summary.added} ${dry_run ? 'would be added' : 'added'}`,
      `${summary.present} there already`,
      `${summary.left_out} left out`,
      `${summary.unreadable} unreadable; ${summary.other_files} other files`,
    ].join(', '),
    ...Object.entries(summary.codes).map(([code, count]) => `left out    ${String(count).padStart(5)} ${code}`),
  ];
}
