/** Judges the endorsement key (EK): which machine this is, and whether the policy admits it. Pure. */
import { equalBytes } from '../bytes/bytes.ts';
import { finished, type Pausable } from '../bytes/pausable.ts';
import type { Payload } from '../evidence/messages.ts';
import type { PublicKey } from '../public-key/public-key.ts';
import { keyAlgorithmName, keyOf, spkiHash, spkiOfPublicArea } from '../tpm/public-key.ts';
import { decode } from '../tpm/structures/codec.ts';
import { type TpmtPublic, tpmtPublic } from '../tpm/structures/public.ts';
import { type EkTemplate, ekTemplateNamed, ekTemplateOf } from '../tpm/templates.ts';
import type { Certificate } from '../x509/certificate.ts';
import { MalformedCertificateError } from '../x509/malformed-certificate.ts';
import type { PathCache } from '../x509/path/path-cache.ts';
import { REPORT, SignatureChecks } from '../x509/path/signature-checks.ts';
import type { Period } from '../x509/validity.ts';
import { decodedOr } from './decoding.ts';
import { type CertifiedEk, judgeEkCertificate } from './ek-certificate.ts';
import type { Finding } from './findings.ts';
import { vouching } from './operator-lists.ts';
import { type Policy, stepsOf } from './policy.ts';
import { Findings } from './verdict.ts';
import { isRocaKey, keyWeakness } from './weak-keys.ts';

/** Why the policy admits an EK. `unenforced`: nothing admits it, but the policy is not enforced. */
export type AdmittedBy = 'certificate' | 'hash' | 'both' | 'unenforced';

declare const trusted: unique symbol;

/** An EK that the policy admits. Only this file makes it. */
export interface TrustedEk {
  readonly [trusted]: true;
  readonly publicArea: TpmtPublic;
  readonly key: PublicKey;
  readonly template: EkTemplate;
  readonly algorithm: string;
  /** Lower-case hexadecimal SHA-256 of the SPKI. */
  readonly pubHash: string;
  /**
   * The serial number (content of the INTEGER) of the certificate that was sent, even if only the list admits the key.
   */
  readonly serial: Uint8Array | undefined;
  readonly admittedBy: AdmittedBy;
  /** What its certificate says, if a bundle of CAs certifies it. */
  readonly certified: CertifiedEk | undefined;
  /** Findings that were not enforced. */
  readonly overlooked: readonly Finding[];
  /** Other exceptions that the policy made, for the log. */
  readonly notes: readonly string[];
  /** The verdict on its certificate holds for this period. Undefined if it must be judged each time. */
  readonly steady: Period | undefined;
}

/** Who reads the findings: a server's log, which needs one good reason, or a person, who wants all of them. */
type Readership = 'server' | 'report';

/** A key that could be an EK, before the policy admits it. Only this file makes it. */
export interface ClaimedEk extends Pick<TrustedEk, 'publicArea' | 'key' | 'algorithm' | 'pubHash'> {
  /** Undefined, with a finding, if the key has no TCG template. */
  readonly template: EkTemplate | undefined;
  readonly spki: Uint8Array;
}

/** Judges an EK in full, for a report to a person. A server would not spend that much time on an unknown sender. */
export function judgeEndorsement(
  { ekPublic, ekCertificates }: Pick<Payload, 'ekPublic' | 'ekCertificates'>,
  policy: Policy,
  now: Date,
  findings: Findings,
): TrustedEk | undefined {
  const claimed = claimedEndorsement(ekPublic, policy, findings);
  if (claimed === undefined) return undefined;
  const ek = finished(admittedEndorsement(claimed, ekCertificates, policy, now, findings, 'report'));
  return findings.none ? ek : undefined;
}

