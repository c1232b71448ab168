/** Searches for a path from a leaf to a trust anchor. */
import type { Pausable } from '../../bytes/pausable.ts';
import type { Certificate } from '../certificate.ts';
import { intersection, type Period, steadyPeriod } from '../validity.ts';
import { type Candidate, IssuerGraph, isSameAuthority } from './issuer-graph.ts';
import type { PathQuestion } from './path.ts';
import { FurthestFailure, type PathFailure } from './path-failure.ts';
import { RevocationCheck } from './path-revocation.ts';
import { authorityProblems, type PathProblem, pathLengthProblems, rocaProblems } from './path-rules.ts';
import { type CheckPurpose, SignatureChecks, STEP_COST } from './signature-checks.ts';

/** The most certificates in a path, with leaf and anchor. The longest path in the field has seven. */
const MAX_PATH = 10;

type Path = readonly Certificate[];

/**
 * The search for one path. It goes down from the anchors: it uses a CA's key only after a chain of signatures leads
 * from an anchor to that CA. So a sender with self-made CAs causes only checks with the anchors' keys. The search can
 * pause before each check: a few checks take as long as a whole attestation.
 */
export class PathSearch {
  readonly #question: PathQuestion;
  readonly #graph: IssuerGraph;
  readonly #checks: SignatureChecks;
  readonly #revocation: RevocationCheck;
  /** Results for each CA, kept because several branches lead to the same CA. */
  readonly #problems: { readonly [Kind in 'anchor' | 'other']: Map<Certificate, readonly PathProblem[]> } = {
    anchor: new Map(),
    other: new Map(),
  };
  /** For each certificate, the sound issuers that signed it. Each of these is an anchor or below an anchor. */
  readonly #signers: Map<Certificate, Set<Certificate>> = new Map();
  /** Every certificate whose validity period mattered in the search. */
  readonly #tried: Set<Certificate>;
  #gaveUp = false;

  constructor(question: PathQuestion) {
    this.#question = question;
    this.#graph = new IssuerGraph(question.leaf, question.intermediates, question.anchors);
    this.#checks = question.checks ?? new SignatureChecks();
    this.#revocation = new RevocationCheck(question.revocation, question.now, question.anchors);
    this.#tried = new Set(this.#graph.reachable);
  }

  /** Finds a valid path, leaf first and anchor last. Short paths are tried first. */
  *find(): Pausable<Path | undefined> {
    for (const subject of this.#graph.reachable) {
      for (const candidate of this.#graph.issuersOf(subject)) {
        if (!candidate.isAnchor || !(yield* this.#holds(subject, candidate))) continue;
        yield* this.#descendFrom(subject);
        const chain = yield* this.#climb([this.#question.leaf]);
        if (chain !== undefined) return chain;
      }
    }
    return undefined;
  }

  /** After `find` found no path: the failure of the path that came furthest. */
  *tell(): Pausable<PathFailure> {
    if (this.#gaveUp) {
      // The search was not completed, so no earlier failure is known to be the reason.
      const message = 'gave up: checking the signatures of all CAs that share these names costs too much';
      return { problems: [{ code: 'too_many_candidates', message }], path: [this.#question.leaf] };
    }
    const start: Path = [this.#question.leaf];
    const furthest = new FurthestFailure();
    yield* this.#follow(start, start, furthest, new Set());
    return furthest.failure;
  }

  /** The period in which the answer stays the same. */
  get steady(): Period {
    return intersection(steadyPeriod([...this.#tried], this.#question.now), this.#revocation.steady);
  }

  /** One sentence for each certificate of a chain whose revocation status is unknown. */
  openOf(chain: Path): readonly string[] {
    return this.#revocation.openOf(chain);
  }

  /** Checks what a certificate below an anchor signed, and so on downwards. */
  *#descendFrom(top: Certificate): Pausable<void> {
    // tooth costly-chains [[top] -> [...this.#graph.reachable, top]]: keys of CAs count that no anchor signed
    const vouched = new Set([top]);
    for (const issuer of vouched) {
      for (const subject of this.#graph.subjectsOf(issuer))
        if (yield* this.#holds(subject, { issuer, isAnchor: false })) vouched.add(subject);
    }
  }

  /** Whether the issuer is sound and signed the subject. Only a yes is remembered. */
  *#holds(subject: Certificate, candidate: Candidate): Pausable<boolean> {
    const { issuer } = candidate;
    const signers = this.#signers.get(subject) ?? new Set();
    this.#signers.set(subject, signers);
    if (signers.has(issuer)) return true;
    this.#tried.add(issuer);
    if (this.#problemsOf(candidate).length > 0) return false;
    yield;
    const problem = this.#signatureProblem(subject, issuer, 'search');
    if (problem === 'unaffordable') this.#gaveUp = true;
    if (problem !== undefined) return false;
    signers.add(issuer);
    return true;
  }

  /** Extends a path, leaf first, over signatures that hold. */
  *#climb(path: Path): Pausable<Path | undefined> {
    const subject = path.at(-1) as Certificate;
    const signers = this.#signers.get(subject);
    if (path.length === MAX_PATH || signers === undefined) return undefined;
    for (const { issuer, isAnchor } of this.#graph.issuersOf(subject)) {
      if (!signers.has(issuer) || isIn(path, issuer) || pathLengthProblems(issuer, path).length > 0) continue;
      if (!this.#checks.spend(STEP_COST, 'search')) {
        this.#gaveUp = true;
        return undefined;
      }
      const extended = [...path, issuer];
      // Revocation is checked only for a complete path (RFC 5280 §6.3.3 (f)). Otherwise an attacker could cause lookups
      // in many long lists, with self-made CAs that have the names of the lists' issuers.
      if (isAnchor && this.#revocation.problems(extended).length === 0) return extended;
      yield;
      const chain = isAnchor ? undefined : yield* this.#climb(extended);
      if (chain !== undefined) return chain;
    }
    return undefined;
  }

  /**
   * Extends a path, leaf first, to find where it fails. A signature that the budget does not pay for is taken to hold:
   * the result only explains a refusal.
   *
   * @param sure the part of the path whose signatures were checked
   */
  *#follow(path: Path, sure: Path, furthest: FurthestFailure, visited: Set<Certificate>): Pausable<void> {
    const subject = path.at(-1) as Certificate;
    const candidates = this.#graph.issuersOf(subject).filter(({ issuer }) => !isIn(path, issuer));
    if (candidates.length === 0) furthest.noteMissing(subject, path.length, sure);
    for (const candidate of candidates) {
      const { issuer, isAnchor } = candidate;
      if (path.length === MAX_PATH) {
        const message = `no anchor within ${MAX_PATH} certificates`;
        furthest.note([0, path.length, 1], { problems: [{ code: 'too_deep', message }], path: sure });
        return;
      }
      yield;
      const unsigned = this.#signatureProblem(subject, issuer, 'telling');
      if (unsigned !== undefined && unsigned !== 'unaffordable') {
        furthest.note([0, path.length, 1], { problems: [unsigned], path: sure });
        continue;
      }
      const extended = [...path, issuer];
      const held = unsigned === undefined && sure.length === path.length ? extended : sure;
      const problems = [...this.#problemsOf(candidate), ...pathLengthProblems(issuer, path)];
      if (problems.length > 0) {
        furthest.note([isAnchor ? 1 : 0, extended.length, 1], { problems, path: held });
      } else if (isAnchor) {
        const revoked = this.#revocation.problems(extended);
        furthest.note([1, extended.length, 1], { problems: revoked, path: held });
      } else if (!visited.has(issuer)) {
        visited.add(issuer);
        yield* this.#follow(extended, held, furthest, visited);
      }
    }
  }

  #signatureProblem(
    subject: Certificate,
    issuer: Certificate,
    purpose: CheckPurpose,
  ): PathProblem | undefined | 'unaffordable' {
    const { leaf, cache } = this.#question;
    // The leaf is nearly always new, and the lookup would hash it.
    const isKnown = (): boolean => subject !== leaf && cache?.isSigned(subject, issuer) === true;
    return this.#checks.problem(subject, issuer, this.#question, purpose, isKnown);
  }

  #problemsOf({ issuer, isAnchor }: Candidate): readonly PathProblem[] {
    const memory = this.#problems[isAnchor ? 'anchor' : 'other'];
    const known = memory.get(issuer);
    if (known !== undefined) return known;
    const problems = authorityProblems(issuer, this.#question);
    // The operator chose the anchor, including its key.
    // tooth A26 [true]: an anchor with a ROCA key is refused
    if (!isAnchor) problems.push(...rocaProblems(issuer));
    memory.set(issuer, problems);
    return problems;
  }
}

function isIn(path: Path, issuer: Certificate): boolean {
  return path.some((earlier) => isSameAuthority(earlier, issuer));
}
