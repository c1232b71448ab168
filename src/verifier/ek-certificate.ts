/** Judges an EK certificate: whether a bundle of CAs certifies it, and for which TPM. Pure. */

import type { Pausable } from '../bytes/pausable.ts';
import type { Certificate } from '../x509/certificate.ts';
import { checkEkProfile, type EkCertificateFacts, type EkProblemCode, isOfTpm12 } from '../x509/ek/ek-profile.ts';
import { ruleProblems } from '../x509/ek/ek-rules.ts';
import { KEY_PURPOSE } from '../x509/object-identifiers.ts';
import { type MissingIssuer, validatePathInSteps } from '../x509/path/path.ts';
import type { PathProblemCode } from '../x509/path/path-rules.ts';
import { SignatureChecks } from '../x509/path/signature-checks.ts';
import { tolerancesOf } from '../x509/path/tolerated-oddities.ts';
import { keyHash } from '../x509/subject-public-key.ts';
import { intersection, type Period } from '../x509/validity.ts';
import type { FindingCode } from './findings.ts';
import type { Bundle, BundleRules, Policy } from './policy.ts';

const PATH_FINDINGS: Readonly<Record<PathProblemCode, FindingCode>> = {
  unknown_issuer: 'ek.unknown_issuer',
  expired: 'ek.expired',
  not_yet_valid: 'ek.not_yet_valid',
  weak_signature: 'ek.weak_signature',
  unsupported_signature: 'ek.weak_signature',
  weak_key: 'ek.weak_signature',
  roca: 'ek.roca',
  revoked: 'ek.revoked',
  revocation_unknown: 'ek.revocation_unknown',
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
  tpm_family: 'ek.tpm_family',
  gce_profile: 'ek.gce_profile',
  weak_key: 'ek.weak_key',
  roca: 'ek.roca',
  software_tpm: 'ek.software_tpm',
  manufacturer: 'ek.manufacturer',
  model: 'ek.model',
  firmware: 'ek.firmware',
};

/** What a configured CA certifies about a machine. It keeps no reference to the received bytes. */
export interface CertifiedEk {
  /** The name of the bundle whose CA certifies it. */
  readonly bundle: string;
  readonly facts: EkCertificateFacts;
  /** Lower-case hexadecimal SHA-256 of the SPKI of the CA that issued the certificate. */
  readonly issuerKeyHash: string;
  /** The names of the oddities in its chain that strict parsers would refuse. */
  readonly tolerated: readonly string[];
  /** One sentence for each allowance that was needed, and for each revocation status that is unknown. */
  readonly notes: readonly string[];
  /** The verdict stays the same throughout this period. */
  readonly steady: Period;
}

/** One reason to refuse a certificate. `message` is one sentence, for logs. */
export interface CertificateProblem {
  readonly code: FindingCode;
  readonly message: string;
}

/** Whether a bundle certifies the EK. */
export type CertificateVerdict =
  | {
      readonly trusted: true;
      readonly certified: CertifiedEk;
      /** Leaf first, anchor last. */
      readonly chain: readonly Certificate[];
    }
  | {
      readonly trusted: false;
      /** At least one. */
      readonly problems: readonly CertificateProblem[];
      /** What the certificate claims. Undefined if it does not name its TPM in a readable way. */
      readonly facts: EkCertificateFacts | undefined;
      /** The part of the chain whose signatures hold, leaf first. */
      readonly chain: readonly Certificate[];
      readonly missingIssuer: MissingIssuer | undefined;
    };

/** An EK certificate, the CA certificates that came with it, and the time. */
export interface CertificateQuestion {
  readonly leaf: Certificate;
  readonly intermediates: readonly Certificate[];
  readonly now: Date;
  /** The caller has found the certificate's key equal to a key that is valid and not weak. */
  readonly keyIsKnown: boolean;
}

type Refusal = Extract<CertificateVerdict, { readonly trusted: false }>;

/**
 * Asks the bundles in their order. If all refuse, returns the refusal of the bundle that came furthest.
 *
 * @param checks the budget for all bundles together. Default: the budget of a server for one sender
 * @throws RangeError if there is no bundle
 */
export function* judgeEkCertificate(
  question: CertificateQuestion,
  { bundles, crls, cache }: Pick<Policy, 'bundles' | 'crls' | 'cache'>,
  checks: SignatureChecks = new SignatureChecks(),
): Pausable<CertificateVerdict> {
  let furthest: { readonly rank: number; readonly refusal: Refusal } | undefined;
  let steady: Period | undefined;
  const named = bundles.filter((bundle) => isNamedBy(bundle, question));
  for (const bundle of named.length > 0 ? named : bundles.slice(0, 1)) {
    // tooth A68 [bundle, question -> { ...bundle, rules: { ...bundle.rules, allowExpiredLeaf: bundles.some((b) =>
    //   b.rules.allowExpiredLeaf) } }, question]: what one bundle overlooks, all do
    // tooth A68 [bundle, question -> { ...bundle, name: bundles[0]?.name ?? '' }, question]: the first bundle gets the
    //   credit
    const answer = yield* ask(bundle, question, { crls, cache, checks });
    const { rank, verdict } = answer;
    // A bundle that comes first and refuses now may accept later.
    // tooth A74 [steady === undefined -> true]: a bundle that vouches by now is not asked again
    steady = steady === undefined ? answer.steady : intersection(steady, answer.steady);
    if (verdict.trusted) return { ...verdict, certified: { ...verdict.certified, steady } };
    if (furthest === undefined || rank > furthest.rank) furthest = { rank, refusal: verdict };
  }
  if (furthest === undefined) throw new RangeError('there is no bundle of CAs to ask');
  return furthest.refusal;
}

