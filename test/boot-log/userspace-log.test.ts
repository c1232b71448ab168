/** systemd's log of its own measurements. */
import { expect, test } from 'vitest';
import { unescaped } from '../../src/boot-log/systemd/c-escape.ts';
import { readUserspaceLog } from '../../src/boot-log/systemd/userspace-log.ts';
import { type Bank, bankByName } from '../../src/boot-log/tcg/banks.ts';
import { bindingOf } from '../../src/boot-log/tcg/binding.ts';
import type { UserspaceEvent } from '../../src/boot-log/tcg/event.ts';
import { LOG_LIMITS } from '../../src/boot-log/tcg/limits.ts';
import { MalformedLogError } from '../../src/boot-log/tcg/malformed-log.ts';
import { concat } from '../../src/bytes/bytes.ts';
import { ascii, PHASES, userspaceLog, userspaceRecord } from '../support/event-log-writer.ts';

const SHA256 = bankByName('sha256') as Bank;
const DIGEST = { hashAlg: 'sha256', digest: '00'.repeat(32) };
const GOOD = { pcr: 11, digests: [DIGEST], content_type: 'systemd', content: { string: 'ready', eventType: 'phase' } };
const read = (bytes: Uint8Array): readonly UserspaceEvent[] => readUserspaceLog(bytes, [SHA256]);

function refusal(bytes: Uint8Array): string {
  try {
    read(bytes);
  } catch (error) {
    if (error instanceof MalformedLogError) return error.message;
    throw error;
  }
  return 'read';
}

test('a record has its PCR, its digests and its word', () => {
  const [first] = read(userspaceLog(PHASES));
  expect(first).toMatchObject({ log: 'userspace', offset: 0, pcr: 11, kind: 'phase', word: ascii('enter-initrd') });
  expect(first && bindingOf(first, SHA256)?.rule).toBe('word');
  expect(read(new Uint8Array())).toEqual([]);
});

test('a measurement into an NV index has no PCR, and a content of another type no word', () => {
  const { pcr: _, ...rest } = GOOD;
  expect(read(userspaceRecord({ ...rest, nv_index: 0x1d10200 }))).toMatchObject([{ pcr: undefined }]);
  expect(read(userspaceRecord({ ...GOOD, content_type: 'other' }))).toMatchObject([{ word: undefined }]);
  expect(read(userspaceRecord({ ...GOOD, digests: [{ hashAlg: 'new', digest: '00' }] }))).toMatchObject([
    { digests: [] },
  ]);
});

test('a word that systemd cut, or escaped in no way of its own, is not there', () => {
  const word = (string: string): unknown => read(userspaceRecord({ ...GOOD, content: { string } }))[0]?.word;
  expect(word(`${'a'.repeat(1024)}...`)).toBeUndefined();
  expect(word('dots...')).toEqual(ascii('dots...'));
  expect(word('a\\qb')).toBeUndefined();
});

test('a word of escapes alone is read up to the length of the longest, and not beyond it', () => {
  expect(unescaped('\\n'.repeat(2048))).toHaveLength(2048);
  expect(unescaped('\\n'.repeat(200_000))).toBeUndefined();
});

test.each([
  ['plain', 'plain'],
  ['a\\nb', 'a\nb'],
  ['a\\\\nb', 'a\\nb'],
  ['\\"\\\'', '"\''],
  ['\\303\\244', 'Ã¤'],
  ['\\x41\\000', 'A\0'],
])('the escapes in %s are taken back', (text, expected) => {
  expect(unescaped(text)).toEqual(ascii(expected));
});

test.each([
  ['no separator', userspaceRecord(GOOD).subarray(1), 'does not begin with 0x1e'],
  ['no line feed', userspaceRecord(GOOD).subarray(0, -1), 'it is cut'],
  ['no JSON', userspaceRecord('{"pcr":'), 'is not JSON'],
  ['no UTF-8', concat(Uint8Array.of(0x1e, 0x22, 0xff, 0x22, 0x0a)), 'is not JSON'],
  ['a list', userspaceRecord([GOOD]), 'is not an object'],
  ['a name twice', userspaceRecord('{"pcr":11,"\\u0070cr":12,"digests":[]}'), '"pcr" is given twice'],
  ['too deep a list', userspaceRecord({ ...GOOD, content: [[[[]]]] }), 'nested deeper'],
  ['PCR 24', userspaceRecord({ ...GOOD, pcr: 24 }), 'pcr is not 0 to 23'],
  ['PCR -1', userspaceRecord({ ...GOOD, pcr: -1 }), 'pcr is not 0 to 23'],
  ['PCR 1.5', userspaceRecord({ ...GOOD, pcr: 1.5 }), 'pcr is not 0 to 23'],
  ['no PCR', userspaceRecord({ ...GOOD, pcr: undefined }), 'pcr is not 0 to 23'],
  ['a PCR and an NV index', userspaceRecord({ ...GOOD, nv_index: 1 }), 'pcr is not 0 to 23'],
  ['no digests', userspaceRecord({ ...GOOD, digests: undefined }), 'digests is not a list'],
  ['two digests of a bank', userspaceRecord({ ...GOOD, digests: [DIGEST, DIGEST] }), 'sha256 has two digests'],
  ['a digest cut short', userspaceRecord({ ...GOOD, digests: [{ ...DIGEST, digest: '00' }] }), '1 bytes are no digest'],
  ['no hexadecimal digits', userspaceRecord({ ...GOOD, digests: [{ ...DIGEST, digest: 'zz' }] }), 'no hexadecimal'],
])('a record with %s is refused', (_, bytes, reason) => {
  expect(refusal(bytes)).toContain(reason);
  expect(refusal(concat(userspaceRecord(GOOD), bytes))).toContain('record 1');
});

test('a name such as __proto__ changes nothing', () => {
  const record = JSON.stringify(GOOD).replace('{', '{"__proto__":{"pcr":3},');
  expect(read(userspaceRecord(record))).toMatchObject([{ pcr: 11 }]);
  expect(({} as Record<string, unknown>)['pcr']).toBeUndefined();
});

test('a log may be of its limit, and no larger', () => {
  const small = userspaceRecord({ pcr: 1, digests: [] });
  const many = (count: number): Uint8Array => concat(...Array.from({ length: count }, () => small));
  expect(refusal(many(LOG_LIMITS.userspaceRecords))).toBe('read');
  expect(refusal(many(LOG_LIMITS.userspaceRecords + 1))).toContain('it has more than');
  const padded = (length: number): Uint8Array =>
    userspaceRecord(`{"pcr":1,"digests":[],"content":"${'x'.repeat(length - 37)}"}`);
  const exact = padded(LOG_LIMITS.userspaceBytes - (padded(1000).length - 1000));
  expect([exact.length, refusal(exact)]).toEqual([LOG_LIMITS.userspaceBytes, 'read']);
  expect(refusal(concat(exact, small))).toContain('bytes are over');
});
