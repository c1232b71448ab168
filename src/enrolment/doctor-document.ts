/** What `ek doctor --json` prints. Every field is always there. */
import type { KeyChoice } from '../agent/endorsement/load-endorsement.ts';
import type { EkTemplateName } from '../tpm/templates.ts';
import type { AdmittedBy } from '../verifier/endorsement.ts';
import type { ChainLink, EkDiagnosis, OtherTemplate } from './ek-diagnosis.ts';
import type { DoctorFinding } from './ek-remarks.ts';
import type { EkReport } from './ek-report.ts';
import type { EnrolmentWay } from './enrolment-ways.ts';
import type { TpmFacts } from './tpm-capabilities.ts';

export interface DoctorDocument {
  /** Null for saved keys. */
  readonly tpm: TpmEntry | null;
  readonly eks: readonly EkEntry[];
  readonly findings: readonly DoctorFinding[];
  /** At most three for each key that is taken, the shortest first; none for one that is admitted. */
  readonly ways: readonly EnrolmentWay[];
  /** CAs that were given. */
  readonly cas: number;
}

export interface TpmEntry {
  readonly manufacturer: string;
  /** Eight hexadecimal digits. */
  readonly manufacturer_id: string;
  readonly model: string;
  /** As it is now: four numbers. */
  readonly firmware: string;
  readonly password_set: { readonly owner: boolean; readonly endorsement: boolean };
  readonly in_lockout: boolean;
}

export interface EkEntry {
  /** What findings and ways call it: its template, or its file. */
  readonly ek: string;
  readonly file: string | null;
  readonly template: EkTemplateName | null;
  readonly algorithm: string | null;
  /** SHA-256 of the SPKI, for `hash_path`. */
  readonly pub_hash: string | null;
  /** Null for a key that is made when it is needed. */
  readonly persistent_handle: string | null;
  /** Whether the agent takes it by the option --ek. */
  readonly taken: boolean;
  /** The values of the agent's `ek` by which it does, as far as is known. */
  readonly taken_by: readonly KeyChoice[];
  /** Null also where neither CAs nor a list were given. */
  readonly admitted_by: AdmittedBy | null;
  /** For a key that passes, and that a server admits only with further options; null for every other. */
  readonly admitted_only_with: OtherTemplate | null;
  readonly certificate_source: string | null;
  readonly certificate_subject: string | null;
  /** As `ek verify` reports it, by the CAs alone. */
  readonly certificate: EkReport | null;
  /** Above the certificate, as far as it holds. */
  readonly chain: readonly ChainLink[];
  /** What was overlooked or left open in admitting it. */
  readonly notes: readonly string[];
  /** Where its manufacturer may have a certificate for it. Nothing is fetched. */
  readonly certificate_urls: readonly string[];
}

export function ekEntry(diagnosis: EkDiagnosis): EkEntry {
  const { subject, admittedBy, onlyWith, certificate, certificateSubject, chain } = diagnosis;
  return {
    ek: subject.id,
    file: subject.file,
    template: subject.template,
    algorithm: subject.algorithm,
    pub_hash: subject.pubHash,
    persistent_handle: subject.persistentHandle,
    taken: subject.taken,
    taken_by: subject.takenBy,
    admitted_by: admittedBy,
    admitted_only_with: onlyWith,
    certificate_source: subject.certificateSource,
    certificate_subject: certificateSubject,
    certificate,
    chain,
    notes: diagnosis.notes,
    certificate_urls: subject.addresses,
  };
}

export function tpmEntry({ manufacturer, manufacturerId, model, firmware, passwordSet, lockout }: TpmFacts): TpmEntry {
  return {
    manufacturer,
    manufacturer_id: manufacturerId,
    model,
    firmware,
    password_set: passwordSet,
    in_lockout: lockout.active,
  };
}
