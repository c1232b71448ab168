/** The report of `ek verify` about a certificate, as JSON and as lines of text. */
import { hex } from '../bytes/bytes.ts';
import type { CertificateVerdict } from '../verifier/ek-certificate.ts';
import { type Finding, REMEDIES } from '../verifier/findings.ts';
import type { Certificate } from '../x509/certificate.ts';
import { checkEkProfile } from '../x509/ek/ek-profile.ts';
import { odditiesOf } from '../x509/ek/oddities.ts';
import type { IntakeOddity } from '../x509/intake.ts';
import type { MalformedCertificateError } from '../x509/malformed-certificate.ts';
import { formatName } from '../x509/name.ts';
import { keyHash } from '../x509/subject-public-key.ts';

export interface EkReport {
  readonly verdict: 'trusted' | 'untrusted';
  /** The most important first; empty when trusted. */
  readonly findings: readonly Finding[];
  /** What allowances made the verifier overlook, and what is not known; one sentence each. */
  readonly notes: readonly string[];
  /** Names of the deviations of the certificate from the rule or the common case. */
  readonly oddities: readonly string[];
  /** `id:` and eight hexadecimal digits, as in the certificate; null when the certificate has none. */
  readonly manufacturer: string | null;
  readonly manufacturer_name: string | null;
  readonly model: string | null;
  /** `id:` and two to eight hexadecimal digits, in lower case. */
  readonly firmware: string | null;
  readonly key: { readonly algorithm: string; readonly bits: number | null } | null;
  /** SHA-256 of the SPKI, the identity of the machine. */
  readonly pub_hash: string | null;
  readonly serial: string | null;
  readonly issuer: string | null;
  readonly not_before: string | null;
  readonly not_after: string | null;
  /** The bundle whose CAs certify it. */
  readonly bundle: string | null;
  /** SHA-256 of each certificate in the chain, leaf first. When untrusted, it ends before the first that fails. */
  readonly chain: readonly string[];
  /** The issuer that is missing at the end of the chain. */
  readonly missing_issuer: MissingIssuerReport | null;
}

export interface MissingIssuerReport {
  readonly name: string;
  /** Hexadecimal identifier of the issuer's key; null when the issued certificate does not name it. */
  readonly key_id: string | null;
  /** Addresses of the issuer in the issued certificate. Nothing is fetched. */
  readonly aia: readonly string[];
}

export function ekReport(leaf: Certificate, intake: readonly IntakeOddity[], verdict: CertificateVerdict): EkReport {
  const facts = verdict.trusted ? verdict.certified.facts : (verdict.facts ?? checkEkProfile(leaf).facts);
  const missing = verdict.trusted ? undefined : verdict.missingIssuer;
  return {
    verdict: verdict.trusted ? 'trusted' : 'untrusted',
    findings: verdict.trusted ? [] : verdict.problems.map((one) => ({ ...one, remedy: REMEDIES[one.code] })),
    notes: verdict.trusted ? verdict.certified.notes : [],
    oddities: odditiesOf(leaf, intake),
    manufacturer: facts === undefined ? null : `id:${facts.manufacturer.id}`,
    manufacturer_name: facts?.manufacturer.name ?? null,
    model: facts?.model ?? null,
    firmware: facts?.version === undefined ? null : `id:${facts.version.toLowerCase()}`,
    key: keyOf(leaf),
    pub_hash: keyHash(leaf.subjectPublicKeyInfo),
    serial: hex(leaf.serial),
    issuer: formatName(leaf.issuer),
    not_before: leaf.notBefore.toISOString(),
    not_after: leaf.notAfter.toISOString(),
    bundle: verdict.trusted ? verdict.certified.bundle : null,
    chain: verdict.chain.map(({ fingerprint }) => fingerprint),
    missing_issuer:
      missing === undefined
        ? null
        : {
            name: missing.name,
            key_id: missing.keyId === undefined ? null : hex(missing.keyId),
            aia: missing.addresses,
          },
  };
}

/** The report for a file without a readable certificate: untrusted, as for a bad certificate. */
export function unreadableReport(name: string, error: MalformedCertificateError): EkReport {
  const code = 'ek.certificate_malformed';
  const message = `${name} holds no certificate that can be read: ${error.message}`;
  const nothing = { manufacturer: null, manufacturer_name: null, model: null, firmware: null, key: null };
  const unknown = { pub_hash: null, serial: null, issuer: null, not_before: null, not_after: null, bundle: null };
  const findings = [{ code, message, remedy: REMEDIES[code] }] as const;
  return {
    verdict: 'untrusted',
    findings,
    notes: [],
    oddities: [],
    ...nothing,
    ...unknown,
    chain: [],
    missing_issuer: null,
  };
}

function keyOf({ subjectPublicKeyInfo: { key } }: Certificate): EkReport['key'] {
  if (key.type === 'rsa') return { algorithm: 'rsa', bits: key.bits };
  return key.type === 'ec'
    ? { algorithm: `ecc-${key.curve.toLowerCase()}`, bits: key.bits }
    : { algorithm: key.algorithm, bits: null };
}

export function linesOf(report: EkReport): readonly string[] {
  const { manufacturer, manufacturer_name: name, model, firmware, key, missing_issuer: missing } = report;
  const row = (label: string, text: string | null): string[] => (text === null ? [] : [`${label.padEnd(13)}${text}`]);
  const maker = manufacturer === null ? null : `${name ?? 'in no table'} (${manufacturer})`;
  return [
    report.verdict,
    ...report.findings.flatMap(({ code, message, remedy }) => [`  ${code}: ${message}`, `    ${remedy}`]),
    ...row('manufacturer', maker),
    ...row('model', model),
    ...row('firmware', firmware),
    ...row('key', key === null ? null : `${key.algorithm}${key.bits === null ? '' : `, ${key.bits} bits`}`),
    ...row('pub_hash', report.pub_hash),
    ...row('issuer', report.issuer),
    ...row('valid', report.not_before === null ? null : `${report.not_before} to ${report.not_after}`),
    ...row('bundle', report.bundle),
    ...report.chain.flatMap((fingerprint, i) => row(i === 0 ? 'chain' : '', fingerprint)),
    ...(missing === null ? [] : missingLines(missing)),
    ...row('oddities', report.oddities.length === 0 ? null : report.oddities.join(', ')),
    ...report.notes.flatMap((note) => row('note', note)),
  ];
}

function missingLines({ name, key_id: keyId, aia }: MissingIssuerReport): readonly string[] {
  return [
    `${'missing CA'.padEnd(13)}${name}`,
    ...(keyId === null ? [] : [`${' '.repeat(13)}key id ${keyId}`]),
    ...aia.map((address) => `${' '.repeat(13)}${address}`),
  ];
}
