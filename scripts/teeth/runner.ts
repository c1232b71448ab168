/**
 * Runs a test once for each check in its plan, with that check left out. After a failure, it runs the test once more
 * with all checks in place. If that run fails, too, an earlier run has spoilt the state, and the failures prove
 * nothing.
 *
 * Without a plan, it runs each test with all checks and records the checks that the test meets. Each run has new
 * servers.
 */
import {
  appendFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type RunnerTestCase as Test, TestRunner } from 'vitest';
import type { AttackRecord } from '../../test/support/judge.ts';
import { CONTINUED, NONE } from './rows.mjs';
import type { Judges } from './set-up.ts';

/** One run of one test. */
export interface Attempt {
  readonly file: string;
  readonly test: string;
  /** The check that was left out; -1 when all checks were in place. */
  readonly without: number;
  readonly error: string | undefined;
  /** The numbers of the checks that the test met. */
  readonly met: readonly number[];
  readonly attacks: readonly AttackRecord[];
}

/** The checks to leave out of each test, by file and name of the test. */
export type Plan = Readonly<Record<string, readonly number[]>>;

const given = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run this by npm run teeth`);
  return value;
};

// Test files make their scratch folders in TMPDIR when they are imported. Each run of a test gets the same contents.
const folder = mkdtempSync(join(dirname(given('TPM_ATTESTOR_TEETH_PLAN')), 'w-'));
const [met, scratch, kept] = [join(folder, 'met'), join(folder, 's'), join(folder, 'kept')];
mkdirSync(scratch);
process.env['TMPDIR'] = scratch;
process.env['TPM_ATTESTOR_TEETH_MET'] = met;

/** Copies a folder without sockets and pipes. */
const copy = (from: string, to: string): void =>
  cpSync(from, to, {
    recursive: true,
    filter: (path) => ['isFile', 'isDirectory', 'isSymbolicLink'].some((is) => lstatSync(path)[is as 'isFile']()),
  });

function restoreScratch(): void {
  // The software TPM of a test keeps running.
  for (const name of readdirSync(scratch).filter((one) => !one.startsWith('swtpm-')))
    rmSync(join(scratch, name), { recursive: true, force: true });
  copy(kept, scratch);
}

/** For tests of the agent, which runs in this process: the check that is left out, and the checks that the test met. */
const here = { without: NONE, met: new Set<number>(), isAgent: false };
Object.assign(globalThis, {
  __tooth: {
    is: (number: number) => here.isAgent && number === here.without,
    skips(number: number): boolean {
      here.met.add(number);
      return this.is(number);
    },
    meets<T>(number: number, value: T): T {
      if (value) here.met.add(number);
      return value;
    },
  },
});

export default class TeethRunner extends TestRunner {
  /** Null to run every test with all checks. */
  readonly #plan: Plan | null = JSON.parse(readFileSync(given('TPM_ATTESTOR_TEETH_PLAN'), 'utf8'));

  /** The check that is left out of continued tests. */
  readonly #throughout = Number(process.env['TPM_ATTESTOR_TOOTH'] ?? NONE);

  async runTask(test: Test): Promise<void> {
    const key = `${test.file.name}\0${test.fullTestName}`;
    if (this.#plan !== null && !(key in this.#plan)) return;
    if (CONTINUED.test(test.file.name)) {
      await this.#attempt(test, this.#throughout, () => Promise.resolve());
      return;
    }
    if (!existsSync(kept)) copy(scratch, kept);
    const afresh = async (): Promise<void> => {
      rmSync(met, { force: true });
      if (!here.isAgent) await judges().restartJudges(restoreScratch);
    };
    let hasPassed = true;
    for (const without of this.#plan?.[key] ?? [])
      hasPassed = (await this.#attempt(test, without, afresh)) && hasPassed;
    if (!hasPassed || this.#plan === null) await this.#attempt(test, NONE, afresh);
  }

  /** True when the test passed. */
  async #attempt(test: Test, without: number, prepare: () => Promise<void>): Promise<boolean> {
    Object.assign(here, { without, isAgent: !test.file.name.startsWith('test/attacks/') });
    here.met.clear();
    process.env['TPM_ATTESTOR_TOOTH'] = String(without);
    let error: unknown;
    const attacks = await judges().recordAttacks(async () => {
      try {
        await prepare();
        await TestRunner.getTestFn(test)();
      } catch (thrown) {
        error = thrown ?? new Error('thrown without a reason');
      }
    });
    const attempt: Attempt = {
      file: test.file.name,
      test: test.fullTestName,
      without,
      error: error === undefined ? undefined : String((error as Error).message ?? error),
      met: here.isAgent ? [...here.met] : metByServers(),
      attacks,
    };
    appendFileSync(given('TPM_ATTESTOR_TEETH_ATTEMPTS'), `${JSON.stringify(attempt)}\n`);
    return error === undefined;
  }
}

const judges = (): Judges => (globalThis as unknown as { __judges: Judges }).__judges;

function metByServers(): readonly number[] {
  return existsSync(met) ? [...new Set(readFileSync(met, 'utf8').trim().split('\n').map(Number))] : [];
}
