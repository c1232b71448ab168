import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { atOnce } from '../../src/files/steps.ts';
import { DigestTable } from '../../src/policy/digest-table.ts';

const digest = (text: string): Uint8Array => createHash('sha256').update(text).digest();
const numbered = (i: number): Uint8Array => {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setUint32(28, i);
  return bytes;
};
function tableOf(digests: Iterable<Uint8Array>): DigestTable {
  const table = new DigestTable();
  for (const one of digests) table.add(one);
  atOnce(table.seal());
  return table;
}

test('holds what was added and nothing else, however alike they are', () => {
  const some = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(fc.array(some, { maxLength: 50 }), some, fc.nat({ max: 255 }), (digests, other, bit) => {
      const table = tableOf(digests);
      const isIn = (one: Uint8Array): boolean => digests.some((known) => Buffer.compare(known, one) === 0);
      expect(table.count).toBe(digests.length);
      for (const one of digests) {
        expect(table.has(one)).toBe(true);
        const near = one.slice();
        near[bit >> 3] = (near[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(table.has(near)).toBe(isIn(near));
      }
      expect(table.has(other)).toBe(isIn(other));
    }),
  );
});

test('holds more than one piece of memory does, in any order and with repetitions', () => {
  const count = 70_000;
  const table = tableOf(
    (function* all() {
      for (let i = 0; i < count; i++) yield i % 2 === 0 ? numbered(i) : digest(`${i}`);
      for (let i = 0; i < 100; i++) yield numbered(0);
    })(),
  );
  expect(table.count).toBe(count + 100);
  for (let i = 0; i < count; i += 50)
    expect([numbered(i), numbered(i + 1), digest(`${i + 1}`), digest(`${i}`)].map((one) => table.has(one))).toEqual([
      true,
      false,
      true,
      false,
    ]);
});

test.each([0, 31, 33])('holds nothing of %i octets', (length) => {
  expect(tableOf([new Uint8Array(32)]).has(new Uint8Array(length))).toBe(false);
});

test('is empty until it is sealed', () => {
  const table = new DigestTable();
  table.add(digest('a'));
  expect([table.has(digest('a')), tableOf([]).has(digest('a'))]).toEqual([false, false]);
});
