import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
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

describe('promises', () => {
  const spaced = (text: string): string => text.replace(/\s+/g, ' ');
  const read = (path: string): string => readFileSync(new URL(`../../docs/${path}`, import.meta.url), 'utf8');
  const promises = [...section('Promises').matchAll(/^\| (.+) \| \[\w+\]\((.+)\) \| (.+) \|$/gm)].map(
    ([, words = '', document = '', shown = '']) => ({ words, document, shown }),
  );

  test('are said in the words that the table has', () => {
    expect(promises.length).toBeGreaterThan(15);
    expect(promises.filter(({ words, document }) => !spaced(read(document)).includes(words))).toEqual([]);
  });

  test('are each shown by tests that there are', () => {
    for (const { words, shown } of promises)
      for (const cell of shown.split('<br>')) {
        const [, name = '', file = ''] = /^(.+) \(\[.+\]\((.+)\)\)$/.exec(cell) ?? [];
        expect(name, `${words}: ${cell}`).not.toBe('');
        expect(read(file).includes(`'${name}'`), `${words}: ${file} has no test "${name}"`).toBe(true);
      }
  });

  test('of the stance in SECURITY.md are all in the table', () => {
    const stance = /^## Stance\n([\s\S]*?)^## /m.exec(read('../SECURITY.md'))?.[1] ?? '';
    const points = stance.split(/^- /m).slice(1).map(spaced);
    expect(points.length).toBeGreaterThan(4);
    const without = points.filter((point) => !promises.some(({ words }) => point.includes(words)));
    expect(without).toEqual([]);
  });
});

test('what is held by other tests, and each promise, has a file behind its link', () => {
  const links = [...trust.matchAll(/\]\((\.\.\/test\/[^)]+)\)/g)].map(([, path = '']) => path);
  expect(links.length).toBeGreaterThan(100);
  expect(links.filter((path) => !existsSync(new URL(`../../docs/${path}`, import.meta.url)))).toEqual([]);
});