/** Checks, at little cost, whether the key could be an EK. Undefined, with a finding, if it cannot be used. */
export function claimedEndorsement(ekPublic: Uint8Array, policy: Policy, findings: Findings): ClaimedEk | undefined {
  const publicArea = decodedOr(findings, () => decode(tpmtPublic, ekPublic), {
    code: 'ek.malformed',
    sentence: 'the endorsement key is not a valid public area',
  });
  if (publicArea === undefined) return undefined;
  // tooth A20, A21 [ekTemplateOf(publicArea) ?? { name: 'L-1', algorithm: publicArea.type }]: any public area is a
  //   template
  const template = ekTemplateOf(publicArea);
  if (template === undefined)
    findings.add('ek.template', 'the endorsement key has attributes or a policy that no TCG template has');
  else judgeTemplate(template, policy, findings);
  const weakness = keyWeakness(publicArea);
  const key = weakness === undefined ? keyOf(publicArea) : undefined;
  const spki = spkiOfPublicArea(publicArea);
  if (key === undefined || spki === undefined || (publicArea.type === 'rsa' && !stepsOf(policy).isKey(key))) {
    findings.add('ek.weak_key', `the endorsement key is not usable: ${weakness ?? 'it has an invalid public key'}`);
    return undefined;
  }
  // tooth enforcement [policy.enforce && isRocaKey(publicArea)]: without enforcement a key that others can compute will
  //   do
  if (isRocaKey(publicArea))
    findings.add('ek.roca', 'the endorsement key has the fingerprint of CVE-2017-15361 (ROCA): others can compute it');

  const pubHash = spkiHash(spki);
  findings.pubHash = pubHash;
  return { publicArea, key, template, algorithm: keyAlgorithmName(publicArea), pubHash, spki };
}

/**
 * Asks the policy whether it admits the key. Undefined, with a finding, if not. It is the last step of a judgement:
 * only here the sender's certificates cost signature checks. The work can pause between them.
 */
export function* admittedEndorsement(
  claimed: ClaimedEk,
  certificates: readonly Uint8Array[],
  policy: Policy,
  now: Date,
  findings: Findings,
  readership: Readership = 'server',
): Pausable<TrustedEk | undefined> {
  const { spki, template } = claimed;
  const admission = yield* admit(spki, claimed.pubHash, certificates, policy, now, findings, readership);
  if (admission === undefined || template === undefined) return undefined;
  const { publicArea, key, algorithm, pubHash } = claimed;
  const { serial, admittedBy, certified, overlooked, steady } = admission;
  const notes = [...templateNotes(template, policy), ...admission.notes];
  const ek: Omit<TrustedEk, typeof trusted> = {
    publicArea,
    key,
    template,
    algorithm,
    pubHash,
    serial,
    admittedBy,
    certified,
    overlooked,
    notes,
    steady,
  };
  return ek as TrustedEk;
}

/**
 * A TPM has one EK for each template, and each EK is another ID. So each further template gives a machine another ID.
 */
function judgeTemplate({ name, algorithm }: EkTemplate, { ekTemplates }: Policy, findings: Findings): void {
  // tooth A70 [ekTemplates.length > 0]: every template of the TCG is accepted
  if (ekTemplates.includes(name)) return;
  const accepted = `the server accepts ${ekTemplates.join(', ')}`;
  if (ekTemplates.some((one) => ekTemplateNamed(one).algorithm === algorithm))
    findings.add('ek.template_not_accepted', `the endorsement key has template ${name}; ${accepted}`);
  else findings.add('ek.algorithm', `the endorsement key is an ${algorithm} key (template ${name}); ${accepted}`);
}

function templateNotes({ name }: EkTemplate, { ekTemplates: [first, ...further] }: Policy): readonly string[] {
  // tooth A70 [true]: nobody is warned of a further template
  if (name === first || further.length === 0) return [];
  return [
    `ek_templates: the endorsement key has template ${name}; with its key of ${first} the machine has another ID`,
  ];
}

/**
 * Judges an EK again that this very policy admitted for the same bytes. Only the operator's lists and the time may have
 * changed, and both are checked. Undefined if a full judgement is needed.
 */
export function trustAgain(ek: TrustedEk, policy: Policy, now: Date): TrustedEk | undefined {
  const { steady, certified } = ek;
  const moment = now.getTime();
  // tooth A63, A74 [steady === undefined]: a known machine stays known when its certificate expires
  if (steady === undefined || moment < steady.from || moment > steady.until) return undefined;
  if (policy.isDenied?.(ek) === true) return undefined;
  const admittedBy = vouching(policy.mode, policy, ek.pubHash, certified !== undefined);
  // tooth A69: a known machine stays listed
  if (admittedBy === undefined) return undefined;
  return admittedBy === ek.admittedBy ? ek : { ...ek, admittedBy };
}

type Admission = Pick<TrustedEk, 'serial' | 'admittedBy' | 'certified' | 'overlooked' | 'notes' | 'steady'>;

const ALWAYS: Period = { from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY };

/**
 * Applies the policy. In mode `either`, the operator's list counts before any CA, as in spire-tpm-plugin: the operator
 * has checked a key that the list names. A certificate for another key is always refused, and so is a denied machine.
 */
