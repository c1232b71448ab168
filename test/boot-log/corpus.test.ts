/** Public event logs against what an independent reader made of them. */
import { expect, test } from 'vitest';
import { replay } from '../../src/boot-log/replay/replay.ts';
import type { Bank } from '../../src/boot-log/tcg/banks.ts';
import { bindingOf } from '../../src/boot-log/tcg/binding.ts';
import { eventTypeName } from '../../src/boot-log/tcg/event-types.ts';
import { type FirmwareLog, readFirmwareLog } from '../../src/boot-log/tcg/log.ts';
import { MalformedLogError } from '../../src/boot-log/tcg/malformed-log.ts';
import { hex } from '../../src/bytes/bytes.ts';
import { describeCorpus } from '../support/corpus.ts';
import { CORPUS_LOGS, type CorpusLog, corpusLog } from '../support/event-log-corpus.ts';

function valuesOf({ events }: FirmwareLog, bank: Bank): Readonly<Record<string, string>> {
  const { pcrs } = replay(events, bank);
  return Object.fromEntries(
    [...pcrs].flatMap(([pcr, { value }]) => (value === undefined ? [] : [[`${pcr}`, hex(value)]])),
  );
}

function read({ file, kind }: CorpusLog): FirmwareLog {
  return readFirmwareLog(corpusLog(file), kind === 'ccel');
}

describeCorpus('event logs of the corpus', () => {
  const readable = CORPUS_LOGS.filter(({ kind, expected }) => kind === 'ccel' || expected.parse !== 'reject');
  const rejected = CORPUS_LOGS.filter(({ expected }) => expected.parse === 'reject');

  test.each(readable)('$file has the events and types of the manifest', (row) => {
    const log = read(row);
    expect(log.format).toBe(row.format);
    expect(log.banks.map(({ name }) => name)).toEqual(row.banks);
    expect(log.events.length).toBe(row.events);
    expect(log.specId ?? null).toEqual(row.spec === null ? null : expect.objectContaining(row.spec));
    const types: Record<string, number> = {};
    for (const { type } of log.events) {
      const name = eventTypeName(type) ?? '';
      types[name] = (types[name] ?? 0) + 1;
    }
    expect(types).toEqual(row.types);
  });

  test.each(readable)('$file replays to the values of the manifest in every bank', (row) => {
    const log = read(row);
    const expected = row.pcrs ?? row.registers ?? {};
    for (const bank of log.banks) {
      const values = expected[bank.name];
      // The manifest's reader has no SM3.
      if (values !== null) expect([bank.name, valuesOf(log, bank)]).toEqual([bank.name, values]);
    }
  });

  test.each(readable.filter(({ boundEvents, kind }) => kind === 'tpm' && boundEvents !== undefined))(
    '$file binds as many events as the manifest says',
    (row) => {
      const log = read(row);
      const bank = log.banks.find(({ name }) => name === 'sha256') ?? log.banks[0];
      const bound = log.events.filter((event) => bank !== undefined && bindingOf(event, bank) !== undefined);
      expect(bound.length).toBe(row.boundEvents);
    },
  );

  test.each(rejected)('$file is refused as the log of a TPM', ({ file }) => {
    expect(() => readFirmwareLog(corpusLog(file), false)).toThrow(MalformedLogError);
  });
});
