/** Reads the attack tests: names, attacks and findings. Writes their sections of docs/trust.md. */
import { readdirSync, readFileSync } from 'node:fs';
import { type FindingCode, MEANINGS } from '../../src/verifier/findings.ts';

export interface AttackTest {
  /** The name of the test file, without its ending. */
  readonly file: string;
  readonly name: string;
  /** `A08`. Undefined for an attack without a number in the catalogue. */
  readonly attack: string | undefined;
  /** The finding codes in its source. */
  readonly codes: readonly string[];
}

export const FINDING_CODES: readonly FindingCode[] = Object.keys(MEANINGS) as FindingCode[];
const FOLDER = new URL('../attacks/', import.meta.url);

/** The title for each part of a code before the dot. */
const FAMILIES: Readonly<Record<string, string>> = {
  evidence: 'The payload',
  ek: 'The endorsement key and its certificate',
  ak: 'The attestation key',
  creation: 'The creation certificate, on the legacy wire',
  pcr: 'The PCR banks',
  response: 'The answer',
  boot: 'The boot logs',
  credential: 'The credential',
  quote: 'The quote',
};

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

/** Replaces the generated part of the document. `npx vitest run test/docs/trust.test.ts -u` writes it. */
export function withChecks(document: string, tests: readonly AttackTest[]): string {
  const marks = /(<!-- checks: [^>]*-->\n)[\s\S]*?(<!-- end of checks -->\n)/;
  if (!marks.test(document)) throw new Error('the document has no marks of the checks');
  return document.replace(marks, (_, begin: string, end: string) => `${begin}\n${checkSections(tests)}\n${end}`);
}

/** A section for each finding code: its meaning, the attacks it stops, and the tests that show it. */
function checkSections(tests: readonly AttackTest[]): string {
  const sections = FINDING_CODES.map((code, i) => {
    const [family = ''] = code.split('.');
    const isFirst = FINDING_CODES[i - 1]?.startsWith(`${family}.`) !== true;
    return `${isFirst ? `### ${FAMILIES[family]}\n\n` : ''}${checkSection(code, tests)}`;
  });
  return sections.join('\n');
}

function checkSection(code: FindingCode, tests: readonly AttackTest[]): string {
  const shown = tests.filter(({ codes }) => codes.includes(code)).sort(byAttack);
  const attacks = [...new Set(shown.map(({ attack }) => attack ?? 'unnumbered'))].join(', ');
  const lines = shown.map((one) => `- ${testCell(one)}\n`).join('');
  return `#### \`${code}\`\n\n${MEANINGS[code]}\n\nAttacks: ${attacks}\n\n${lines}`;
}

/** Sorts by attack number. Attacks without a number come last. */
const byAttack = (a: AttackTest, b: AttackTest): number =>
  (a.attack ?? 'Z').localeCompare(b.attack ?? 'Z', 'en', { numeric: true });

export function testCell({ file, name }: AttackTest): string {
  return `${name} ([${file}](../test/attacks/${file}.test.ts))`;
}
