/** Finds problems of the CA certificates that an operator configures as trust anchors for endorsement certificates. */

import { finished } from '../../bytes/pausable.ts';
import type { Certificate, Oddity } from '../certificate.ts';
import { groupBySubject } from '../file/trust-store.ts';
import { KEY_PURPOSE } from '../object-identifiers.ts';
import { authorityProblems, describe, signatureProblem } from '../path/path-rules.ts';
import { describeSignature, unsoundness } from '../signature-algorithm.ts';
import { keyHash, weakness } from '../subject-public-key.ts';
import { authorityKind, tellingAuthorities } from './authority-kinds.ts';
import { mayBeKeyOf, selfSignature } from './authority-report.ts';

/** `error`: the CA cannot be used. `warning`: it works, but perhaps not as intended. `remark`: no action is needed. */
export type Severity = 'error' | 'warning' | 'remark';

interface Kind {
  readonly severity: Severity;
  readonly remedy: string;
}

const FETCH = 'Get the certificate again from the manufacturer.';
const COMPARE = 'Compare the hash of its key with the hash that the manufacturer publishes.';

/** Codes are stable. */
export type AuthorityProblemCode =
  | 'unreadable'
  | 'file_unusable'
  | 'expired'
  | 'not_yet_valid'
  | 'not_a_ca'
  | 'missing_key_cert_sign'
  | 'weak_key'
  | 'unknown_critical_extension'
  | 'eku'
  | 'bad_self_signature'
  | 'expires_soon'
  | 'weak_signature'
  | 'unsupported_signature'
  | 'same_authority'
  | 'software_with_hardware'
  | 'cloud_with_hardware'
  | 'unknown_authority'
  | 'software_authority'
  | 'cloud_authority'
  | 'weak_self_signature'
  | 'issuer_present'
  | 'same_file'
  | 'folder_left_out';

export const AUTHORITY_PROBLEMS: Readonly<Record<AuthorityProblemCode, Kind>> = {
  unreadable: { severity: 'error', remedy: 'Remove it, or get the certificate again. The server ignores it.' },
  file_unusable: {
    severity: 'error',
    remedy: 'Correct or remove it. Because of this file, the server refuses the whole ca_path.',
  },
  expired: { severity: 'error', remedy: 'Remove it; expired CAs are never accepted.' },
  not_yet_valid: { severity: 'error', remedy: 'Set the clock, or wait until it is valid.' },
  not_a_ca: {
    severity: 'error',
    remedy: 'Remove it, and add the CA that issued it. To admit one machine, list its hash in hash_path.',
  },
  missing_key_cert_sign: { severity: 'error', remedy: 'Remove it; it may not issue certificates.' },
  weak_key: { severity: 'error', remedy: 'Remove it. List TPMs of this CA in hash_path.' },
  unknown_critical_extension: { severity: 'error', remedy: 'Remove it. List TPMs of this CA in hash_path.' },
  eku: { severity: 'error', remedy: 'Remove it; it issues no endorsement certificates.' },
  bad_self_signature: { severity: 'error', remedy: `Do not trust its source. ${FETCH}` },
  expires_soon: { severity: 'warning', remedy: 'Get its successor from the manufacturer.' },
  weak_signature: { severity: 'warning', remedy: COMPARE },
  unsupported_signature: { severity: 'warning', remedy: COMPARE },
  same_authority: { severity: 'warning', remedy: 'Keep either or both: they have the same key.' },
  software_with_hardware: {
    severity: 'warning',
    remedy: 'Remove it if you want hardware TPMs only: its key can certify any machine as any manufacturer’s.',
  },
  cloud_with_hardware: {
    severity: 'warning',
    remedy: 'Remove it unless you want to admit the machines of all customers of that cloud.',
  },
  unknown_authority: {
    severity: 'warning',
    remedy: 'Remove it unless you know that this CA certifies TPMs. Web CAs do not.',
  },
  software_authority: { severity: 'remark', remedy: 'Use it for tests only.' },
  cloud_authority: { severity: 'remark', remedy: 'It certifies the machines of all customers of that cloud.' },
  weak_self_signature: { severity: 'remark', remedy: 'None; nobody checks the self-signature of a trust anchor.' },
  issuer_present: { severity: 'remark', remedy: 'None; either of the two suffices.' },
  same_file: { severity: 'remark', remedy: 'None; it counts once.' },
  folder_left_out: {
    severity: 'remark',
    remedy: 'Move its files up: the server does not look into folders in ca_path.',
  },
};

