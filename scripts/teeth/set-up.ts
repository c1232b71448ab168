/**
 * Gives the runner the test files' copy of test/support/judge.ts. If the runner imported it, it would get another copy.
 */
import { recordAttacks, restartJudges } from '../../test/support/judge.ts';

export interface Judges {
  readonly recordAttacks: typeof recordAttacks;
  readonly restartJudges: typeof restartJudges;
}

const judges: Judges = { recordAttacks, restartJudges };
Object.assign(globalThis, { __judges: judges });
