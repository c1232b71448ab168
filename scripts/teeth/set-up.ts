/** Hands the runner what a test file has of the judges: the runner's own import of their module would be another copy. */
import { recordAttacks, restartJudges } from '../../test/support/judge.ts';

export interface Judges {
  readonly recordAttacks: typeof recordAttacks;
  readonly restartJudges: typeof restartJudges;
}

const judges: Judges = { recordAttacks, restartJudges };
Object.assign(globalThis, { __judges: judges });
