/** A reporter for large runs. Its last lines name the slowest tests, the flaky ones, and the failures. */
import type { Reporter, TestCase, TestModule } from 'vitest/node';

const LISTED = 10;
/** A run with fewer tests needs no summary. */
const FEW = 200;

export default class ClosingLines implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    if (tests.length < FEW) return;
    const slowest = tests.sort((a, b) => duration(b) - duration(a)).slice(0, LISTED);
    list(
      `The slowest ${LISTED} of ${tests.length} tests`,
      slowest.map((test) => `${(duration(test) / 1000).toFixed(1).padStart(5)} s  ${nameOf(test)}`),
    );
    list('Passed only when tried again', tests.filter((test) => test.diagnostic()?.flaky === true).map(nameOf));
    const broken = modules.filter((module) => module.errors().length > 0).map((module) => module.relativeModuleId);
    list('Failed', [...broken, ...tests.filter((test) => test.result().state === 'failed').map(nameOf)]);
  }
}

function list(title: string, lines: readonly string[]): void {
  if (lines.length > 0) console.log(`\n${title}:\n${lines.map((line) => `  ${line}`).join('\n')}`);
}

const duration = (test: TestCase): number => test.diagnostic()?.duration ?? 0;
const nameOf = (test: TestCase): string => `${test.module.relativeModuleId} > ${test.fullName}`;
