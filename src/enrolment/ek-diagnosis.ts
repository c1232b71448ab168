/** Asks the verifier about an endorsement key, with the given CAs and hash list. Opens no file. */

import { finished } from '../bytes/pausable.ts';
import { linesAccepting } from '../policy/ek-templates.ts';
import { encode } from '../tpm/structures/codec.ts';
import { tpmtPublic } from '../tpm/structures/public.ts';
import { EK_TEMPLATE_NAMES } from '../tpm/templates.ts';
import { judgeEkCertificate } from '../verifier/ek-certificate.ts';
import { type AdmittedBy, judgeEndorsement } from '../verifier/endorsement.ts';
import { REMEDIES } from '../verifier/findings.ts';
import type { Bundle, Policy } from '../verifier/policy.ts';
import { Findings } from '../verifier/verdict.ts';
import { type Certificate, parseCertificate } from '../x509/certificate.ts';
import { odditiesOf } from '../x509/ek/oddities.ts';
import { MalformedCertificateError } from '../x509/malformed-certificate.ts';
import { formatName } from '../x509/name.ts';
import { REPORT, SignatureChecks } from '../x509/path/signature-checks.ts';
import type { DoctorFinding } from './ek-remarks.ts';
import { type EkReport, ekReport, unreadableReport } from './ek-report.ts';
import type { EkSubject } from './ek-subject.ts';

export interface EkJudge {
  readonly policy: Policy;
  /** An empty bundle, for a policy without CAs: its rules still apply to the certificate. */
  readonly blank: Bundle;
  readonly intermediates: readonly Certificate[];
  readonly now: Date;
  /** True when the operator gave the policy of a server. Otherwise the policy has the default EK templates. */
  readonly isServers: boolean;
}

/** A certificate above the EK certificate. */
export interface ChainLink {
  readonly subject: string;
  /** SHA-256 of the certificate, hexadecimal. */
  readonly fingerprint: string;
  readonly not_before: string;
  readonly not_after: string;
  readonly oddities: readonly string[];
  /** `key`: it came with the endorsement key; `given`: the operator gave it. */
  readonly source: 'key' | 'given';
}

/** For a key that passes every check except that of its template. */
export interface OtherTemplate {
  readonly by: AdmittedBy;
  /** The lines of the server's configuration that accept the template. */
  readonly server: readonly string[];
}

export interface EkDiagnosis {
  readonly subject: EkSubject;
  /** Null for a key that is not admitted, and when neither CAs nor a list were given. */
  readonly admittedBy: AdmittedBy | null;
  /** For a key that a server admits only when it accepts the key's template. */
  readonly onlyWith: OtherTemplate | null;
  /** The report by the CAs alone. */
  readonly certificate: EkReport | null;
  /** The subject of the certificate, empty for hardware TPMs; null without a readable certificate. */
  readonly certificateSubject: string | null;
  readonly chain: readonly ChainLink[];
  readonly findings: readonly DoctorFinding[];
  /** What the verifier overlooked or could not check when it admitted the key, one sentence each. */
  readonly notes: readonly string[];
}

/** Number of CAs in all bundles. */
export function authoritiesOf({ bundles }: Policy): number {
  return bundles.reduce((sum, { anchors }) => sum + anchors.certificates.length, 0);
}

export function diagnose(subject: EkSubject, judge: EkJudge): EkDiagnosis {
  const { admittedBy, findings, notes } = judgeSubject(subject, judge);
  const { report, name, chain } = lookAtCertificate(subject, judge);
  const server = subject.template === null ? [] : linesAccepting(subject.template, judge.policy.ekTemplates);
  const onlyWith = admittedBy === null || server.length === 0 ? null : { by: admittedBy, server };
  return {
    subject,
    admittedBy: onlyWith === null ? admittedBy : null,
    onlyWith,
    certificate: report,
    certificateSubject: name,
    chain,
    findings: [...findings, ...subject.remarks],
    notes,
  };
}

/** Without the server's options, the default templates apply only to the key that the agent sends. */
function policyFor({ taken, file }: EkSubject, { policy, isServers }: EkJudge): Policy {
  return isServers || (taken && file === null) ? policy : { ...policy, ekTemplates: EK_TEMPLATE_NAMES };
}

