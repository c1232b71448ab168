/** Finds possible issuers of certificates by name and key identifier. */
import { Buffer } from 'node:buffer';
import type { Certificate } from '../certificate.ts';
import { type AnchorSet, groupBySubject } from '../file/trust-store.ts';

/** A certificate that may have issued another one. */
export interface Candidate {
  readonly issuer: Certificate;
  readonly isAnchor: boolean;
}

/**
 * The possible issuers of each certificate, judged by names and key identifiers only. No signature is checked, so a
 * sender can build any graph.
 */
export class IssuerGraph {
  /** The leaf, and the intermediates above it, the nearest first. */
  readonly reachable: ReadonlySet<Certificate>;
  readonly #anchors: AnchorSet;
  readonly #intermediates: ReadonlyMap<string, readonly Certificate[]>;
  readonly #issuers: Map<Certificate, readonly Candidate[]> = new Map();
  readonly #subjects: Map<Certificate, Certificate[]> = new Map();

  constructor(leaf: Certificate, intermediates: readonly Certificate[], anchors: AnchorSet) {
    this.#anchors = anchors;
    this.#intermediates = groupBySubject(intermediates);
    const reachable = new Set([leaf]);
    // The loop also visits members added during the loop.
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

  /** Possible issuers. Those with the matching key identifier come first, and anchors before others. */
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

  /** The reachable certificates that name this intermediate as their issuer. */
  subjectsOf(issuer: Certificate): readonly Certificate[] {
    return this.#subjects.get(issuer) ?? [];
  }
}

/** RFC 5280 §6.1 forbids a certificate twice in a path. Two certificates with one name and key are the same CA. */
export function isSameAuthority(a: Certificate, b: Certificate): boolean {
  return (
    a.subject.canonical === b.subject.canonical &&
    sameBytes(a.subjectPublicKeyInfo.plainDer, b.subjectPublicKeyInfo.plainDer)
  );
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
