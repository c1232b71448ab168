/** The endorsement key: which machine this is, and who says so. Pure. */
import type { KeyObject } from 'node:crypto';
import type { Payload } from '../evidence/messages.ts';
import { equalBytes } from '../tpm/bytes.ts';
import { keyAlgorithmName, publicKeyOf, spkiHash, spkiOfPublicArea } from '../tpm/public-key.ts';
import { decode } from '../tpm/structures/codec.ts';
import { MalformedError } from '../tpm/structures/malformed.ts';
import { type TpmtPublic, tpmtPublic } from '../tpm/structures/public.ts';
import { type EkTemplate, ekTemplateOf } from '../tpm/templates.ts';
import { type Certificate, parseCertificate } from '../x509/certificate.ts';
import { checkEkProfile, type EkProblemCode } from '../x509/ek-profile.ts';
import { MalformedCertificateError } from '../x509/malformed-certificate.ts';
import { KEY_PURPOSE } from '../x509/object-identifiers.ts';
import { validatePath } from '../x509/path.ts';
import type { PathProblemCode } from '../x509/path-rules.ts';
import type { AnchorSet } from '../x509/trust-store.ts';
import type { Period } from '../x509/validity.ts';
import type { FindingCode } from './findings.ts';
import type { Policy } from './policy.ts';
import { Findings } from './verdict.ts';
import { keyWeakness } from './weak-keys.ts';

/** Made by this file alone: a key that a configured CA or the operator's list vouches for. */
export interface TrustedEk {
  readonly publicArea: TpmtPublic;
  /** An RSA key, imported; an ECC key is used by its coordinates. */
  readonly key: KeyObject | undefined;
  readonly template: EkTemplate;
  readonly algorithm: string;
  /** Lower-case hexadecimal SHA-256 of the SPKI. */
  readonly pubHash: string;
  readonly admittedBy: 'certificate' | 'hash';
  /** What the policy overlooked, for the log. */
  readonly notes: readonly string[];
  /** For a key that its certificate admitted: as long as nothing that was looked at begins or ends. */
  readonly steady: Period | undefined;
}

const PATH_FINDINGS: Readonly<Record<PathProblemCode, FindingCode>> = {
  unknown_issuer: 'ek.unknown_issuer',
  expired: 'ek.expired',
  not_yet_valid: 'ek.not_yet_valid',
  weak_signature: 'ek.weak_signature',
  unsupported_signature: 'ek.weak_signature',
  weak_key: 'ek.weak_signature',
  unknown_critical_extension: 'ek.critical_extension',
  eku: 'ek.usage',
  bad_signature: 'ek.chain',
  not_a_ca: 'ek.chain',
  missing_key_cert_sign: 'ek.chain',
  path_length: 'ek.chain',
  too_deep: 'ek.chain',
  too_many_candidates: 'ek.chain',
};

const PROFILE_FINDINGS: Readonly<Record<EkProblemCode, FindingCode>> = {
  eku: 'ek.usage',
  key_usage: 'ek.usage',
  leaf_is_ca: 'ek.usage',
  serial: 'ek.profile',
  san_missing: 'ek.profile',
  san_malformed: 'ek.profile',
  san_not_critical: 'ek.profile',
  tpm_attributes: 'ek.profile',
  tpm_family: 'ek.profile',
  weak_key: 'ek.weak_key',
  software_tpm: 'ek.software_tpm',
};

export function judgeEndorsement(
  evidence: Pick<Payload, 'ekPublic' | 'ekCertificates'>,
  policy: Policy,
  now: Date,
  findings: Findings,
): TrustedEk | undefined {
  const publicArea = readPublicArea(evidence.ekPublic, findings);
  if (publicArea === undefined) return undefined;
  const template = ekTemplateOf(publicArea);
  if (template === undefined)
    findings.add('ek.template', 'the endorsement key has attributes or a policy of no TCG template');
  else if (!policy.ekAlgorithms.includes(template.algorithm))
    findings.add('ek.algorithm', `endorsement keys of kind ${template.algorithm} are not accepted`);
  const weakness = keyWeakness(publicArea);
  const key = weakness === undefined && publicArea.type === 'rsa' ? publicKeyOf(publicArea) : undefined;
  const spki = spkiOfPublicArea(publicArea);
  if (weakness !== undefined || spki === undefined || (publicArea.type === 'rsa' && key === undefined)) {
    findings.add('ek.weak_key', `the endorsement key is not usable: ${weakness ?? 'its numbers are no public key'}`);
    return undefined;
  }

  const pubHash = spkiHash(spki);
  const admission = admit(spki, pubHash, evidence.ekCertificates, policy, now, findings);
  if (template === undefined || admission === undefined) return undefined;
  return { publicArea, key, template, algorithm: keyAlgorithmName(publicArea), pubHash, ...admission };
}

