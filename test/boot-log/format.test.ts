/** What a firmware log may look like: each rule with the nearest log that breaks it (A77, A78). */
import { expect, test } from 'vitest';
import { readBootLog } from '../../src/boot-log/boot-log.ts';
import { LOG_LIMITS } from '../../src/boot-log/tcg/limits.ts';
import { MalformedLogError } from '../../src/boot-log/tcg/malformed-log.ts';
import { concat, hex } from '../../src/bytes/bytes.ts';
import {
  agileEvent,
  agileLog,
  ascii,
  extended,
  GRUB_BOOT,
  separator,
  sha1Log,
  specIdEvent,
  u16,
  u32,
} from '../support/event-log-writer.ts';

const SHA256 = [0x0b, 32] as const;
const bytes = (length: number, byte = 0): Uint8Array => new Uint8Array(length).fill(byte);

function refusal(log: Uint8Array, areaDump = false): string {
  try {
    readBootLog(log, { areaDump });
  } catch (error) {
    if (error instanceof MalformedLogError) return `${error.problem} ${error.path}`;
    throw error;
  }
  return 'read';
}

test.each([
  ['no algorithm', specIdEvent([])],
  ['seventeen algorithms', specIdEvent(Array.from({ length: 17 }, (_, i) => [0x100 + i, 32] as const))],
  ['a known algorithm of another size', specIdEvent([[0x0b, 20]])],
  ['an algorithm twice', specIdEvent([SHA256, SHA256])],
  ['more algorithms than it says', specIdEvent([SHA256, [0x0c, 48]], { count: 1 })],
  ['fewer algorithms than it says', specIdEvent([SHA256], { count: 2 })],
  ['2^32 - 1 algorithms', specIdEvent([SHA256], { count: 0xffffffff })],
  ['another register than PCR 0', specIdEvent([SHA256], { pcr: 1 })],
])('a Spec ID with %s is refused', (_, first) => {
  expect(refusal(concat(first, agileEvent(separator(0))))).toMatch(/^log\.spec_id/);
});

test('a Spec ID may have vendor information, an unknown algorithm, and any digest and order', () => {
  const unknown = [0x4321, 7] as const;
  const first = specIdEvent([SHA256, unknown, [0x04, 20]], { vendorInfo: ascii('vendor') });
  first.set(bytes(20, 9), 8);
  const event = agileEvent({
    ...separator(0),
    digests: [
      [0x04, bytes(20)],
      [0x0b, bytes(32)],
      [0x4321, bytes(7)],
    ],
  });
  const log = readBootLog(concat(first, event));
  expect(log.banks.map(({ name }) => name)).toEqual(['sha256', '0x4321', 'sha1']);
  expect(log.replays.map(({ bank }) => bank.name)).toEqual(['sha256', 'sha1']);
  expect(log.problems.map(({ code }) => code)).toEqual(['bank.not_computed']);
});

test('a first record that is no Spec ID makes a log of SHA-1', () => {
  for (const text of ['Spec ID Event02\0', 'StartupLocality\0\x03', 'anything']) {
    const log = readBootLog(concat(sha1Log([{ pcr: 0, type: 'EV_NO_ACTION', data: ascii(text) }, separator(0)])));
    expect(log).toMatchObject({ format: 'sha1', specId: undefined });
    expect(log.events.length).toBe(2);
  }
});

test('a record of no action is kept whatever its register, and never extended', () => {
  const odd = { pcr: 0xffffffff, type: 'EV_NO_ACTION', data: ascii('SP800-155 Event3') } as const;
  const log = readBootLog(agileLog([odd, separator(4)]));
  expect(log.events.length).toBe(2);
  expect([...(log.replays[0]?.pcrs.keys() ?? [])]).toEqual([4]);
  expect(refusal(agileLog([separator(23)]))).toBe('read');
  expect(refusal(agileLog([separator(24)]))).toBe('log.pcr_index event 0.pcrIndex');
});

test.each([
  ['a digest count of 2^32 - 1', concat(u32(0), u32(4), u32(0xffffffff)), 'log.digests event 0.digestCount'],
  ['a digest too many', concat(u32(0), u32(4), u32(2)), 'log.digests event 0.digestCount'],
  ['an algorithm of no bank', concat(u32(0), u32(4), u32(1), u16(4), bytes(20)), 'log.digests event 0.algorithmId'],
  ['a digest that is cut', concat(u32(0), u32(4), u32(1), u16(0x0b), bytes(31)), 'log.truncated event 0.digest'],
  [
    'data of 2^32 - 1 bytes',
    concat(u32(0), u32(4), u32(1), u16(0x0b), bytes(32), u32(0xffffffff)),
    'log.truncated event 0.event',
  ],
  ['half a header', concat(u32(0), u16(4)), 'log.truncated event 0.eventType'],
  ['one byte', bytes(1), 'log.truncated event 0.pcrIndex'],
])('an event with %s is refused at once', (_, event, expected) => {
  const started = process.hrtime.bigint();
  expect(refusal(concat(specIdEvent([SHA256]), event))).toBe(expected);
  expect(Number(process.hrtime.bigint() - started) / 1e6).toBeLessThan(200);
});