/** Whether a certificate names an anchor of the bundle as its issuer: every path to the bundle needs that. */
function isNamedBy({ anchors }: Bundle, { leaf, intermediates }: CertificateQuestion): boolean {
  return [leaf, ...intermediates].some(({ issuer }) => anchors.bySubject.has(issuer.canonical));
}

function* ask(
  { name, anchors, rules }: Bundle,
  { leaf, intermediates, now, keyIsKnown }: CertificateQuestion,
  { crls, cache, checks }: Pick<Policy, 'crls' | 'cache'> & { readonly checks: SignatureChecks },
): Pausable<{ readonly rank: number; readonly verdict: CertificateVerdict; readonly steady: Period }> {
  // Fields are named one by one throughout an attestation: spreading a large object takes V8 ten times as long.
  const { allowTpm12, allowGceProfile, allowExpiredLeaf, allowNotYetValid, allowSha1 } = rules;
  const profile = checkEkProfile(leaf, { allowTpm12, allowGceProfile, keyIsKnown });
  const path = yield* validatePathInSteps({
    allowExpiredLeaf,
    allowNotYetValid,
    allowSha1,
    leaf,
    intermediates,
    anchors,
    now,
    cache,
    checks,
    requireEku: KEY_PURPOSE.ekCertificate,
    leafWithoutPurposes: profile.withoutPurposes,
    // tooth A64 [rules.crlPolicy === 'fail-closed' -> false]: an unknown revocation state is only
    //   noted
    // tooth A64 [rules.crlPolicy === 'off' -> rules.crlPolicy !== 'fail-closed']: lists are ignored under "warn"
    // tooth A64 [rules.crlPolicy === 'off' -> false]: lists count under "off"
    revocation: rules.crlPolicy === 'off' ? undefined : { crls, required: rules.crlPolicy === 'fail-closed' },
  });
  const { facts } = profile;
  const { steady } = path;
  const isUnknown = !path.ok && path.problems.some(({ code }) => code === 'unknown_issuer');
  // A bundle's rules do not apply to a TPM of an unknown CA. But a software TPM is told in any case.
  const broken = (facts === undefined ? [] : ruleProblems(facts, rules)).filter(
    ({ code }) => !isUnknown || code === 'software_tpm',
  );
  const problems = [
    ...(path.ok ? [] : path.problems.map(({ code, message }) => ({ code: PATH_FINDINGS[code], message }))),
    ...profile.problems.map(({ code, message }) => ({ code: PROFILE_FINDINGS[code], message })),
    ...broken.map(({ code, message }) => ({ code: PROFILE_FINDINGS[code], message: `${message} (rules of ${name})` })),
  ];
  if (path.ok && problems.length === 0 && facts !== undefined) {
    const { chain } = path;
    const notes = [...path.notes, ...allowancesUsed(leaf, chain, facts, rules, now)];
    // A chain has at least two certificates: an anchor is never the leaf.
    const issuerKeyHash = keyHash((chain[1] as Certificate).subjectPublicKeyInfo);
    const certified = { bundle: name, facts, issuerKeyHash, tolerated: tolerancesOf(chain), notes, steady };
    return { rank: 3, verdict: { trusted: true, certified, chain }, steady };
  }
  const missingIssuer = path.ok ? undefined : path.missingIssuer;
  const verdict = { trusted: false, problems: onceEach(problems), facts, chain: path.chain, missingIssuer } as const;
  return { rank: path.ok ? 2 : isUnknown ? 0 : 1, verdict, steady };
}

/** Removes repeated problems: path and profile make some of the same checks. */
function onceEach(problems: readonly CertificateProblem[]): readonly CertificateProblem[] {
  const seen = new Set<string>();
  return problems.filter(({ code, message }) => {
    const key = `${code} ${message}`;
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
}

/** Notes on the allowances that this certificate needed to pass. */
function allowancesUsed(
  leaf: Certificate,
  chain: readonly Certificate[],
  facts: EkCertificateFacts,
  rules: BundleRules,
  now: Date,
): readonly string[] {
  const { manufacturer, version } = facts;
  const isSha1 = ({ signatureAlgorithm }: Certificate): boolean =>
    signatureAlgorithm.scheme !== 'other' && signatureAlgorithm.hash === 'sha1';
  const used: readonly (readonly [boolean, string])[] = [
    [now > leaf.notAfter, 'allow_expired_ek: the endorsement certificate has expired'],
    [chain.some(({ notBefore }) => now < notBefore), 'allow_not_yet_valid: a certificate is not valid yet'],
    [chain.slice(0, -1).some(isSha1), 'allow_sha1_signatures: a certificate is signed over SHA-1'],
    [isOfTpm12(leaf, facts), 'allow_tpm12: the certificate is for a TPM of family 1.2'],
    // Only this profile names no firmware version.
    [version === undefined, 'allow_gce_profile: the certificate names a Google machine instead of a TPM'],
    [manufacturer.kind === 'cloud' && rules.kinds.includes('hardware'), 'this is a cloud vTPM, not hardware'],
    [manufacturer.kind === 'software', 'allow_software_tpm: this is a software TPM'],
  ];
  return used.filter(([isUsed]) => isUsed).map(([, note]) => note);
}
