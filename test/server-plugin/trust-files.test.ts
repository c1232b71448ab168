import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readTrustStore } from '../../src/server-plugin/trust-files.ts';
import { mintEkChain, pem } from '../support/pki.ts';

const folder = mkdtempSync(join(tmpdir(), 'trust-files-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);
const { root, intermediate } = mintEkChain();

function fifo(name: string): string {
  execFileSync('mkfifo', [path(name)]);
  return path(name);
}

test('reads a file, a link to one, and the files of a folder without what editors and mounts leave there', () => {
  mkdirSync(path('folder/below'), { recursive: true });
  writeFileSync(path('folder/root.pem'), pem(root.der));
  writeFileSync(path('folder/intermediate.der'), intermediate.der);
  writeFileSync(path('folder/.hidden.pem'), 'x');
  fifo('folder/pipe');
  symlinkSync(path('folder/root.pem'), path('link.pem'));
  expect(readTrustStore(path('folder')).problems).toEqual([]);
  expect(readTrustStore(path('folder')).anchors.certificates).toHaveLength(2);
  expect(readTrustStore(path('link.pem')).anchors.certificates).toHaveLength(1);
});

test('refuses a device, and a pipe that nobody writes into, and waits for neither', () => {
  expect(() => readTrustStore('/dev/zero')).toThrow('/dev/zero is not a regular file');
  expect(() => readTrustStore(fifo('pipe'))).toThrow(/pipe is not a regular file/);
});

test('reads 16 MiB and not a byte more, whatever size the file says it has', () => {
  const file = path('large.pem');
  writeFileSync(file, pem(root.der));
  truncateSync(file, 16 * 1024 * 1024);
  expect(readTrustStore(file).anchors.certificates).toHaveLength(1);
  truncateSync(file, 16 * 1024 * 1024 + 1);
  expect(() => readTrustStore(file)).toThrow(/large.pem is larger than 16777216 bytes/);
  // A regular file of size 0 that goes on and on.
  expect(() => readTrustStore('/proc/self/pagemap')).toThrow('is larger than');
});
