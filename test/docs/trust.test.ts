import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { attackTests, checkRows, FINDING_CODES, testCell } from '../support/attack-tests.ts';

const trust: string = readFileSync(new URL('../../docs/trust.md', import.meta.url), 'utf8');
const tests = attackTests();

function section(title: string): string {
  const text = trust.split(/^## /m).find((part) => part.startsWith(`${title}\n`));
  if (text === undefined) throw new Error(`docs/trust.md has no section "${title}"`);
  return text;
}

const idsIn = (text: string): readonly string[] => [...new Set(text.match(/\bA\d{2,3}\b/g) ?? [])];

test('the table has a row for each finding, with the attacks it stops and the tests that say so', () => {
  const rows = section('Checks').match(/^\| `.*$/gm);
  expect(rows).toEqual(checkRows(tests));
});

test('every finding is asked for by an attack test', () => {
  const without = FINDING_CODES.filter((code) => !tests.some(({ codes }) => codes.includes(code)));
  expect(without).toEqual([]);
});

test('every attack test is in a table', () => {
  expect(tests.filter((attackTest) => !trust.includes(testCell(attackTest))).map(({ name }) => name)).toEqual([]);
});

test('no two attack tests have the same name', () => {
  const names = tests.map(({ name }) => name);
  expect(names.length).toBe(new Set(names).size);
});

test('an attack with a test is not called untested, and each number up to A108 has its place', () => {
  const tested = tests.flatMap(({ attack }) => attack ?? []);
  const elsewhere = [...idsIn(section('Held by other tests')), ...idsIn(section('Still open'))];
  const numbers = Array.from({ length: 108 }, (_, i) => `A${String(i + 1).padStart(2, '0')}`);
  expect(numbers.filter((id) => !tested.includes(id) && !elsewhere.includes(id))).toEqual([]);
});

test('what it does not prove comes first', () => {
  expect(/^## .*$/m.exec(trust)?.[0]).toBe('## What it does not prove');
});
