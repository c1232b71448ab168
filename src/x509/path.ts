import { Buffer } from 'node:buffer';
import type { Certificate } from './certificate.ts';
import { readIssuerAddresses } from './extensions.ts';
import { MalformedCertificateError } from './malformed-certificate.ts';
import { formatName } from './name.ts';
import type { PathCache } from './path-cache.ts';
import { RevocationCheck, type RevocationRule } from './path-revocation.ts';
import {
  authorityProblems,
  criticalExtensionProblems,
  describe,
  leafUsageProblems,
  type PathAllowances,
  type PathProblem,
  pathLengthProblems,
  rocaProblems,
  signatureProblem,
  validityProblems,
} from './path-rules.ts';
import { type AnchorSet, groupBySubject } from './trust-store.ts';
import { intersection, type Period, steadyPeriod } from './validity.ts';

/** Most certificates in a path, leaf and anchor included. The longest in the field has seven. */
const MAX_PATH = 10;

/** Most issuers tried, at one signature check each: what look-alike CAs can cost. */
export const MAX_CANDIDATES = 64;

export interface PathQuestion extends PathAllowances {
  readonly leaf: Certificate;
  /** Certificates that may stand in the path; from wherever they are, they are never anchors. */
  readonly intermediates: readonly Certificate[];
  readonly anchors: AnchorSet;
  readonly now: Date;
  /** Key purpose that the leaf must have, and every CA that lists purposes. */
  readonly requireEku?: string | undefined;
  /** A leaf that lists no purposes is none without the required one. */
  readonly leafWithoutPurposes?: boolean | undefined;
  /** Revocation lists, and whether a certificate of which they do not tell is refused; not asked without. */
  readonly revocation?: RevocationRule | undefined;
  /** Issuers that may still be tried, where several searches share one bound. */
  readonly candidates?: { left: number } | undefined;
  /** Of the trust store that the anchors are from; it never changes the answer. */
  readonly cache?: PathCache | undefined;
}

/** The issuer at which the search for a path ended. */
export interface MissingIssuer {
  /** For people. */
  readonly name: string;
  /** Of the issuer's key, as the certificate below names it. */
  readonly keyId: Uint8Array | undefined;
  /** Where the certificate below says that its issuer is to be had; from an unverified source, not for fetching. */
  readonly addresses: readonly string[];
}

export type PathVerdict =
  | {
      readonly ok: true;
      /** Leaf first, anchor last. */
      readonly chain: readonly Certificate[];
      /** Throughout this period the same question has the same answer. */
      readonly steady: Period;
      /** What revocation lists could not tell and were not required to, one sentence each. */
      readonly notes: readonly string[];
    }
  | {
      readonly ok: false;
      readonly problems: readonly PathProblem[];
      /** As far as the best path came whose signatures hold, leaf first. */
      readonly chain: readonly Certificate[];
      readonly missingIssuer?: MissingIssuer;
    };

/**
 * Looks for a path from the leaf to an anchor in which every certificate and every link is as RFC 5280 §6.1 wants it.
 *
 * Issuers are found by canonical name, those whose key identifier fits first, and all of them are tried: names are
 * shared by different keys, and a dead end beside the right CA must not hide it. An anchor ends the path whether it
 * is self-signed or not; its own signature is not looked at. When no path holds, the one that came furthest is told.
 *
 * @throws {TypeError} when `now` is no moment.
 */
export function validatePath(question: PathQuestion): PathVerdict {
  const { leaf, now, requireEku } = question;
  // Every comparison with such a date is false, which would let anything pass as valid.
  if (Number.isNaN(now.getTime())) throw new TypeError('now is an invalid date');
  const problems = [
    ...validityProblems(leaf, now, question.allowExpiredLeaf, question.allowNotYetValid),
    ...criticalExtensionProblems(leaf),
    ...(requireEku === undefined ? [] : leafUsageProblems(leaf, requireEku, question.leafWithoutPurposes)),
  ];
  const search = new PathSearch(question);
  const chain = search.from([leaf]);
  if (chain !== undefined && problems.length === 0) {
    question.cache?.remember(chain);
    return { ok: true, chain, ...search.standing(chain) };
  }
  if (chain !== undefined) return { ok: false, problems, chain };
  const { problems: found, path, missingIssuer } = search.furthest;
  const missing = missingIssuer === undefined ? {} : { missingIssuer };
  return { ok: false, problems: [...problems, ...found], chain: path, ...missing };
}

interface Failure {
  /** Links whose signatures held, and then how much the failure says. */
  readonly progress: readonly [reachedAnchor: number, links: number, weight: number];
  readonly problems: readonly PathProblem[];
  readonly path: readonly Certificate[];
  readonly missingIssuer?: MissingIssuer;
}

class PathSearch {
  furthest: Failure = { progress: [-1, -1, -1], problems: [], path: [] };
  /** Every certificate whose validity had a part in the search. */
  readonly #tried: Set<Certificate> = new Set();
  readonly #question: PathQuestion;
  readonly #revocation: RevocationCheck;
  readonly #intermediates: ReadonlyMap<string, readonly Certificate[]>;
  /** Of each CA that was reached: other branches lead to it again. */
  readonly #authorityProblems: Map<Certificate, readonly PathProblem[]> = new Map();
  readonly #candidates: { left: number };

  constructor(question: PathQuestion) {
    this.#question = question;
    this.#candidates = question.candidates ?? { left: MAX_CANDIDATES };
    this.#revocation = new RevocationCheck(question.revocation, question.now);
    this.#intermediates = groupBySubject(question.intermediates);
  }

