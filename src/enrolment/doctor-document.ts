/** The JSON document that `ek doctor --json` prints. Every field is always present. */
import type { KeyChoice } from '../agent/endorsement/load-endorsement.ts';
import type { EkTemplateName } from '../tpm/templates.ts';
import type { AdmittedBy } from '../verifier/endorsement.ts';
import type { ChainLink, EkDiagnosis, OtherTemplate } from './ek-diagnosis.ts';
import type { DoctorFinding } from './ek-remarks.ts';
import type { EkReport } from './ek-report.ts';
import type { EnrolmentWay } from './enrolment-ways.ts';
import type { TpmFacts } from './tpm-capabilities.ts';

export interface DoctorDocument {
  /** Null when the keys come from files. */
  readonly tpm: TpmEntry | null;
  readonly eks: readonly EkEntry[];
  readonly findings: readonly DoctorFinding[];
  /** At most three ways for each key that the agent takes, the shortest first; none for an admitted key. */
  readonly ways: readonly EnrolmentWay[];
  /** Number of given CAs. */
  readonly cas: number;
}

export interface TpmEntry {
  readonly manufacturer: string;
  /** Eight hexadecimal digits. */
  readonly manufacturer_id: string;
  readonly model: string;
  /** The current version: four numbers. */
  readonly firmware: string;
  readonly password_set: { readonly owner: boolean; readonly endorsement: boolean };
  readonly in_lockout: boolean;
}

export interface EkEntry {
  /** The name of the key in findings and ways: its template, or its file. */
  readonly ek: string;
  readonly file: string | null;
  readonly template: EkTemplateName | null;
  readonly algorithm: string | null;
  /** SHA-256 of the SPKI, for `hash_path`. */
  readonly pub_hash: string | null;
  /** Null for a key that the TPM makes when it is needed. */
  readonly persistent_handle: string | null;
  /** True when the agent takes the key by the option --ek. */
  readonly taken: boolean;
  /** The values of the agent's `ek` that select the key, as far as is known. */
  readonly taken_by: readonly KeyChoice[];
  /** Null for a key that is not admitted, and when neither CAs nor a list were given. */
  readonly admitted_by: AdmittedBy | null;
  /** For a key that a server admits only with further options; null for every other key. */
  readonly admitted_only_with: OtherTemplate | null;
  readonly certificate_source: string | null;
  readonly certificate_subject: string | null;
  /** The report of `ek verify`, by the CAs alone. */
  readonly certificate: EkReport | null;
  /** The certificates above the EK certificate, up to the first that fails. */
  readonly chain: readonly ChainLink[];
  /** What the verifier overlooked or could not check when it admitted the key. */
  readonly notes: readonly string[];
  /** Addresses at which the manufacturer may publish a certificate. Nothing is fetched. */
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