export interface AuthorityProblem extends Kind {
  /** `ca.pem`, or `ca.pem:12` for an unreadable block at line 12. */
  readonly file: string;
  /** Of the certificate; null if the file holds none that can be read. */
  readonly fingerprint: string | null;
  readonly code: AuthorityProblemCode;
  readonly message: string;
}

/** A certificate with the files that hold it. */
export interface StoredAuthority {
  readonly certificate: Certificate;
  readonly files: readonly string[];
}

export interface Fault {
  readonly code: AuthorityProblemCode;
  readonly message: string;
}

/** A certificate that expires within this time gets a warning. */
const SOON_MS = 90 * 24 * 60 * 60 * 1000;

/** The most possible issuers tried for one certificate: each look-alike costs a signature check. */
const MAX_ISSUERS = 16;

/** @param remedy replaces the general remedy of the code */
export function authorityProblem(
  code: AuthorityProblemCode,
  file: string,
  message: string,
  remedy: string = AUTHORITY_PROBLEMS[code].remedy,
): AuthorityProblem {
  return { file, fingerprint: null, code, ...AUTHORITY_PROBLEMS[code], message, remedy };
}

/** All problems, in the order of the certificates. @throws {TypeError} if `now` is an invalid date. */
export function judgeAuthorities(authorities: readonly StoredAuthority[], now: Date): readonly AuthorityProblem[] {
  // Every comparison with an invalid date is false, so every certificate would pass as valid.
  if (Number.isNaN(now.getTime())) throw new TypeError('now is an invalid date');
  const store = authorities.map(({ certificate }) => certificate);
  const bySubject = groupBySubject(store);
  const withHardware = store.some((certificate) => authorityKind(certificate) === 'hardware');
  const preferred = preferredOfEach(bySubject, now);
  const known = finished(tellingAuthorities(store));
  return authorities.flatMap(({ certificate, files }) =>
    [
      ...authorityFaults(certificate, now),
      ...endProblems(certificate, now),
      ...signatureProblems(certificate),
      ...twinProblems(certificate, preferred),
      ...kindProblems(certificate, withHardware),
      ...(known.has(certificate) ? [] : [unknownAuthority(certificate)]),
      ...issuerProblems(certificate, bySubject.get(certificate.issuer.canonical) ?? []),
      ...fileProblems(certificate, files),
    ].map(
      ({ code, message }): AuthorityProblem => ({
        ...authorityProblem(code, files[0] ?? '', message),
        fingerprint: certificate.fingerprint,
      }),
    ),
  );
}

/** The errors that keep an anchor from ending any path, by the path rules. Empty for a sound anchor. */
export function authorityFaults(certificate: Certificate, now: Date): readonly Fault[] {
  const faults = authorityProblems(certificate, { now, requireEku: KEY_PURPOSE.ekCertificate }).map(toFault);
  const weak = weakness(certificate.subjectPublicKeyInfo.key);
  if (weak !== undefined) faults.push({ code: 'weak_key', message: `${describe(certificate)} has ${weak}` });
  else if (certificate.publicKey === undefined)
    faults.push({ code: 'weak_key', message: `${describe(certificate)} has an invalid public key` });
  if (selfSignature(certificate) === 'bad') {
    const message = `${describe(certificate)} names itself as its issuer, but its own key did not sign it`;
    faults.push({ code: 'bad_self_signature', message });
  }
  return faults;
}

function toFault({ code, message }: { readonly code: string; readonly message: string }): Fault {
  if (!Object.hasOwn(AUTHORITY_PROBLEMS, code)) throw new RangeError(`no problem of an authority is called ${code}`);
  return { code: code as AuthorityProblemCode, message };
}

function endProblems(certificate: Certificate, now: Date): readonly Fault[] {
  const left = certificate.notAfter.getTime() - now.getTime();
  if (left < 0 || left > SOON_MS) return [];
  const message = `${describe(certificate)} expires at ${certificate.notAfter.toISOString()}`;
  return [{ code: 'expires_soon', message }];
}

function signatureProblems(certificate: Certificate): readonly Fault[] {
  const unsound = unsoundness(certificate.signatureAlgorithm);
  if (unsound === undefined) return [];
  const message = `${describe(certificate)} is signed with ${describeSignature(certificate.signatureAlgorithm)}`;
  return [{ code: selfSignature(certificate) === 'no' ? unsound : 'weak_self_signature', message }];
}