test('a log may be of its limit in bytes, events and data of an event, and no larger', () => {
  const empty = agileLog([]);
  const rest = LOG_LIMITS.firmwareBytes - empty.length;
  const eventOf = (length: number): Uint8Array =>
    agileEvent({ pcr: 0, type: 'EV_POST_CODE', data: bytes(length), hashed: bytes(0) });
  const overhead = eventOf(0).length;
  const large = eventOf(LOG_LIMITS.eventBytes);
  const last = rest - 3 * large.length - overhead;
  expect(refusal(concat(empty, large, large, large, eventOf(last)))).toBe('read');
  expect(refusal(concat(empty, large, large, large, eventOf(last + 1)))).toBe('log.too_large log');
  expect(refusal(concat(empty, eventOf(LOG_LIMITS.eventBytes + 1)))).toBe('log.event_too_large event 0.eventSize');
  const one = agileEvent(separator(0));
  const many = (count: number): Uint8Array => concat(empty, ...Array.from({ length: count }, () => one));
  expect(refusal(many(LOG_LIMITS.firmwareEvents))).toBe('read');
  expect(refusal(many(LOG_LIMITS.firmwareEvents + 1))).toBe(
    `log.too_many_events event ${LOG_LIMITS.firmwareEvents}.log`,
  );
});

test('padding is for a dump alone, and whole', () => {
  const log = agileLog([separator(1)]);
  for (const byte of [0x00, 0xff]) {
    expect(refusal(concat(log, bytes(1000, byte)))).toMatch(/^log\./);
    for (const length of [0, 1, 7, 8, 1000]) expect(refusal(concat(log, bytes(length, byte)), true)).toBe('read');
    expect(refusal(concat(log, bytes(8, byte), ascii('x')), true)).toBe('log.truncated event 1.padding');
  }
  expect(refusal(concat(log, ascii('x')), true)).toMatch(/^log\.truncated/);
  const dump = readBootLog(concat(specIdEvent([SHA256], { pcr: 1 }), agileEvent(separator(1)), bytes(9)), {
    areaDump: true,
  });
  expect(dump).toMatchObject({ registers: 'measurement-register', standings: [], proven: false });
  expect(Object.values(dump.claims).every((claim) => 'withheld' in claim)).toBe(true);
});

test('the input may be used again', () => {
  // A Buffer's slice is no copy.
  const input = Buffer.from(agileLog(GRUB_BOOT));
  const log = readBootLog(input);
  const before = log.events.map(({ event }) => event.log === 'firmware' && hex(event.data));
  input.fill(0);
  expect(log.events.map(({ event }) => event.log === 'firmware' && hex(event.data))).toEqual(before);
});

test('every bank is replayed, and the values of several are compared', () => {
  const log = agileLog(GRUB_BOOT, ['sha1', 'sha256', 'sha384', 'sha512']);
  const read = readBootLog(log);
  expect(read.replays.map(({ bank }) => bank.name)).toEqual(['sha1', 'sha256', 'sha384', 'sha512']);
  expect(read.bank?.name).toBe('sha256');
  const sha1 = new Map([...(read.replays[0]?.pcrs ?? [])].map(([pcr, { value = bytes(20) }]) => [pcr, value]));
  const both = readBootLog(log, {
    pcrValues: new Map([
      ['sha1', sha1],
      ['sha256', extended(GRUB_BOOT)],
    ]),
  });
  expect(both.problems).toEqual([]);
  sha1.set(7, bytes(20));
  const wrong = readBootLog(log, {
    pcrValues: new Map([
      ['sha1', sha1],
      ['sha256', extended(GRUB_BOOT)],
    ]),
  });
  expect(wrong.problems.map(({ message }) => message)).toEqual(['sha1: the log does not replay to the value of PCR 7']);
  const none = readBootLog(log, { pcrValues: new Map([['sm3_256', new Map()]]) });
  expect(none.problems.map(({ code }) => code)).toEqual(['bank.missing']);
  expect(none).toMatchObject({ proven: false, bank: undefined });
});
