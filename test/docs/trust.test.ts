import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { attackTests, FINDING_CODES, testCell, withChecks } from '../support/attack-tests.ts';

const trust: string = readFileSync(new URL('../../docs/trust.md', import.meta.url), 'utf8');
const tests = attackTests();
const read = (path: string): string => readFileSync(new URL(`../../docs/${path}`, import.meta.url), 'utf8');

function section(title: string): string {
  const text = trust.split(/^## /m).find((part) => part.startsWith(`${title}\n`));
  if (text === undefined) throw new Error(`docs/trust.md has no section "${title}"`);
  return text;
}

const idsIn = (text: string): readonly string[] => [...new Set(text.match(/\bA\d{2,3}\b/g) ?? [])];

/** Of a line that names a test: `name ([file](path))`. */
const NAMED_TEST = /^ *- (.+) \(\[[\w-]+\]\((.+\.ts)\)\)$/;

test('there is a section for each finding, with its meaning, the attacks it stops and the tests that say so', async () => {
  await expect(withChecks(trust, tests)).toMatchFileSnapshot('../../docs/trust.md');
  const headings = [...section('Checks').matchAll(/^#### `(.*)`$/gm)].map(([, code]) => code);
  expect(headings).toEqual(FINDING_CODES);
});

test('every finding is asked for by an attack test', () => {
  const without = FINDING_CODES.filter((code) => !tests.some(({ codes }) => codes.includes(code)));
  expect(without).toEqual([]);
});

test('every attack test is in a list', () => {
  expect(tests.filter((attackTest) => !trust.includes(testCell(attackTest))).map(({ name }) => name)).toEqual([]);
});

test('every line that names a test names one that there is', () => {
  const lines = trust.split('\n').filter((line) => NAMED_TEST.test(line));
  expect(lines.length).toBeGreaterThan(tests.length);
  const absent = lines.filter((line) => {
    const [, name = '', file = ''] = NAMED_TEST.exec(line) ?? [];
    const text = read(file);
    return !text.includes(`'${name}'`) && !text.includes(`"${name}"`);
  });
  expect(absent).toEqual([]);
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
  const promises = section('Promises')
    .split(/^### In /m)
    .flatMap((part) => {
      const document = /^\[\w+\]\((.+)\)$/m.exec(part)?.[1] ?? '';
      return part.split(/^- /m).flatMap((text, i) => {
        const [first = '', ...shown] = text.trimEnd().split('\n');
        return i === 0 ? [] : [{ words: /^“(.+)”$/.exec(first)?.[1] ?? '', document, shown }];
      });
    });

  test('are said in the words that the list has', () => {
    expect(promises.length).toBeGreaterThan(15);
    const unsaid = promises.filter(({ words, document }) => words === '' || !spaced(read(document)).includes(words));
    expect(unsaid).toEqual([]);
  });

  test('are each shown by tests that there are', () => {
    for (const { words, shown } of promises) {
      expect(shown, words).not.toEqual([]);
      for (const line of shown) {
        const [, name = '', file = ''] = NAMED_TEST.exec(line) ?? [];
        expect(name, `${words}: ${line}`).not.toBe('');
        expect(read(file).includes(`'${name}'`), `${words}: ${file} has no test "${name}"`).toBe(true);
      }
    }
  });

  test('of the stance in SECURITY.md are all in the list', () => {
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
