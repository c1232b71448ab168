/** Validates the path from a certificate to a trust anchor (RFC 5280 §6.1). */
import { finished, type Pausable } from '../../bytes/pausable.ts';
import type { Certificate } from '../certificate.ts';
import type { AnchorSet } from '../file/trust-store.ts';
import type { Period } from '../validity.ts';
import type { PathCache } from './path-cache.ts';
import type { RevocationRule } from './path-revocation.ts';
import {
  criticalExtensionProblems,
  leafUsageProblems,
  type PathAllowances,
  type PathProblem,
  validityProblems,
} from './path-rules.ts';
import { PathSearch } from './path-search.ts';
import type { SignatureChecks } from './signature-checks.ts';

/** The inputs of a validation. */
export interface PathQuestion extends PathAllowances {
  readonly leaf: Certificate;
  /** Certificates that may be in the path. They come from an untrusted source and are never anchors. */
  readonly intermediates: readonly Certificate[];
  readonly anchors: AnchorSet;
  readonly now: Date;
  /** The key purpose that the leaf must list, and every CA that lists purposes. */
  readonly requireEku?: string | undefined;
  /** Accepts a leaf without any key purpose, despite `requireEku`. */
  readonly leafWithoutPurposes?: boolean | undefined;
  /** Revocation is checked only if this is given. */
  readonly revocation?: RevocationRule | undefined;
  /** The budget of signature checks, if several searches share one. */
  readonly checks?: SignatureChecks | undefined;
  /** The cache of the anchors' trust store. It never changes the answer. */
  readonly cache?: PathCache | undefined;
}

/** The unknown issuer at which the search for a path ended. */
export interface MissingIssuer {
  /** The name, formatted for people. */
  readonly name: string;
  /** The key identifier of the issuer, from the certificate below it. */
  readonly keyId: Uint8Array | undefined;
  /** Addresses of the issuer's certificate, from the certificate below it. They are not verified: do not fetch them. */
  readonly addresses: readonly string[];
}

/** A path to an anchor, or why there is none. */
export type PathVerdict = {
  /** The same question has the same answer throughout this period. */
  readonly steady: Period;
} & (
  | {
      readonly ok: true;
      /** Leaf first, anchor last. */
      readonly chain: readonly Certificate[];
      /** One sentence for each certificate whose revocation status is unknown, if the rule does not require it. */
      readonly notes: readonly string[];
    }
  | {
      readonly ok: false;
      readonly problems: readonly PathProblem[];
      /** The longest part of a path whose signatures hold, leaf first. */
      readonly chain: readonly Certificate[];
      readonly missingIssuer?: MissingIssuer;
    }
);

/**
 * Searches for a path from the leaf to an anchor in which every certificate and signature satisfies RFC 5280 §6.1.
 *
 * Issuers are found by canonical name. All of them are tried, those with the matching key identifier first: several
 * keys may share a name, and a dead end must not hide the right CA. An anchor ends the path, self-signed or not; its
 * own signature is not checked. If no path holds, the verdict explains the path that came furthest, as far as the
 * budget of `checks` allows.
 *
 * @throws {TypeError} if `now` is an invalid date
 */
export function validatePath(question: PathQuestion): PathVerdict {
  return finished(validatePathInSteps(question));
}

/** Like `validatePath`, with a pause before each check of a signature. */
export function* validatePathInSteps(question: PathQuestion): Pausable<PathVerdict> {
  const { leaf, now, requireEku } = question;
  // Every comparison with an invalid date is false, so every certificate would pass as valid.
  if (Number.isNaN(now.getTime())) throw new TypeError('now is an invalid date');
  const problems = [
    ...validityProblems(leaf, now, question.allowExpiredLeaf, question.allowNotYetValid),
    ...criticalExtensionProblems(leaf),
    ...(requireEku === undefined ? [] : leafUsageProblems(leaf, requireEku, question.leafWithoutPurposes)),
  ];
  const search = new PathSearch(question);
  const chain = yield* search.find();
  const { steady } = search;
  if (chain !== undefined && problems.length === 0) {
    question.cache?.remember(chain);
    // tooth A64 [search.openOf(chain) -> []]: nobody hears that no list tells
    return { ok: true, chain, notes: search.openOf(chain), steady };
  }
  if (chain !== undefined) return { ok: false, problems, chain, steady };
  const { problems: found, path, missingIssuer } = yield* search.tell();
  const missing = missingIssuer === undefined ? {} : { missingIssuer };
  return { ok: false, problems: [...problems, ...found], chain: path, steady, ...missing };
}
