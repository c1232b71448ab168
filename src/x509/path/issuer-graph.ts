import { Buffer } from 'node:buffer';
import type { Certificate } from '../certificate.ts';
import { type AnchorSet, groupBySubject } from '../file/trust-store.ts';

/** A certificate that may have issued another one. */
export interface Candidate {
  readonly issuer: Certificate;
  readonly isAnchor: boolean;
}

/**
 * Which certificate may have issued which, as far as names and key identifiers tell. It looks at no signature, so anybody
 * can make any graph.
 */
export class IssuerGraph {
  /** The leaf, and the certificates above it that were sent along: the nearest first. */
  readonly reachable: ReadonlySet<Certificate>;
  readonly #anchors: AnchorSet;
  readonly #intermediates: ReadonlyMap<string, readonly Certificate[]>;
  readonly #issuers: Map<Certificate, readonly Candidate[]> = new Map();
  readonly #subjects: Map<Certificate, Certificate[]> = new Map();

  constructor(leaf: Certificate, intermediates: readonly Certificate[], anchors: AnchorSet) {
    this.#anchors = anchors;
    this.#intermediates = groupBySubject(intermediates);
    const reachable = new Set([leaf]);
    // A set is walked through to what is added meanwhile.
    for (const subject of reachable) {
      for (const { issuer, isAnchor } of this.issuersOf(subject)) {
        if (isAnchor) continue;
        reachable.add(issuer);
        const subjects = this.#subjects.get(issuer);
        if (subjects === undefined) this.#subjects.set(issuer, [subject]);
        else subjects.push(subject);
      }
    }
    this.reachable = reachable;
  }

  /** Those whose key identifier fits come first, anchors before others. */
  issuersOf(subject: Certificate): readonly Candidate[] {
    const known = this.#issuers.get(subject);
    if (known !== undefined) return known;
    const name = subject.issuer.canonical;
    const rank = ({ subjectKeyId }: Certificate): number => {
      if (subject.authorityKeyId === undefined || subjectKeyId === undefined) return 1;
      return sameBytes(subject.authorityKeyId, subjectKeyId) ? 0 : 2;
    };
    const candidates = [
      ...(this.#anchors.bySubject.get(name) ?? []).map((issuer) => ({ issuer, isAnchor: true, rank: rank(issuer) })),
      ...(this.#intermediates.get(name) ?? []).map((issuer) => ({ issuer, isAnchor: false, rank: rank(issuer) })),
    ]
      .filter((candidate) => candidate.rank < 2 && !isSameAuthority(subject, candidate.issuer))
      .sort((a, b) => a.rank - b.rank);
    this.#issuers.set(subject, candidates);
    return candidates;
  }

  /** Reachable certificates that name this one, which is no anchor, as their issuer. */
  subjectsOf(issuer: Certificate): readonly Certificate[] {
    return this.#subjects.get(issuer) ?? [];
  }
}

/** RFC 5280 §6.1 wants no certificate twice in a path; a name with the same key is the same authority again. */
export function isSameAuthority(a: Certificate, b: Certificate): boolean {
  return (
    a.subject.canonical === b.subject.canonical &&
    sameBytes(a.subjectPublicKeyInfo.plainDer, b.subjectPublicKeyInfo.plainDer)
  );
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
