import { expect, test } from 'vitest';
import { Findings } from '../../src/verifier/verdict.ts';

function findings(count: number): Findings {
  const all = new Findings();
  for (let i = 1; i <= count; i++) all.add(i === 17 ? 'quote.signature' : 'ek.chain', `reason ${i}`);
  return all;
}

test('seventeen findings are told one by one', () => {
  expect(findings(17).list.map(({ message }) => message)).toEqual(
    Array.from({ length: 17 }, (_, i) => `reason ${i + 1}`),
  );
});

test.each([18, 1000])('of %i findings sixteen are told, and how many more there are', (count) => {
  const { list } = findings(count);
  expect(list.slice(0, 16)).toEqual(findings(16).list);
  expect(list.slice(16)).toMatchObject([
    { code: 'quote.signature', message: `and ${count - 16} more findings, first: reason 17` },
  ]);
});

test('findings that are not told count', () => {
  expect([16, 17, 1000].map((count) => findings(count).count)).toEqual([16, 17, 1000]);
  expect(findings(1).none).toBe(false);
  expect(findings(0).none).toBe(true);
});

test('a message is told up to 600 characters', () => {
  const all = new Findings();
  all.add('ek.chain', 'x'.repeat(600));
  all.add('ek.chain', 'x'.repeat(601));
  expect(all.list.map(({ message }) => message)).toEqual(['x'.repeat(600), `${'x'.repeat(600)}…`]);
});
