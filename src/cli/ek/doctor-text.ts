/** Formats the output of `ek doctor` for people. */

import type { DoctorDocument, EkEntry, TpmEntry } from '../../enrolment/doctor-document.ts';
import type { ChainLink } from '../../enrolment/ek-diagnosis.ts';
import type { DoctorFinding } from '../../enrolment/ek-remarks.ts';
import type { EkReport, MissingIssuerReport } from '../../enrolment/ek-report.ts';
import type { EnrolmentWay } from '../../enrolment/enrolment-ways.ts';
import type { AdmittedBy } from '../../verifier/endorsement.ts';

/** The remedy of a finding that needs no action. It is not printed. */
const NO_REMEDY = 'No action is needed.';

export function doctorLines({ tpm, eks, findings, ways, cas }: DoctorDocument): readonly string[] {
  const isJudged = cas > 0 || eks.some((ek) => ek.admitted_by !== null || ek.admitted_only_with !== null);
  const lines = [
    ...(tpm === null ? [] : tpmLines(tpm)),
    ...eks.flatMap((ek) => [
      '',
      ...ekLines(
        ek,
        findings.filter((finding) => finding.ek === ek.ek),
        isJudged,
      ),
    ]),
    ...ofNone(findings, eks),
    ...['', ...wayLines(ways, eks)],
  ];
  return lines[0] === '' ? lines.slice(1) : lines;
}

function row(label: string, text: string | null): readonly string[] {
  return text === null ? [] : [`${label.padEnd(13)}${text}`];
}

function tpmLines({
  manufacturer,
  manufacturer_id: id,
  model,
  firmware,
  password_set: set,
  in_lockout,
}: TpmEntry): readonly string[] {
  const passwords = [set.owner ? 'owner' : [], set.endorsement ? 'endorsement' : []].flat();
  return [
    ...row('TPM', `${manufacturer} (${id})${model === '' ? '' : `, ${model}`}, firmware ${firmware}`),
    ...row('', passwords.length === 0 ? null : `passwords set: ${passwords.join(', ')}`),
    ...row('', in_lockout ? 'IN LOCKOUT' : null),
  ];
}

function ekLines(ek: EkEntry, findings: readonly DoctorFinding[], isJudged: boolean): readonly string[] {
  const kept = ek.persistent_handle === null ? 'made when needed' : `at ${ek.persistent_handle}`;
  return [
    ...row('EK', `${ek.ek}${ek.algorithm === null ? '' : ` (${ek.algorithm})`}${takenText(ek)}`),
    ...row('pub_hash', ek.pub_hash),
    ...row('key', ek.file === null ? kept : `of template ${ek.template ?? 'none'}`),
    ...certificateLines(ek),
    ...ek.certificate_urls.flatMap((url, i) => row(i === 0 ? 'perhaps at' : '', url)),
    ...row('verdict', verdictText(ek, findings, isJudged)),
    ...ek.notes.flatMap((note) => row('note', note)),
    ...findings.flatMap(findingLines),
  ];
}

function takenText({ file, taken, taken_by: choices }: EkEntry): string {
  if (file !== null) return '';
  const by = choices.length === 0 ? '' : ` by ek = ${choices.map((choice) => `"${choice}"`).join(' or ')}`;
  if (taken) return `, the one the agent takes${by}`;
  return choices.length === 0 ? ', not taken' : `, not taken; it would be${by}`;
}

function certificateLines({
  certificate_source: source,
  certificate_subject: subject,
  certificate,
  chain,
}: EkEntry): readonly string[] {
  if (certificate === null) return row('certificate', 'none');
  const { serial, issuer, not_before: from, not_after: until, oddities, missing_issuer: missing } = certificate;
  return [
    ...row('certificate', `from ${source ?? 'nowhere'}${serial === null ? '' : `, serial ${serial}`}`),
    ...row('subject', subject === '' ? 'none, as hardware has it' : subject),
    ...row('issuer', issuer),
    ...row('valid', from === null ? null : `${from} to ${until}`),
    ...row('certified', certifiedText(certificate)),
    ...chain.flatMap((link, i) => row(i === 0 ? 'chain' : '', linkText(link))),
    ...(missing === null ? [] : missingLines(missing)),
    ...row('oddities', oddities.length === 0 ? null : oddities.join(', ')),
  ];
}

