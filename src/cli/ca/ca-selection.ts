/** Selects the certificates that `ca import` adds, and says why it leaves the others out. */

import { finished } from '../../bytes/pausable.ts';
import { authorityKind, authorityManufacturer, tellingAuthorities } from '../../x509/authority/authority-kinds.ts';
import {
  type AuthorityProblemCode,
  authorityFaults,
  unknownAuthority,
} from '../../x509/authority/authority-problems.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { describe } from '../../x509/path/path-rules.ts';
import { UsageError } from '../terminal/failure.ts';
import { slugOf } from './authority-file.ts';
import type { ImportedCertificate } from './ca-sources.ts';

export interface SelectionRules {
  readonly now: Date;
  readonly allowSoftware: boolean;
  readonly allowCloud: boolean;
  /** Import CAs that do not show that they certify TPMs. */
  readonly allowUnknown: boolean;
  /** Empty selects all. */
  readonly manufacturers: readonly string[];
}

export interface SelectedCertificate {
  readonly certificate: Certificate;
  readonly source: string;
  /** The name of its folder, or the manufacturer that its names tell, or `unknown`. */
  readonly manufacturer: string;
}

export interface LeftOutCertificate extends SelectedCertificate {
  readonly code: AuthorityProblemCode | 'other_manufacturer';
  readonly message: string;
}

export interface Selection {
  readonly selected: readonly SelectedCertificate[];
  readonly leftOut: readonly LeftOutCertificate[];
}

/** Handles each certificate once. @throws UsageError if a given manufacturer has no certificate here */
export function selectCertificates(certificates: readonly ImportedCertificate[], rules: SelectionRules): Selection {
  refuseAbsent(certificates, rules.manufacturers);
  const wanted = new Set(rules.manufacturers.map(slugOf));
  const seen = new Set<string>();
  const telling = finished(tellingAuthorities(certificates.map(({ certificate }) => certificate)));
  const selected: SelectedCertificate[] = [];
  const leftOut: LeftOutCertificate[] = [];
  for (const imported of certificates) {
    const { certificate, source } = imported;
    if (seen.has(certificate.fingerprint)) continue;
    seen.add(certificate.fingerprint);
    const one = { certificate, source, manufacturer: namesOf(imported)[0] ?? 'unknown' };
    const unknown =
      rules.allowUnknown || imported.folder !== undefined || telling.has(certificate)
        ? undefined
        : unknownAuthority(certificate);
    const reason = reasonAgainst(imported, rules, wanted) ?? unknown;
    if (reason === undefined) selected.push(one);
    else leftOut.push({ ...one, ...reason });
  }
  return { selected, leftOut };
}

function reasonAgainst(
  imported: ImportedCertificate,
  { now, allowSoftware, allowCloud }: SelectionRules,
  wanted: ReadonlySet<string>,
): Pick<LeftOutCertificate, 'code' | 'message'> | undefined {
  const { certificate } = imported;
  if (wanted.size > 0 && !namesOf(imported).some((name) => wanted.has(slugOf(name))))
    return { code: 'other_manufacturer', message: `${describe(certificate)} is from another manufacturer` };
  const kind = authorityKind(certificate);
  if (kind === 'software' && !allowSoftware)
    return { code: 'software_authority', message: `${describe(certificate)} certifies software TPMs` };
  if (kind === 'cloud' && !allowCloud)
    return { code: 'cloud_authority', message: `${describe(certificate)} certifies virtual TPMs of a cloud` };
  return authorityFaults(certificate, now)[0];
}

/** The folder's name first: the collector knew more than the certificate says. */
function namesOf({ certificate, folder }: ImportedCertificate): readonly string[] {
  return [folder, authorityManufacturer(certificate)].filter((name) => name !== undefined);
}

function refuseAbsent(certificates: readonly ImportedCertificate[], manufacturers: readonly string[]): void {
  const names = new Map(certificates.flatMap(namesOf).map((name) => [slugOf(name), name]));
  const absent = manufacturers.find((name) => !names.has(slugOf(name)));
  if (absent === undefined || certificates.length === 0) return;
  const there = [...names.values()].sort().join(', ') || 'none known';
  throw new UsageError(`there is no certificate of a manufacturer "${absent}"; give one of: ${there}`);
}
