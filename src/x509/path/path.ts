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

/** A certificate, what may stand above it, whom to trust, and the time. */
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
  /** Signature checks so far, where several searches share one budget. */
  readonly checks?: SignatureChecks | undefined;
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

/** A path to an anchor, or why there is none. */
export type PathVerdict = {
  /** Throughout this period the same question has the same answer. */
  readonly steady: Period;
} & (
  | {
      readonly ok: true;
      /** Leaf first, anchor last. */
      readonly chain: readonly Certificate[];
      /** What revocation lists could not tell and were not required to, one sentence each. */
      readonly notes: readonly string[];
    }
  | {
      readonly ok: false;
      readonly problems: readonly PathProblem[];
      /** As far as the best path came whose signatures hold, leaf first. */
      readonly chain: readonly Certificate[];
      readonly missingIssuer?: MissingIssuer;
    }
);

/**
 * Looks for a path from the leaf to an anchor in which every certificate and every link is as RFC 5280 §6.1 wants it.
 *
 * Issuers are found by canonical name, those whose key identifier fits first, and all of them are tried: names are
 * shared by different keys, and a dead end beside the right CA must not hide it. An anchor ends the path whether it
 * is self-signed or not; its own signature is not looked at. When no path holds, the one that came furthest is told,
 * as far as the budget of `checks` allows.
 *
 * @throws {TypeError} when `now` is no moment.
 */
export function validatePath(question: PathQuestion): PathVerdict {
  return finished(validatePathInSteps(question));
}

/** @see validatePath. It may pause before each check of a signature. */
export function* validatePathInSteps(question: PathQuestion): Pausable<PathVerdict> {
  const { leaf, now, requireEku } = question;
  // Every comparison with such a date is false, which would let anything pass as valid.
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
