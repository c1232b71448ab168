import { Buffer } from 'node:buffer';
import type { NistCurveName } from '../../bytes/nist-curves.ts';
import { NODE_SIGNATURES, type SignatureSteps } from '../../public-key/signature-steps.ts';
import type { Certificate } from '../certificate.ts';
import type { SubjectKey } from '../subject-public-key.ts';
import { type PathAllowances, type PathProblem, signatureProblem } from './path-rules.ts';

/**
 * What checking one signature costs with OpenSSL 3 on a common server, in microseconds of processor time. Only the
 * ratios matter: they are the same within a factor of two wherever this was measured.
 */
const CURVE_COST: Readonly<Record<NistCurveName, number>> = { 'P-256': 65, 'P-384': 650, 'P-521': 1250 };

/** An RSA check grows with the square of the modulus. */
const RSA_2048_COST = 25;

/** One step of a search that checks no signature. */
export const STEP_COST = 5;

/** What one sender may cost, in the same microseconds. */
export interface CheckBudget {
  /** Before the search gives up. A chain of seven certificates costs 7,500 at most, with P-521 throughout. */
  readonly search: number;
  /** Afterwards, to tell how far a refused chain holds: two links of a TPM vendor's cost up to 1,300. */
  readonly telling: number;
}

const SERVER: CheckBudget = { search: 8_000, telling: 1_300 };

/** Trusts what a server trusts, and takes the time to tell a person all there is to tell. */
export const REPORT: CheckBudget = { ...SERVER, telling: 1_000_000 };

/** What a check is for. */
export type CheckPurpose = keyof CheckBudget;

/**
 * All signature checks for one sender, however many searches they are for. It remembers the answer for each certificate
 * and issuer key, and refuses the checks that go beyond its budget.
 */
export class SignatureChecks {
  readonly #steps: SignatureSteps;
  readonly #left: Record<CheckPurpose, number>;
  readonly #answers: Map<Certificate, Map<string, PathProblem | undefined>> = new Map();

  constructor({ search, telling }: CheckBudget = SERVER, steps: SignatureSteps = NODE_SIGNATURES) {
    this.#left = { search, telling };
    this.#steps = steps;
  }

  /**
   * Why `issuer` did not sign `subject`, undefined when it did, or that the budget does not pay for finding out.
   *
   * @param isKnown whether the issuer is known to have made this signature; asked only when the answer costs something
   */
  problem(
    subject: Certificate,
    issuer: Certificate,
    allowances: PathAllowances,
    purpose: CheckPurpose,
    isKnown: () => boolean,
  ): PathProblem | undefined | 'unaffordable' {
    const unsound = signatureProblem(subject, issuer, allowances, true);
    if (unsound !== undefined) return unsound;
    const answers = this.#answers.get(subject) ?? new Map<string, PathProblem | undefined>();
    this.#answers.set(subject, answers);
    // As certified: what a key is restricted to counts.
    const { der } = issuer.subjectPublicKeyInfo;
    const key = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('latin1');
    // tooth A79: each bundle checks the same signatures again
    if (answers.has(key)) return answers.get(key);
    const known = isKnown();
    if (!known && !this.spend(costOf(issuer.subjectPublicKeyInfo.key), purpose)) return 'unaffordable';
    const problem = known ? undefined : signatureProblem(subject, issuer, allowances, false, this.#steps);
    answers.set(key, problem);
    return problem;
  }

  /** Takes this much from the budget. False, and nothing is taken, where less is left. */
  spend(cost: number, purpose: CheckPurpose): boolean {
    // tooth A79: a chain may cost what it likes
    if (this.#left[purpose] < cost) return false;
    this.#left[purpose] -= cost;
    return true;
  }

  /** What is left of the budget. */
  get left(): CheckBudget {
    return { ...this.#left };
  }
}

function costOf(key: SubjectKey): number {
  if (key.type === 'ec') return CURVE_COST[key.curve];
  return key.type === 'rsa' ? RSA_2048_COST * (key.bits / 2048) ** 2 : 0;
}
