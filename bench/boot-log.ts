/** A firmware log of one megabyte, parsed and replayed, beside tpm2_eventlog and go-attestation. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readBootLog } from '../src/boot-log/boot-log.ts';
import { replay } from '../src/boot-log/replay/replay.ts';
import { type Bank, bankByName } from '../src/boot-log/tcg/banks.ts';
import { LOG_LIMITS } from '../src/boot-log/tcg/limits.ts';
import { readFirmwareLog } from '../src/boot-log/tcg/log.ts';
import { equalBytes } from '../src/bytes/bytes.ts';
import { agileLog, extended, GRUB_BOOT, grub, type WrittenEvent } from '../test/support/event-log-writer.ts';
import { commandTime } from './chain-peers.ts';
import { askGoPeer, buildGoPeer } from './go-peer.ts';
import { type Row, withRatios } from './row.ts';
import { Stopwatch, type Timing } from './stopwatch.ts';

const ROUNDS = 9;
/** Of each string: what GRUB scripts have. As many as the limits of a log allow. */
const STRING_CHARS = 160;
const OURS = 'event log: parsed and replayed';
const GO = 'go-attestation: ParseEventLog and Verify';
const TOOLS = 'tpm2_eventlog, the whole command';

interface Place {
  readonly root: URL;
  readonly folder: string;
}

export async function measure({ root, folder }: Place): Promise<readonly Row[]> {
  const events = largestLog();
  const log = agileLog(events);
  const values = extended(events);
  const sha256 = bankByName('sha256') as Bank;
  const watch = new Stopwatch({
    [OURS]: () => {
      const { pcrs } = replay(readFirmwareLog(log, false).events, sha256);
      for (const [pcr, { value }] of pcrs)
        if (value === undefined || !equalBytes(value, values.get(pcr) ?? value)) throw new Error(`PCR ${pcr} differs`);
    },
    'with bindings and claims': () => {
      if (readBootLog(log, { pcrValues: new Map([['sha256', values]]) }).problems.length > 0)
        throw new Error('the log does not replay');
    },
  });
  const [logFile, vectorFile] = [join(folder, 'log.bin'), join(folder, 'log.json')];
  writeFileSync(logFile, log);
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  writeFileSync(vectorFile, JSON.stringify({ log: base64(log), pcr_values: [...values.values()].map(base64) }));
  const go = await buildGoPeer(root, folder, 'event-log');
  const unable = new Map<string, string>(typeof go === 'string' ? [[GO, go]] : []);
  for (let i = 0; i < ROUNDS; i++) {
    watch.round();
    if (typeof go !== 'string') watch.note(GO, (await askGoPeer(go.path, vectorFile)).first);
    if (!unable.has(TOOLS))
      await commandTime(['tpm2_eventlog', logFile], 1).then(
        (time) => watch.note(TOOLS, time),
        (error: Error) => unable.set(TOOLS, error.message),
      );
  }
  const row = (name: string, of: string | null, from: string = name): Omit<Row, 'ratio'> => {
    const note = unable.get(from);
    const { value, best }: Timing | { value: null; best: null } =
      note === undefined ? watch.timing(from) : { value: null, best: null };
    return { name, value, best, unit: 'µs', of, ...(note === undefined ? {} : { note }) };
  };
  const SLOWER = 'hashes of a few bytes cost more through node:crypto';
  return withRatios([
    row(TOOLS, null),
    row(GO, null),
    { ...row(OURS, GO), target: { most: 1, otherwise: SLOWER } },
    { ...row(`${OURS}, by the command`, TOOLS, OURS), target: { most: 0.2, otherwise: SLOWER } },
    row('with bindings and claims', GO),
  ]);
}

function largestLog(): readonly WrittenEvent[] {
  const events = [...GRUB_BOOT];
  const one = grub('grub_cmd', 'x'.repeat(STRING_CHARS));
  const bytes = agileLog([one]).length - agileLog([]).length;
  const room = Math.floor((LOG_LIMITS.firmwareBytes - agileLog(events).length) / bytes);
  const count = Math.min(room, LOG_LIMITS.firmwareEvents - events.length);
  for (let i = 0; i < count; i++) events.push(grub('grub_cmd', `${i}`.padEnd(STRING_CHARS, 'x')));
  return events;
}