function* admit(
  spki: Uint8Array,
  pubHash: string,
  certificates: readonly Uint8Array[],
  policy: Policy,
  now: Date,
  findings: Findings,
  readership: Readership,
): Pausable<Admission | undefined> {
  const against = new Findings();
  const leaf = readLeaf(certificates, policy.cache, against);
  // tooth A18, A62, A69: a certificate may be for another key
  // tooth enforcement [leaf !== undefined -> leaf !== undefined && policy.enforce]: without enforcement a copied
  //   certificate will do
  if (leaf !== undefined && !isFor(leaf, spki)) {
    findings.add('ek.key_mismatch', "the certificate's key is not the endorsement key that was sent");
    return undefined;
  }
  if (policy.isDenied?.({ pubHash, serial: leaf?.serial }) === true) {
    findings.add('ek.denied', `the endorsement key ${pubHash}, or the serial number of its certificate, is denied`);
    return undefined;
  }
  const mustBeListed = policy.mode === 'hash' || policy.mode === 'both';
  const isUnlisted = mustBeListed && policy.isListed?.(pubHash) !== true;
  // The list is checked before the chain. If it decides alone, the chain is judged only for a report.
  // tooth costly-chains [false]: a chain is searched for a machine that no list names
  const isDecided = isUnlisted && policy.enforce && readership === 'server';
  const asksCertificate = policy.mode !== 'hash' && !isDecided;
  let certified: CertifiedEk | undefined;
  if (asksCertificate && leaf !== undefined) {
    const intermediates = yield* readIntermediates(certificates, policy.cache);
    const checks = new SignatureChecks(readership === 'report' ? REPORT : undefined, policy.steps);
    const verdict = yield* judgeEkCertificate({ leaf, intermediates, now, keyIsKnown: true }, policy, checks);
    if (verdict.trusted) certified = verdict.certified;
    else for (const { code, message } of verdict.problems) against.add(code, message);
  }
  const notes = certified?.notes ?? [];
  // A copy: the serial number is a view of the payload, and would keep the whole payload in memory.
  const serial = leaf?.serial.slice();
  const steady = certified?.steady ?? (policy.mode !== 'hash' && certificates.length > 0 ? undefined : ALWAYS);
  const admittedBy = vouching(policy.mode, policy, pubHash, certified !== undefined);
  if (admittedBy !== undefined) {
    const revoked = against.list.filter(({ code }) => code === 'ek.revoked');
    const listed = revoked.map(
      ({ message }) => `the allow-list admits the machine despite its certificate: ${message}`,
    );
    return { serial, admittedBy, certified, overlooked: [], notes: [...notes, ...listed], steady };
  }

  if (isUnlisted)
    against.add(
      'ek.not_listed',
      `the endorsement key ${pubHash} is not listed${policy.mode === 'hash' ? ' and no CA is asked' : ''}`,
    );
  if (policy.mode !== 'hash' && certificates.length === 0)
    against.add(
      'ek.no_certificate',
      `the endorsement key ${pubHash} has no certificate${policy.mode === 'either' ? ' and is not listed' : ''}`,
    );
  if (!policy.enforce)
    return { serial, admittedBy: 'unenforced', certified, overlooked: against.list, notes, steady: undefined };
  for (const { code, message } of against.list) findings.add(code, message);
  return undefined;
}

function readLeaf(ders: readonly Uint8Array[], cache: PathCache, findings: Findings): Certificate | undefined {
  const [der] = ders;
  const leaf = der === undefined ? undefined : readCertificate(der, cache);
  if (!(leaf instanceof MalformedCertificateError)) return leaf;
  findings.add('ek.certificate_malformed', `the endorsement certificate cannot be read: ${leaf.message}`);
  return undefined;
}

/** The CA certificates that can be parsed. A malformed one is ignored, and cannot be in the path. */
function* readIntermediates([, ...ders]: readonly Uint8Array[], cache: PathCache): Pausable<readonly Certificate[]> {
  const readable: Certificate[] = [];
  for (const der of ders) {
    yield;
    const certificate = readCertificate(der, cache);
    if (!(certificate instanceof MalformedCertificateError)) readable.push(certificate);
  }
  return readable;
}

function readCertificate(der: Uint8Array, cache: PathCache): Certificate | MalformedCertificateError {
  try {
    return cache.certificate(der);
  } catch (error) {
    if (error instanceof MalformedCertificateError) return error;
    throw error;
  }
}

function isFor({ subjectPublicKeyInfo }: Certificate, spki: Uint8Array): boolean {
  return equalBytes(subjectPublicKeyInfo.plainDer, spki);
}
