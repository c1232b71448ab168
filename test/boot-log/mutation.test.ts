/** Whatever happens to a log: it is refused, or it says nothing false. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BootLog, readBootLog } from '../../src/boot-log/boot-log.ts';
import type { BootClaims } from '../../src/boot-log/claims/claims.ts';
import { eventText } from '../../src/boot-log/event-text.ts';
import { MalformedLogError } from '../../src/boot-log/tcg/malformed-log.ts';
import { readSignatureLists } from '../../src/boot-log/tcg/signature-list.ts';
import { concat, hex } from '../../src/bytes/bytes.ts';
import { corpusRows, describeCorpus, readCorpusBytes } from '../support/corpus.ts';
import { CORPUS_LOGS, corpusLog, recordedPcrs } from '../support/event-log-corpus.ts';
import {
  agileLog,
  dbHash,
  extended,
  GRUB_BOOT,
  PHASES,
  SHA256_TYPE,
  sha1Log,
  signatureList,
  UKI_BOOT,
  userspaceLog,
  type WrittenEvent,
} from '../support/event-log-writer.ts';
import { mutated } from '../support/mutation.ts';

const RUNS = { numRuns: 500 };

function readOrRefused(firmware: Uint8Array, options: Parameters<typeof readBootLog>[1]): BootLog | undefined {
  try {
    return readBootLog(firmware, options);
  } catch (error) {
    if (error instanceof MalformedLogError) return undefined;
    throw error;
  }
}

/** A change of a log may withhold claims. It may not give another one. */
function expectNothingFalse(changed: BootLog, honest: BootLog): void {
  for (const name of Object.keys(honest.claims) as (keyof BootClaims)[])
    if ('value' in changed.claims[name] && !isDeepStrictEqual(changed.claims[name], honest.claims[name]))
      expect([name, changed.claims[name]]).toEqual([name, honest.claims[name]]);
}

const BOOTS = [
  ['GRUB', GRUB_BOOT, []],
  ['a unified kernel image', UKI_BOOT, PHASES],
] as const;

test.each(BOOTS)('no change of the firmware log of a boot by %s changes a proven claim', (_, events, words) => {
  const log = agileLog(events);
  const options = { userspace: userspaceLog(words), pcrValues: new Map([['sha256', extended(events, words)]]) };
  const honest = readBootLog(log, options);
  fc.assert(
    fc.property(mutated(log), (bytes) => {
      const changed = readOrRefused(bytes, options);
      if (changed !== undefined) expectNothingFalse(changed, honest);
    }),
    RUNS,
  );
});

test('no change of the log of systemd changes a proven claim', () => {
  const log = agileLog(UKI_BOOT);
  const pcrValues = new Map([['sha256', extended(UKI_BOOT, PHASES)]]);
  const honest = readBootLog(log, { userspace: userspaceLog(PHASES), pcrValues });
  fc.assert(
    fc.property(mutated(userspaceLog(PHASES)), (userspace) => {
      const changed = readOrRefused(log, { userspace, pcrValues });
      if (changed !== undefined) expectNothingFalse(changed, honest);
    }),
    RUNS,
  );
});

test('no single byte of a firmware log changes a proven claim, tried at every third', () => {
  const log = agileLog(UKI_BOOT);
  const options = { pcrValues: new Map([['sha256', extended(UKI_BOOT)]]) };
  const honest = readBootLog(log, options);
  for (let at = 0; at < log.length; at += 3) {
    const changed = readOrRefused(log.with(at, (log[at] ?? 0) ^ 0x01), options);
    if (changed !== undefined) expectNothingFalse(changed, honest);
  }
});

test('leaving out, doubling or swapping events changes no proven claim', () => {
  const options = { pcrValues: new Map([['sha256', extended(GRUB_BOOT)]]) };
  const honest = readBootLog(agileLog(GRUB_BOOT), options);
  for (const [i, event] of GRUB_BOOT.entries()) {
    for (const events of [GRUB_BOOT.toSpliced(i, 1), GRUB_BOOT.toSpliced(i, 0, event)])
      expectNothingFalse(readBootLog(agileLog(events), options), honest);
    for (const [j, other] of GRUB_BOOT.entries())
      expectNothingFalse(readBootLog(agileLog(GRUB_BOOT.with(i, other).with(j, event)), options), honest);
  }
});

test('any bytes are refused or read, and every event has a text', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated(sha1Log(GRUB_BOOT))),
      fc.boolean(),
      (bytes, areaDump) => {
        for (const { event } of readOrRefused(bytes, { areaDump })?.events ?? [])
          expect(typeof eventText(event)).toBe('string');
      },
    ),
    RUNS,
  );
});

test('any bytes are signature lists whose entries are as long as the bytes, or none', () => {
  const seed = concat(signatureList(SHA256_TYPE, [dbHash(1), dbHash(2)]), signatureList(SHA256_TYPE, [dbHash(3)]));
  fc.assert(
    fc.property(mutated(seed), (bytes) => {
      const entries = readSignatureLists(bytes);
      if (typeof entries === 'string') return;
      const inside = entries.reduce((sum, { data }) => sum + 16 + data.length, 0);
      expect(inside).toBeLessThanOrEqual(bytes.length);
    }),
    RUNS,
  );
});

test('what a log replays to is what its events extend, in any number and order', () => {
  const event = fc.record({
    pcr: fc.integer({ min: 0, max: 23 }),
    type: fc.constantFrom<WrittenEvent['type']>(
      'EV_IPL',
      'EV_SEPARATOR',
      'EV_NO_ACTION',
      'EV_POST_CODE',
      'EV_EFI_ACTION',
      0x99,
    ),
    data: fc.uint8Array({ maxLength: 40 }),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      const values = extended(events);
      const log = readBootLog(agileLog(events), { pcrValues: new Map([['sha256', values]]) });
      for (const [pcr, { value }] of log.replays[0]?.pcrs ?? [])
        expect([pcr, value && hex(value)]).toEqual([pcr, hex(values.get(pcr) ?? new Uint8Array())]);
      expect(log.problems.filter(({ code }) => code === 'pcr.mismatch')).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

describeCorpus('mutations of real logs', () => {
  const rows = corpusRows<'logs', { readonly file: string }>('event-logs/manifest.json', 'logs');
  const small = rows.flatMap(({ file }) => {
    const bytes = corpusLog(file);
    return bytes.length > 0 && bytes.length < 60_000 ? [bytes] : [];
  });

  test('are refused or read', () => {
    expect(CORPUS_LOGS.length).toBe(rows.length);
    fc.assert(
      fc.property(mutated(...small), fc.boolean(), (bytes, areaDump) => {
        readOrRefused(bytes, { areaDump });
      }),
      { numRuns: 300 },
    );
  });

  test('change no proven claim of a recorded boot', () => {
    for (const boot of ['lab/good', 'lab13/a-base']) {
      const firmware = readCorpusBytes(`${boot}/eventlog.bin`);
      const options = { pcrValues: recordedPcrs(`${boot}/pcrs.txt`) };
      const honest = readBootLog(firmware, options);
      fc.assert(
        fc.property(mutated(firmware), (bytes) => {
          const changed = readOrRefused(bytes, options);
          if (changed !== undefined) expectNothingFalse(changed, honest);
        }),
        { numRuns: 300 },
      );
    }
  });
});
