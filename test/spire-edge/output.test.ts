/** Text for a reader that is slow or goes away. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Output } from '../../src/spire/log/output.ts';

/** More than a stack holds, if each took some. */
const MANY = 40_000;

let folder: string;
let reader: number;
let writer: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'output-'));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  expect(() => {
    for (;;) writeSync(writer, Buffer.alloc(4096));
  }).toThrow('EAGAIN');
});
afterEach(() => {
  closeSync(writer);
  rmSync(folder, { recursive: true, force: true });
});

test('however much waits when the reader goes away, it is given up', async () => {
  const output = new Output(writer);
  for (let i = 0; i < MANY; i++) output.write(`${i}\n`);
  closeSync(reader);
  expect(await output.flushed()).toBe(false);
  expect(output.failure?.code).toBe('EPIPE');
  // It is not stuck: what comes later is tried as well.
  output.write('later');
  expect(await output.flushed()).toBe(false);
});
