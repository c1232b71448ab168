import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteMemo } from '../../src/bytes/byte-memo.ts';
import { DerReader } from '../../src/x509/der.ts';
import { type NameOddity, readName } from '../../src/x509/name.ts';

const bytes = fc.uint8Array({ maxLength: 6 });

test('what is recalled was kept of those very bytes, the last time', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(bytes, fc.nat())), bytes, (kept, asked) => {
      const memo = new ByteMemo<number>();
      for (const [key, value] of kept) memo.keep(key, 0, key.length, value);
      const last = kept.findLast(([key]) => Buffer.compare(key, asked) === 0);
      const recalled = memo.recall(asked, 0, asked.length);
      if (recalled !== undefined) expect(recalled).toBe(last?.[1]);
      if (last !== undefined && kept.at(-1) === last) expect(recalled).toBe(last[1]);
    }),
  );
});

test('it keeps no view of what it was given', () => {
  const memo = new ByteMemo<string>();
  const given = Uint8Array.of(1, 2, 3);
  memo.keep(given, 0, 3, 'kept');
  given[0] = 9;
  expect(memo.recall(given, 0, 3)).toBeUndefined();
  expect(memo.recall(Uint8Array.of(1, 2, 3), 0, 3)).toBe('kept');
});

test('a name that is read again has its own bytes, and its oddities are told again', () => {
  // CN=a + CN=b in one relative name, which DER would have the other way round.
  const der = Buffer.from('30163114300806035504030c0162300806035504030c0161', 'hex');
  const read = () => {
    const input = Uint8Array.from(der);
    const oddities: NameOddity[] = [];
    const name = readName(new DerReader(input, 'name').next('value'), (oddity) => oddities.push(oddity));
    expect(name.der.buffer).toBe(input.buffer);
    return { canonical: name.canonical, oddities };
  };
  const first = read();
  expect(first.oddities.sort()).toEqual(['RDN-SET-not-sorted', 'multi-valued-RDN']);
  expect(read()).toEqual(first);
});
