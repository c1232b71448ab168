/** Which of the certificates that were read become anchors, and why the others do not. */

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
  /** CAs that tell nothing of TPMs. */
  readonly allowUnknown: boolean;
  /** Empty for all. */
  readonly manufacturers: readonly string[];
}

export interface SelectedCertificate {
  readonly certificate: Certificate;
  readonly source: string;
  /** The folder it came from, or what its names tell; `unknown` where neither does. */
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

/** Each certificate once. @throws UsageError for a manufacturer that none of them is of */
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

/** The folder's name first: whoever collected them knew more than the certificate says. */
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
