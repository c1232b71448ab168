/** A reporter for whole runs: which tests took longest, so that a slow one is noticed when it comes. */
import type { Reporter, TestModule } from 'vitest/node';

const LISTED = 10;
/** Of few tests everybody sees how long they take. */
const FEW = 200;

export default class SlowestTests implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => ({
        name: `${module.relativeModuleId} > ${test.fullName}`,
        ms: test.diagnostic()?.duration ?? 0,
      })),
    );
    if (tests.length < FEW) return;
    console.log(`\nThe slowest ${LISTED} of ${tests.length} tests:`);
    for (const { name, ms } of tests.sort((a, b) => b.ms - a.ms).slice(0, LISTED))
      console.log(`${(ms / 1000).toFixed(1).padStart(7)} s  ${name}`);
  }
}
