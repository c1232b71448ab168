/** The attack tests as they are written: their names, and the findings each of them asks for. */
import { readdirSync, readFileSync } from 'node:fs';
import { REMEDIES } from '../../src/verifier/findings.ts';

export interface AttackTest {
  /** Name of the test file, without its ending. */
  readonly file: string;
  readonly name: string;
  /** `A08`, or undefined for what no catalogue has a number for. */
  readonly attack: string | undefined;
  /** Finding codes that its text names. */
  readonly codes: readonly string[];
}

export const FINDING_CODES: readonly string[] = Object.keys(REMEDIES);
const FOLDER = new URL('../attacks/', import.meta.url);

export function attackTests(): readonly AttackTest[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.test.ts'))
    .sort()
    .flatMap((name) => testsOf(name.replace(/\.test\.ts$/, ''), readFileSync(new URL(name, FOLDER), 'utf8')));
}

function testsOf(file: string, text: string): readonly AttackTest[] {
  const [, ...blocks] = text.split(/^test\(/m);
  return blocks.map((block) => {
    const name = /^(['"])(.*?)\1,/.exec(block)?.[2];
    if (name === undefined) throw new Error(`${file}: a test without a plain name: ${block.slice(0, 60)}`);
    const codes = FINDING_CODES.filter((code) => block.includes(`'${code}'`));
    return { file, name, attack: /^A\d+/.exec(name)?.[0], codes };
  });
}

/** The table of docs/trust.md: a row for each finding code, in their order. */
export function checkRows(tests: readonly AttackTest[]): readonly string[] {
  return FINDING_CODES.map((code) => {
    const stopped = tests.filter(({ codes }) => codes.includes(code));
    const attacks = [...new Set(stopped.map(({ attack }) => attack ?? '–'))].sort().join(', ');
    return `| \`${code}\` | ${attacks} | ${stopped.map(testCell).join('<br>')} |`;
  });
}

export function testCell({ file, name }: AttackTest): string {
  return `${name} ([${file}](../test/attacks/${file}.test.ts))`;
}
