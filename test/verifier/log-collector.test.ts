/** Boot logs that come in pieces: what a server asks for, what it takes, and what ends the attestation. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answerLogRequest } from '../../src/agent/logs/log-answers.ts';
import { MalformedError } from '../../src/bytes/malformed.ts';
import { LOG_BYTES, LOG_NUMBERS, MISSING_LOG } from '../../src/evidence/boot-logs.ts';
import { LOG_PART_BYTES, LOG_PART_ENVELOPE } from '../../src/evidence/limits.ts';
import { decodeLogRequest, encodeLogPart, type LogPart } from '../../src/evidence/messages.ts';
import { LogCollector } from '../../src/verifier/log-collector.ts';

const LARGE = 4 * 1024 * 1024;
const read = (number: number, bytes: Uint8Array) => ({ number, bytes, missing: undefined, note: undefined });

/** Lets an agent with these logs answer until the collector has them all; returns how many rounds it took. */
function collect(collector: LogCollector, logs: Parameters<typeof answerLogRequest>[1]): number {
  let rounds = 0;
  for (let request = collector.request(); request !== undefined; request = collector.request()) {
    collector.take(answerLogRequest(request, logs));
    rounds += 1;
  }
  return rounds;
}

test('logs of any length come whole, in messages below any limit of the server', () => {
  const bytes = fc.uint8Array({ maxLength: 5000 });
  fc.assert(
    fc.property(bytes, bytes, fc.integer({ min: 4096, max: LARGE }), (firmware, userspace, limit) => {
      const collector = new LogCollector(['firmware', 'userspace'], limit);
      const rounds = collect(collector, [read(1, firmware), read(2, userspace)]);
      expect(collector.logs).toEqual(
        new Map([
          ['firmware', { bytes: firmware }],
          ['userspace', { bytes: userspace }],
        ]),
      );
      const pieces = (log: Uint8Array): number =>
        Math.max(1, Math.ceil(log.length / Math.min(LOG_PART_BYTES, limit - 64)));
      expect(rounds).toBe(pieces(firmware) + pieces(userspace));
    }),
  );
});

test('a log of 1 MiB comes in eight pieces, and one byte more is too long', () => {
  const collector = new LogCollector(['firmware'], LARGE);
  expect(collect(collector, [read(1, new Uint8Array(LOG_BYTES))])).toBe(8);
  const another = new LogCollector(['firmware'], LARGE);
  expect(() => collect(another, [read(1, new Uint8Array(LOG_BYTES + 1))])).toThrow('1048577 bytes are over 1048576');
});

test.each(MISSING_LOG)(
  'a log that the agent lacks (%s) is known to be missing, and the next one is asked for',
  (missing) => {
    const collector = new LogCollector(['firmware', 'userspace'], LARGE);
    const none = { number: 1, bytes: new Uint8Array(), missing, note: undefined };
    collect(collector, [none, read(2, Uint8Array.of(7))]);
    expect(collector.logs.get('firmware')).toEqual({ missing });
    expect(collector.logs.get('userspace')).toEqual({ bytes: Uint8Array.of(7) });
  },
);

test('nothing is asked for where no log is wanted', () => {
  expect(new LogCollector([], LARGE).request()).toBeUndefined();
});

describe('a piece is refused', () => {
  const part: LogPart = { log: 1, offset: 0, total: 10, data: new Uint8Array(4), missing: '' };
  const first = (changes: Partial<LogPart> = {}) => encodeLogPart({ ...part, ...changes });
  const begun = (): LogCollector => {
    // Pieces of four bytes.
    const collector = new LogCollector(['firmware'], LOG_PART_ENVELOPE + 4);
    collector.take(first());
    return collector;
  };
  const second = { offset: 4, data: new Uint8Array(4) };

  test('unless it is the next one', () => {
    const collector = begun();
    collector.take(first(second));
    collector.take(first({ offset: 8, data: new Uint8Array(2) }));
    expect(collector.logs.get('firmware')).toEqual({ bytes: new Uint8Array(10) });
  });

  test.each<{ what: string; changes: Partial<LogPart> }>([
    { what: 'of another log', changes: { ...second, log: LOG_NUMBERS.userspace } },
    { what: 'that was there before', changes: { offset: 0 } },
    { what: 'that leaves a gap', changes: { offset: 5, data: new Uint8Array(4) } },
    { what: 'of a log that grew meanwhile', changes: { ...second, total: 11 } },
    { what: 'that goes beyond its log', changes: { ...second, total: 7 } },
    { what: 'without a byte of progress', changes: { ...second, data: new Uint8Array() } },
    { what: 'that is shorter than the server asked for', changes: { ...second, data: new Uint8Array(3) } },
    {
      what: 'that says in the middle that there is no log',
      changes: { offset: 4, total: 0, data: new Uint8Array(), missing: 'absent' },
    },
  ])('$what', ({ changes }) => {
    expect(() => begun().take(first(changes))).toThrow(MalformedError);
  });

  test.each<{ what: string; changes: Partial<LogPart> }>([
    { what: 'with a reason nobody knows', changes: { total: 0, data: new Uint8Array(), missing: 'lost' } },
    { what: 'with a log beside the reason why there is none', changes: { missing: 'absent' } },
  ])('$what', ({ changes }) => {
    expect(() => new LogCollector(['firmware'], LARGE).take(first(changes))).toThrow(MalformedError);
  });

  test('that is longer than the server asked for', () => {
    const collector = new LogCollector(['firmware'], 4096);
    const most = decodeLogRequest(collector.request() ?? new Uint8Array()).maxBytes;
    const sized = (size: number) => first({ total: 9000, data: new Uint8Array(size) });
    expect(() => new LogCollector(['firmware'], 4096).take(sized(most + 1))).toThrow(
      'more or fewer bytes than were asked for',
    );
    collector.take(sized(most));
  });

  test('that nobody asked for', () => {
    expect(() => new LogCollector([], LARGE).take(first())).toThrow('another piece than the one asked for');
  });
});
