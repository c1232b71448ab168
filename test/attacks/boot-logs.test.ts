/** Pieces of boot logs that the server did not ask for: it keeps nothing of them, whoever sends them. */
import { test } from 'vitest';
import { LOG_BYTES } from '../../src/evidence/boot-logs.ts';
import { LOG_PART_BYTES } from '../../src/evidence/limits.ts';
import type { LogPart } from '../../src/evidence/messages.ts';
import { useJudge } from '../support/judge.ts';
import { softwareDevice } from '../support/software-device.ts';

const judge = useJudge({ config: 'boot_logs = ["firmware"]' });
const zeros = (count: number): Uint8Array => new Uint8Array(count);

test('A77 refuses a boot log of more than 1 MiB', async () => {
  const ofLength = (total: number) => ({
    logPart: (part: LogPart) => ({ ...part, total, data: zeros(Math.min(part.data.length, total - part.offset)) }),
  });
  await judge.refuses(ofLength(LOG_BYTES + 1), 'boot.log_malformed');
  await judge.admits(softwareDevice(), ofLength(LOG_BYTES));
});

test('A78 refuses a piece that is longer than the server asked for, or than its log', async () => {
  const most = { logPart: (part: LogPart) => ({ ...part, total: LOG_BYTES, data: zeros(LOG_PART_BYTES) }) };
  await judge.admits(softwareDevice(), most);
  await judge.refuses({ logPart: (part) => ({ ...part, data: zeros(LOG_PART_BYTES + 1) }) }, 'boot.log_malformed');
  await judge.refuses({ logPart: (part) => ({ ...part, total: part.data.length - 1 }) }, 'boot.log_malformed');
});

test('A86 refuses pieces without a byte, which would never come to an end', async () => {
  await judge.refuses({ logPart: (part) => ({ ...part, data: zeros(0) }) }, 'boot.log_malformed');
  await judge.admits(softwareDevice(), { logPart: (part) => ({ ...part, total: 0, data: zeros(0) }) });
});

test('A42 refuses a piece of another log, from another place, or of a log that changes under way', async () => {
  await judge.refuses({ logPart: (part) => ({ ...part, log: 2 }) }, 'boot.log_malformed');
  await judge.refuses({ logPart: (part) => ({ ...part, offset: 1 }) }, 'boot.log_malformed');
  const growing = (part: LogPart): LogPart => ({ ...part, total: LOG_BYTES - part.offset });
  await judge.refuses({ logPart: growing }, 'boot.log_malformed');
  await judge.refuses({ logPart: (part) => ({ ...part, missing: 'absent' }) }, 'boot.log_malformed');
  await judge.admits(softwareDevice(), {
    logPart: (part) => ({ ...part, total: 0, data: zeros(0), missing: 'absent' }),
  });
});
