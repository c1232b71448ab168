import { Buffer } from 'node:buffer';
import type { Certificate } from './certificate.ts';
import { readIssuerAddresses } from './extensions.ts';
import { MalformedCertificateError } from './malformed-certificate.ts';
import { formatName } from './name.ts';
import type { MissingIssuer, PathQuestion } from './path.ts';
import { RevocationCheck } from './path-revocation.ts';
import {
  authorityProblems,
  describe,
  type PathProblem,
  pathLengthProblems,
  rocaProblems,
  signatureProblem,
} from './path-rules.ts';
import { groupBySubject } from './trust-store.ts';
import { intersection, type Period, steadyPeriod } from './validity.ts';

/** Most certificates in a path, leaf and anchor included. The longest in the field has seven. */
const MAX_PATH = 10;

/** Most issuers tried, at one signature check each: what look-alike CAs can cost. */
export const MAX_CANDIDATES = 64;

interface Failure {
  /** Links whose signatures held, and then how much the failure says. */
  readonly progress: readonly [reachedAnchor: number, links: number, weight: number];
  readonly problems: readonly PathProblem[];
  readonly path: readonly Certificate[];
  readonly missingIssuer?: MissingIssuer;
}

/** The search for one path: depth first, the issuers whose key identifier fits before the others. */
export class PathSearch {
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
      ];
      if (problems.length > 0) {
        this.#note(extended, 1, problems, isAnchor);
        continue;
      }
      if (!isAnchor) {
        const chain = this.from(extended);
        if (chain !== undefined) return chain;
        continue;
      }
      // Of a whole path alone (RFC 5280 §6.3.3 (f)): long lists, and many, would else be looked at for each CA that
      // somebody made under the name of theirs.
      const revoked = this.#revocation.problems(extended);
      if (revoked.length === 0) return extended;
      this.#note(extended, 1, revoked, true);
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

  /** How long the answer holds. */
  get steady(): Period {
    const { leaf, now } = this.#question;
    return intersection(steadyPeriod([leaf, ...this.#tried], now), this.#revocation.steady);
  }

  /** What a chain leaves open, one sentence each. */
  openOf(chain: readonly Certificate[]): readonly string[] {
    return this.#revocation.openOf(chain);
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