/** Judges the key as a server with this policy would, from what an agent would send. */
export function judgeSubject(
  subject: EkSubject,
  judge: EkJudge,
): Pick<EkDiagnosis, 'admittedBy' | 'findings' | 'notes'> {
  const { intermediates, now } = judge;
  const policy = policyFor(subject, judge);
  const { id, file, publicArea, certificates } = subject;
  // For a key in a TPM, the subject's remarks tell why it has no public area.
  if (publicArea === undefined)
    return { admittedBy: null, findings: file === null ? [] : [unlikeFinding(subject)], notes: [] };
  const between = certificates.length === 0 ? [] : intermediates.map(({ der }) => der);
  const evidence = { ekPublic: encode(tpmtPublic, publicArea), ekCertificates: [...certificates, ...between] };
  const found = new Findings();
  const trusted = judgeEndorsement(evidence, policy, now, found);
  // Without CAs, an unknown issuer is not a finding about the machine.
  const unasked = policy.mode === 'certificate' && authoritiesOf(policy) === 0;
  const findings = found.list
    .filter(({ code }) => !(unasked && code === 'ek.unknown_issuer'))
    .map((finding): DoctorFinding => ({ ...finding, severity: 'error', ek: id }));
  const overlooked = (trusted?.overlooked ?? []).map(
    (finding): DoctorFinding => ({ ...finding, severity: 'remark', ek: id }),
  );
  return {
    admittedBy: trusted?.admittedBy ?? null,
    findings: [...findings, ...overlooked],
    notes: trusted?.notes ?? [],
  };
}

function lookAtCertificate(
  { id, publicArea, certificates, certificateSource, intake }: EkSubject,
  { policy, blank, intermediates, now }: EkJudge,
): { readonly report: EkReport | null; readonly name: string | null; readonly chain: readonly ChainLink[] } {
  const [own, ...others] = certificates;
  if (own === undefined) return { report: null, name: null, chain: [] };
  const leaf = read(own);
  if (leaf instanceof MalformedCertificateError)
    return { report: unreadableReport(certificateSource ?? id, leaf), name: null, chain: [] };
  const above = others.flatMap((der) => {
    const one = read(der);
    return one instanceof MalformedCertificateError ? [] : [one];
  });
  const question = {
    leaf,
    intermediates: [...above, ...intermediates],
    now,
    keyIsKnown: publicArea !== undefined,
  };
  const bundles = policy.bundles.length === 0 ? [blank] : policy.bundles;
  const verdict = finished(judgeEkCertificate(question, { ...policy, bundles }, new SignatureChecks(REPORT)));
  const brought = new Set(above.map(({ fingerprint }) => fingerprint));
  const chain = verdict.chain.slice(1).map((one) => linkOf(one, brought));
  const name = leaf.subject.relativeNames.length === 0 ? '' : formatName(leaf.subject);
  return { report: ekReport(leaf, intake, verdict), name, chain };
}

function linkOf(certificate: Certificate, brought: ReadonlySet<string>): ChainLink {
  const { subject, fingerprint, notBefore, notAfter } = certificate;
  return {
    subject: formatName(subject),
    fingerprint,
    not_before: notBefore.toISOString(),
    not_after: notAfter.toISOString(),
    oddities: odditiesOf(certificate),
    source: brought.has(fingerprint) ? 'key' : 'given',
  };
}

function read(der: Uint8Array): Certificate | MalformedCertificateError {
  try {
    return parseCertificate(der);
  } catch (error) {
    if (error instanceof MalformedCertificateError) return error;
    throw error;
  }
}

/** The finding for a key that the policy cannot judge, because no template of the TCG has keys of its kind. */
function unlikeFinding({ id, algorithm }: EkSubject): DoctorFinding {
  const message = `no template of the TCG has keys of kind ${algorithm ?? 'unknown'}`;
  return { code: 'ek.template', severity: 'error', message, remedy: REMEDIES['ek.template'], ek: id };
}