/**
 * Judges a key once more that was trusted under this very policy by the same bytes: all that may have changed since is
 * the operator's list, which is looked at anew, and the time. Undefined when that takes a full judgement.
 */
export function trustAgain(ek: TrustedEk, policy: Policy, now: Date): TrustedEk | undefined {
  if (policy.isListed?.(ek.pubHash) === true) return { ...ek, ...LISTED };
  const { steady } = ek;
  const moment = now.getTime();
  return steady !== undefined && moment >= steady.from && moment <= steady.until ? ek : undefined;
}

function readPublicArea(bytes: Uint8Array, findings: Findings): TpmtPublic | undefined {
  try {
    return decode(tpmtPublic, bytes);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    findings.add('ek.malformed', `the endorsement key is no public area: ${error.message}`);
    return undefined;
  }
}

type Admission = Pick<TrustedEk, 'admittedBy' | 'notes' | 'steady'>;

const LISTED: Admission = { admittedBy: 'hash', notes: [], steady: undefined };

/**
 * The operator's list counts before any CA, as in spire-tpm-plugin: who names a key has looked at it. Neither lets a
 * certificate pass that is for another key.
 */
function admit(
  spki: Uint8Array,
  pubHash: string,
  certificates: readonly Uint8Array[],
  policy: Policy,
  now: Date,
  findings: Findings,
): Admission | undefined {
  const certified = new Findings();
  const [leaf, ...intermediates] = readCertificates(certificates, certified);
  if (leaf !== undefined && !isFor(leaf, spki)) {
    findings.add('ek.key_mismatch', "the certificate's key is not the endorsement key that was sent");
    return undefined;
  }
  if (policy.isListed?.(pubHash) === true) return LISTED;
  let admission: Admission | undefined;
  if (policy.anchors === undefined) {
    findings.add('ek.not_listed', `the endorsement key ${pubHash} is not listed and no CA is configured`);
  } else if (certificates.length === 0) {
    findings.add('ek.no_certificate', `the endorsement key ${pubHash} has no certificate and is not listed`);
  } else if (leaf !== undefined) {
    admission = judgeCertificate(leaf, intermediates, policy.anchors, policy, now, certified);
  }
  for (const { code, message } of certified.list) findings.add(code, message);
  return findings.none ? admission : undefined;
}

/** The leaf, and those after it that can be read: an unreadable intermediate only leaves the path without it. */
function readCertificates(ders: readonly Uint8Array[], findings: Findings): readonly Certificate[] {
  const certificates: Certificate[] = [];
  for (const [i, der] of ders.entries()) {
    try {
      certificates.push(parseCertificate(der));
    } catch (error) {
      if (!(error instanceof MalformedCertificateError)) throw error;
      if (i > 0) continue;
      findings.add('ek.certificate_malformed', `the endorsement certificate cannot be read: ${error.message}`);
      return [];
    }
  }
  return certificates;
}

function isFor({ subjectPublicKeyInfo }: Certificate, spki: Uint8Array): boolean {
  return equalBytes(subjectPublicKeyInfo.plainDer, spki);
}

function judgeCertificate(
  leaf: Certificate,
  intermediates: readonly Certificate[],
  anchors: AnchorSet,
  policy: Policy,
  now: Date,
  findings: Findings,
): Admission {
  const { allowExpiredEk, allowSoftwareTpm } = policy;
  const path = validatePath({
    leaf,
    intermediates,
    anchors,
    now,
    allowExpiredLeaf: allowExpiredEk,
    requireEku: KEY_PURPOSE.ekCertificate,
  });
  const profile = checkEkProfile(leaf, { allowSoftwareTpm, keyIsKnown: true });
  if (!path.ok) for (const { code, message } of path.problems) findings.add(PATH_FINDINGS[code], message);
  for (const { code, message } of profile.problems)
    if (!findings.has(PROFILE_FINDINGS[code])) findings.add(PROFILE_FINDINGS[code], message);
  const notes: string[] = [];
  if (allowExpiredEk && now > leaf.notAfter) notes.push('allow_expired_ek: the endorsement certificate has expired');
  if (profile.facts?.softwareTpm === true) notes.push('allow_software_tpm: this is a software TPM');
  return { admittedBy: 'certificate', notes, steady: path.ok ? path.steady : undefined };
}