function kindProblems(certificate: Certificate, withHardware: boolean): readonly Fault[] {
  const kind = authorityKind(certificate);
  if (kind === undefined || kind === 'hardware') return [];
  const tpms = kind === 'cloud' ? 'virtual TPMs of a cloud' : 'software TPMs';
  if (!withHardware) return [{ code: `${kind}_authority`, message: `${describe(certificate)} certifies ${tpms}` }];
  const message = `${describe(certificate)} certifies ${tpms}, but other CAs here certify hardware TPMs`;
  return [{ code: `${kind}_with_hardware`, message }];
}

export function unknownAuthority(certificate: Certificate): Fault {
  return { code: 'unknown_authority', message: `nothing in ${describe(certificate)} says that it certifies TPMs` };
}

function issuerProblems(certificate: Certificate, named: readonly Certificate[]): readonly Fault[] {
  if (selfSignature(certificate) !== 'no') return [];
  const issuer = named
    .filter(({ subjectKeyId }) => mayBeKeyOf(certificate.authorityKeyId, subjectKeyId))
    .slice(0, MAX_ISSUERS)
    .find((candidate) => signatureProblem(certificate, candidate) === undefined);
  if (issuer === undefined) return [];
  return [
    { code: 'issuer_present', message: `${describe(certificate)} was issued by ${describe(issuer)}, also present` },
  ];
}

function fileProblems(certificate: Certificate, files: readonly string[]): readonly Fault[] {
  if (files.length < 2) return [];
  return [{ code: 'same_file', message: `${describe(certificate)} is in ${files.join(', ')}` }];
}

function twinProblems(certificate: Certificate, preferred: ReadonlyMap<Certificate, Certificate>): readonly Fault[] {
  const other = preferred.get(certificate);
  if (other === undefined) return [];
  const twin = `the certificate ${other.fingerprint}, ${reason(certificate, other)}`;
  const message = `${describe(certificate)} is the same CA as ${twin}`;
  return [{ code: 'same_authority', message }];
}

/** Oddities that make other software refuse the certificate, or choose another certificate of the same CA. */
const REFUSED_ELSEWHERE: ReadonlySet<Oddity> = new Set([
  'serial-nonminimal',
  'serial-negative',
  'RDN-SET-not-sorted',
  'critical-FALSE-encoded',
  'cA-FALSE-encoded',
  'GeneralizedTime-before-2050',
]);

const refusals = ({ oddities }: Certificate): number => oddities.filter((one) => REFUSED_ELSEWHERE.has(one)).length;

function reason(certificate: Certificate, other: Certificate): string {
  if (refusals(other) < refusals(certificate)) return 'which other software also reads';
  return `which is valid until ${other.notAfter.toISOString()}`;
}

/** Maps each certificate to the best certificate with the same name and key, unless it is the best itself. */
function preferredOfEach(
  bySubject: ReadonlyMap<string, readonly Certificate[]>,
  now: Date,
): ReadonlyMap<Certificate, Certificate> {
  const preferred = new Map<Certificate, Certificate>();
  for (const named of bySubject.values()) {
    if (named.length === 1) continue;
    for (const same of groupByKey(named)) {
      const [best, ...others] = same.length === 1 ? [] : sortedBest(same, now);
      for (const other of others) if (best !== undefined) preferred.set(other, best);
    }
  }
  return preferred;
}

function groupByKey(certificates: readonly Certificate[]): Iterable<readonly Certificate[]> {
  const groups = new Map<string, Certificate[]>();
  for (const certificate of certificates) {
    const hash = keyHash(certificate.subjectPublicKeyInfo);
    const group = groups.get(hash);
    if (group === undefined) groups.set(hash, [certificate]);
    else group.push(certificate);
  }
  return groups.values();
}

/** The best first. The order of the files does not matter. */
function sortedBest(certificates: readonly Certificate[], now: Date): readonly Certificate[] {
  return certificates
    .map((certificate) => ({ certificate, faults: authorityFaults(certificate, now).length }))
    .sort(
      ({ certificate: a, faults: faultsA }, { certificate: b, faults: faultsB }) =>
        faultsA - faultsB ||
        refusals(a) - refusals(b) ||
        b.notAfter.getTime() - a.notAfter.getTime() ||
        (a.fingerprint < b.fingerprint ? -1 : 1),
    )
    .map(({ certificate }) => certificate);
}
