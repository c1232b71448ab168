/** Limits how much processor time the signature checks for one sender may cost. */
import { Buffer } from 'node:buffer';
import type { NistCurveName } from '../../bytes/nist-curves.ts';
import { NODE_SIGNATURES, type SignatureSteps } from '../../public-key/signature-steps.ts';
import type { Certificate } from '../certificate.ts';
import type { SubjectKey } from '../subject-public-key.ts';
import { type PathAllowances, type PathProblem, signatureProblem } from './path-rules.ts';

/**
 * The cost of one signature check with OpenSSL 3 on a common server, in microseconds of processor time. Only the ratios
 * matter. They differ by at most a factor of two between all measured machines.
 */
const CURVE_COST: Readonly<Record<NistCurveName, number>> = { 'P-256': 65, 'P-384': 650, 'P-521': 1250 };

/** The cost of an RSA check grows with the square of the modulus length. */
const RSA_2048_COST = 25;

/** The cost of a search step without a signature check. */
export const STEP_COST = 5;

/** The budget for one sender, in the same microseconds. */
export interface CheckBudget {
  /** For the search. A chain of seven certificates costs at most 7,500, with P-521 throughout. */
  readonly search: number;
  /** For explaining a refusal, after the search. Two links of a TPM vendor's chain cost up to 1,300. */
  readonly telling: number;
}

const SERVER: CheckBudget = { search: 8_000, telling: 1_300 };

/** The budget of command line reports: it trusts the same chains as a server, but explains refusals in full. */
export const REPORT: CheckBudget = { ...SERVER, telling: 1_000_000 };

/** What a check is for. */
export type CheckPurpose = keyof CheckBudget;

/**
 * All signature checks for one sender, in all searches. It remembers the answer for each certificate and issuer key,
 * and refuses checks beyond its budget.
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
   * Why the signature of `issuer` on `subject` does not hold; undefined if it does; `unaffordable` if the budget does
   * not pay for the check.
   *
   * @param isKnown whether this signature was verified before; called only if a check would be needed
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
    // The key as certified, with its restrictions.
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

  /** Takes the cost from the budget. Returns false and takes nothing if less is left. */
  spend(cost: number, purpose: CheckPurpose): boolean {
    // tooth A79: a chain may cost what it likes
    if (this.#left[purpose] < cost) return false;
    this.#left[purpose] -= cost;
    return true;
  }

  /** The rest of the budget. */
  get left(): CheckBudget {
    return { ...this.#left };
  }
}

function costOf(key: SubjectKey): number {
  if (key.type === 'ec') return CURVE_COST[key.curve];
  return key.type === 'rsa' ? RSA_2048_COST * (key.bits / 2048) ** 2 : 0;
}
