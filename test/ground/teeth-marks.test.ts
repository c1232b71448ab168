/** What scripts/teeth makes of a source: which checks it finds, and that each can be left out. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

interface Tooth {
  readonly check: string;
  readonly named: readonly string[];
  readonly insertions: readonly { readonly at: number; readonly text: string }[];
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const { teethOf } = (await import(pathToFileURL(join(ROOT, 'scripts/teeth/find.mjs')).href)) as {
  teethOf: (text: string, codes: ReadonlySet<string>) => readonly Tooth[];
};

const CODES = new Set(['quote.magic']);
const found = (text: string) => teethOf(text, CODES).map(({ check, named }) => ({ check, named }));
/** The inserted texts of the one check in a source. */
const inserted = (text: string): string =>
  (teethOf(text, CODES)[0]?.insertions ?? []).map((one) => one.text).join(' … ');

test('a finding and a problem of a certificate are checks by themselves', () => {
  const text = `findings.add('quote.magic', 'x');\nfunction f() { return [{ code: 'expired', message: 'x' }]; }`;
  expect(found(text)).toEqual([
    { check: 'quote.magic', named: [] },
    { check: 'problem expired', named: [] },
  ]);
  expect(found(`seen.add('quote.other');\n// toothless: nobody can\nfindings.add('quote.magic', 'x');`)).toEqual([]);
});

test('a mark makes the statement after it a check', () => {
  expect(found('// tooth A01, A02: it is late\nif (late) throw new Error();')).toEqual([
    { check: 'it is late', named: ['A01', 'A02'] },
  ]);
  expect(inserted('// tooth A01: x\nif (late) stop();')).toContain('? false :');
  expect(inserted('// tooth A01: x\nstop();')).toContain('{  } else');
  expect(inserted('// tooth A01 [late || !late]: x\nif (late) stop();')).toContain('(late || !late)');
  expect(inserted('// tooth A01 [&& -> ||]: x\nconst a = b && c;')).toContain('(b || c)');
  expect(inserted('// tooth A01 [starts -> ends]: x\nconst a = b.starts(c).d;')).toContain('(b.ends(c).d)');
  expect(found('// tooth A01 [a ->\n//   b]: in two\n//   lines\nconst x = a;')).toEqual([
    { check: 'in two lines', named: ['A01'] },
  ]);
});

test.each([
  ['a mark without words', '// tooth A01\nstop();', 'has the wrong form'],
  ['a mark at the end', 'stop();\n// tooth A01: x\n', 'no statement follows'],
  ['a part that is not there', '// tooth A01 [d -> e]: x\nconst a = b;', 'must contain exactly once'],
  ['a value without a substitute', '// tooth A01: x\nconst a = b;', 'in brackets'],
])('%s is no check', (_, text, reason) => {
  expect(() => found(text)).toThrow(reason);
});

test('every mark of the product is one', () => {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.ts'),
  );
  const texts = files
    .map((path) => readFileSync(join(ROOT, 'src', path), 'utf8'))
    .filter((text) => text.includes('// tooth '));
  expect(texts.length).toBeGreaterThan(30);
  for (const text of texts)
    expect(found(text).filter(({ named }) => named.length > 0).length).toBe(text.split('// tooth ').length - 1);
});