function certifiedText({ manufacturer, manufacturer_name: name, model, firmware }: EkReport): string | null {
  if (manufacturer === null) return null;
  return [`${name ?? 'in no table'} (${manufacturer})`, model, firmware === null ? null : `firmware ${firmware}`]
    .filter((text) => text !== null)
    .join(', ');
}

function linkText({ subject, not_before: from, not_after: until, oddities, source }: ChainLink): string {
  const odd = oddities.length === 0 ? '' : `, oddities: ${oddities.join(', ')}`;
  const whence = source === 'given' ? 'given' : 'came with the key';
  return `${subject} (${from.slice(0, 10)} to ${until.slice(0, 10)}, ${whence}${odd})`;
}

function missingLines({ name, key_id: keyId, aia }: MissingIssuerReport): readonly string[] {
  return [
    ...row('missing CA', name),
    ...row('', keyId === null ? 'key id not named' : `key id ${keyId}`),
    ...(aia.length === 0 ? row('', 'no address named') : aia.flatMap((address) => row('', `at ${address}`))),
  ];
}

const PASSED: Readonly<Record<AdmittedBy, string>> = {
  certificate: 'its certificate passes',
  hash: 'its hash is listed',
  both: 'its certificate passes and its hash is listed',
  unenforced: 'the policy is not enforced',
};

function verdictText(
  { admitted_by: by, admitted_only_with: other }: EkEntry,
  findings: readonly DoctorFinding[],
  isJudged: boolean,
): string {
  if (other !== null) return `${PASSED[other.by]}; a server admits it only with ${other.server.join(' and ')}`;
  if (by === 'unenforced') return 'admitted, as the policy is not enforced';
  if (by !== null) return `admitted by ${by === 'both' ? 'certificate and hash' : by}`;
  const isRefused = findings.some(({ severity }) => severity === 'error');
  return isRefused || isJudged ? 'not admitted' : 'no findings; its CA was not checked';
}

function findingLines({ severity, code, message, remedy }: DoctorFinding): readonly string[] {
  return [...row(severity, `${code}: ${message}`), ...row('', remedy === NO_REMEDY || remedy === '' ? null : remedy)];
}

function ofNone(findings: readonly DoctorFinding[], eks: readonly EkEntry[]): readonly string[] {
  const others = findings.filter(({ ek }) => !eks.some((one) => one.ek === ek));
  return others.length === 0 ? [] : ['', ...others.flatMap(findingLines)];
}

function withoutWays(taken: readonly EkEntry[]): string {
  if (taken.length === 0 || taken.some(({ admitted_by: by }) => by === null))
    return 'No way to enrol this machine is known; see the findings.';
  return taken.some(({ admitted_by: by }) => by === 'unenforced')
    ? 'Admitted while enforce is false. For the ways to enrol, give a copy of the policy without enforce.'
    : 'The server admits it already. No action is needed.';
}

function wayLines(ways: readonly EnrolmentWay[], eks: readonly EkEntry[]): readonly string[] {
  const taken = eks.filter((ek) => ek.taken);
  if (ways.length === 0) return [withoutWays(taken)];
  return taken.length > 1
    ? taken
        .filter(({ admitted_by: by }) => by === null)
        .flatMap(({ ek }) =>
          numbered(
            `To enrol ${ek}`,
            ways.filter((way) => ownerOf(way, ek)),
          ),
        )
    : numbered('To enrol', ways);
}

function ownerOf(way: EnrolmentWay, ek: string): boolean {
  return way.ek === ek;
}

function numbered(title: string, ways: readonly EnrolmentWay[]): readonly string[] {
  return [
    title,
    ...ways.flatMap(({ way, text, commands, server, agent }, i) => [
      `${i + 1}. ${way}: ${text}`,
      ...commands.map((line) => `     ${line}`),
      ...server.map((line, j) => `   ${(j === 0 ? 'server' : '').padEnd(8)}${line}`),
      ...agent.map((line, j) => `   ${(j === 0 ? 'agent' : '').padEnd(8)}${line}`),
    ]),
  ];
}