  /** Continues a path, leaf first, all of whose links hold so far. */
  from(path: readonly Certificate[]): readonly Certificate[] | undefined {
    const subject = path.at(-1) as Certificate;
    const candidates = this.#issuersOf(subject, path);
    if (candidates.length === 0) this.#noteMissing(subject, path);
    for (const { issuer, isAnchor } of candidates) {
      if (path.length === MAX_PATH) {
        this.#note(path, 1, [{ code: 'too_deep', message: `no anchor within ${MAX_PATH} certificates` }]);
        return undefined;
      }
      if (this.#candidates.left === 0) {
        const message = `gave up after trying ${MAX_CANDIDATES} issuers`;
        // Nothing found before can be relied on to be the reason.
        this.furthest = { progress: [2, 0, 0], problems: [{ code: 'too_many_candidates', message }], path };
        return undefined;
      }
      this.#candidates.left--;
      this.#tried.add(issuer);
      const unsigned = this.#signatureProblem(subject, issuer, path);
      if (unsigned !== undefined) {
        this.#note(path, 1, [unsigned]);
        continue;
      }
      const extended = [...path, issuer];
      const problems = [
        ...this.#problemsOf(issuer),
        // An anchor was chosen by somebody, key and all.
        ...(isAnchor ? [] : rocaProblems(issuer)),
        ...pathLengthProblems(issuer, path),
        ...this.#revocation.problems(subject, issuer),
      ];
      if (problems.length > 0) {
        this.#note(extended, 1, problems, isAnchor);
        continue;
      }
      if (isAnchor) return extended;
      const chain = this.from(extended);
      if (chain !== undefined) return chain;
    }
    return undefined;
  }

  #issuersOf(
    subject: Certificate,
    path: readonly Certificate[],
  ): readonly { readonly issuer: Certificate; readonly isAnchor: boolean }[] {
    const name = subject.issuer.canonical;
    const anchors = this.#question.anchors.bySubject.get(name) ?? [];
    const others = this.#intermediates.get(name) ?? [];
    const wanted = subject.authorityKeyId;
    const rank = ({ subjectKeyId }: Certificate): number => {
      if (wanted === undefined || subjectKeyId === undefined) return 1;
      return sameBytes(wanted, subjectKeyId) ? 0 : 2;
    };
    return [
      ...anchors.map((issuer) => ({ issuer, isAnchor: true, rank: rank(issuer) })),
      ...others.map((issuer) => ({ issuer, isAnchor: false, rank: rank(issuer) })),
    ]
      .filter((candidate) => candidate.rank < 2 && !path.some((earlier) => sameSubject(earlier, candidate.issuer)))
      .sort((a, b) => a.rank - b.rank);
  }

  /** How long the answer holds that accepted the chain, and what it leaves open. */
  standing(chain: readonly Certificate[]): { readonly steady: Period; readonly notes: readonly string[] } {
    const { leaf, now } = this.#question;
    const steady = steadyPeriod([leaf, ...this.#tried], now);
    return { steady: intersection(steady, this.#revocation.steady), notes: this.#revocation.openOf(chain) };
  }

  #signatureProblem(subject: Certificate, issuer: Certificate, path: readonly Certificate[]): PathProblem | undefined {
    // The leaf is new nearly always, and looking it up costs its hash.
    const isVerified = path.length > 1 && this.#question.cache?.isSigned(subject, issuer);
    return signatureProblem(subject, issuer, this.#question, isVerified === true);
  }

  #problemsOf(ca: Certificate): readonly PathProblem[] {
    const known = this.#authorityProblems.get(ca);
    if (known !== undefined) return known;
    const problems = authorityProblems(ca, this.#question);
    this.#authorityProblems.set(ca, problems);
    return problems;
  }

  #noteMissing(subject: Certificate, path: readonly Certificate[]): void {
    if (!this.#isFurther([0, path.length, 0])) return;
    const name = formatName(subject.issuer);
    const keyId = subject.authorityKeyId;
    const key = keyId === undefined ? '' : ` with key id ${Buffer.from(keyId).toString('hex')}`;
    const message = `no CA certificate "${name}"${key} is known, the issuer of ${describe(subject)}`;
    this.#note(path, 0, [{ code: 'unknown_issuer', message }], false, {
      name,
      keyId,
      addresses: issuerAddresses(subject),
    });
  }

  #note(
    path: readonly Certificate[],
    weight: number,
    problems: readonly PathProblem[],
    reachedAnchor = false,
    missingIssuer?: MissingIssuer,
  ): void {
    const progress = [reachedAnchor ? 1 : 0, path.length, weight] as const;
    if (!this.#isFurther(progress)) return;
    this.furthest = { progress, problems, path, ...(missingIssuer === undefined ? {} : { missingIssuer }) };
  }

  #isFurther(progress: Failure['progress']): boolean {
    return compare(progress, this.furthest.progress) > 0;
  }
}

function compare(a: Failure['progress'], b: Failure['progress']): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

/** RFC 5280 §6.1 wants no certificate twice in a path; a name with the same key is the same authority again. */
function sameSubject(a: Certificate, b: Certificate): boolean {
  return (
    a.subject.canonical === b.subject.canonical &&
    sameBytes(a.subjectPublicKeyInfo.plainDer, b.subjectPublicKeyInfo.plainDer)
  );
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

function issuerAddresses(certificate: Certificate): readonly string[] {
  try {
    return readIssuerAddresses(certificate.extensions);
  } catch (error) {
    if (error instanceof MalformedCertificateError) return [];
    throw error;
  }
}
