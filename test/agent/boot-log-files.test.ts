/** The boot logs of a machine: read to their end, or missing for a reason that the operator learns with its remedy. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BOOT_LOG_FILES, readBootLogs } from '../../src/agent/logs/boot-log-files.ts';
import { answerLogRequest } from '../../src/agent/logs/log-answers.ts';
import { LOG_BYTES } from '../../src/evidence/boot-logs.ts';
import { decodeLogPart, encodeLogRequest } from '../../src/evidence/messages.ts';

let folder: string;
const path = (name: string): string => join(folder, name);
const signal = new AbortController().signal;
const readOne = async (firmware: string) => {
  const [log] = await readBootLogs([1], { ...BOOT_LOG_FILES, firmware }, signal);
  return log;
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'boot-logs-'));
  writeFileSync(path('log'), 'firmware');
  writeFileSync(path('userspace'), 'userspace');
  writeFileSync(path('most'), Buffer.alloc(LOG_BYTES));
  writeFileSync(path('more'), Buffer.alloc(LOG_BYTES + 1));
  mkdirSync(path('folder'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('are read in the order in which the challenge names them', async () => {
  const files = { firmware: path('log'), userspace: path('userspace') };
  const logs = await readBootLogs([2, 1], files, signal);
  expect(logs.map(({ number, bytes }) => [number, Buffer.from(bytes).toString()])).toEqual([
    [2, 'userspace'],
    [1, 'firmware'],
  ]);
  expect(await readBootLogs([], files, signal)).toEqual([]);
});

test('a file of securityfs and procfs, which has size 0, is read to its end', async () => {
  expect((await readOne('/proc/self/status'))?.bytes.length).toBeGreaterThan(100);
});

test('a log of 1 MiB is read, and a longer one is not', async () => {
  expect((await readOne(path('most')))?.bytes).toHaveLength(LOG_BYTES);
  expect(await readOne(path('more'))).toMatchObject({ missing: 'too-large', bytes: new Uint8Array() });
});

describe('a log is missing, with what to do,', () => {
  test.each([
    { what: 'where there is no such file', name: 'none', missing: 'absent', remedy: 'set firmware_log to its path' },
    { what: 'below a file', name: 'log/none', missing: 'absent', remedy: 'set firmware_log to its path' },
    {
      what: 'where the path is a folder',
      name: 'folder',
      missing: 'unreadable',
      remedy: 'set firmware_log to a regular file',
    },
  ])('$what', async ({ name, missing, remedy }) => {
    expect(await readOne(path(name))).toMatchObject({ missing, note: expect.stringContaining(remedy) });
  });

  test.skipIf(process.getuid?.() !== 0)('where only root may read it', async () => {
    writeFileSync(path('secret'), 'log', { mode: 0o600 });
    chmodSync(folder, 0o755);
    process.seteuid?.('nobody');
    try {
      const note = expect.stringMatching(/EACCES.*LoadCredential=.*set firmware_log/);
      expect(await readOne(path('secret'))).toMatchObject({ missing: 'forbidden', note });
    } finally {
      process.seteuid?.(0);
    }
  });

  test('where the server asks for one that this release does not know', async () => {
    const [log] = await readBootLogs([9], BOOT_LOG_FILES, signal);
    expect(log).toMatchObject({ number: 9, missing: 'unknown', note: expect.stringContaining('update the agent') });
  });
});

describe('a request', () => {
  const logs = [{ number: 1, bytes: Uint8Array.of(1, 2, 3), missing: undefined, note: undefined }];
  const answer = (log: number, offset: number, maxBytes: number) =>
    decodeLogPart(answerLogRequest(encodeLogRequest({ log, offset, maxBytes }), logs));

  test('is answered with at most as many bytes as the server takes', () => {
    expect(answer(1, 0, 2)).toEqual({ log: 1, offset: 0, total: 3, data: Uint8Array.of(1, 2), missing: '' });
    expect(answer(1, 2, 2).data).toEqual(Uint8Array.of(3));
    expect(answer(1, 3, 2).data).toEqual(new Uint8Array());
  });

  test('for a log that the challenge does not name, or beyond its end, is malformed', () => {
    expect(() => answer(2, 0, 2)).toThrow('the challenge does not name log 2');
    expect(() => answer(1, 4, 2)).toThrow("4 is beyond the log's 3 bytes");
  });
});
