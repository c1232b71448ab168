import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type LivePolicy, readLivePolicy } from '../../src/server-plugin/live-policy.ts';
import { serverPlugin } from '../../src/server-plugin/spire-plugin.ts';
import { createLogger } from '../../src/spire/logger.ts';
import { mintEkChain, pem } from '../support/pki.ts';

const HASH = '0123456789abcdef'.repeat(4);
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hashes-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const configure = (hcl: string): LivePolicy =>
  readLivePolicy('example.org', hcl, { reloaded: () => {}, failed: () => {} });
const configured = () => configure(`hash_path = ${JSON.stringify(folder)}`);
const list = (...names: string[]) => {
  for (const name of names) writeFileSync(join(folder, name), '');
};

test('a folder of hashes with hidden files beside them is no reason to warn', () => {
  list(HASH, '.keep');
  mkdirSync(join(folder, '..data'));
  expect(configured().warnings).toEqual([]);
});

test.each([
  ['in upper case', HASH.toUpperCase()],
  ['too short', HASH.slice(1)],
  ['with something behind it', `${HASH}.txt`],
])('a name %s is warned of, and is not found', (_, name) => {
  list(name);
  const live = configured();
  const { policy } = live.current();
  const { warnings } = live;
  expect(warnings).toEqual([
    `hash_path: "${name}" will never be found: a name is 64 hexadecimal digits in lower case, as "tpm-attestor ek hash" prints it`,
  ]);
  expect(policy.isListed?.(HASH)).toBe(false);
});

test('of many such names one is given', () => {
  list('README', 'b', 'c', HASH);
  const { warnings } = configured();
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/^hash_path: "(README|b|c)" and 2 more will never be found/);
});

test.each(['ca_path', 'hash_path'])('%s that is not there is named once, in plain words', (option) => {
  const missing = join(folder, 'nonesuch');
  expect(() => configure(`${option} = ${JSON.stringify(missing)}`)).toThrow(
    `"${option}" cannot be used: ${missing}: no such file or directory`,
  );
});

test('paths that hold nothing of use are named with what is wrong', () => {
  list('file');
  const file = JSON.stringify(join(folder, 'file'));
  expect(() => configure(`ca_path = ${file}`)).toThrow(/file: holds no certificate that can be/);
  expect(() => configure(`hash_path = "/dev/null"`)).toThrow(/\/dev\/null is not a regular file/);
});

test('CAs without a word on machines are warned of at Configure, and at Validate in the log alone; hashes are not', async () => {
  const caPath = join(folder, 'ca.pem');
  writeFileSync(caPath, pem(mintEkChain().root.der));
  const hcl = `ca_path = ${JSON.stringify(caPath)}`;
  const everyTpm = expect.stringContaining('ca_path admits every TPM that its CAs ever certified');
  expect(configure(hcl).warnings).toEqual([everyTpm]);
  expect(configured().warnings).toEqual([expect.not.stringContaining('every TPM')]);

  const messages: string[] = [];
  const { config } = serverPlugin(
    createLogger({ write: ({ level, message }) => messages.push(`${level}: ${message}`) }),
  );
  // SPIRE takes every note for a mistake.
  expect(await config.validate({ trustDomain: 'example.org' }, hcl)).toEqual([]);
  expect(messages).toEqual([everyTpm]);
});
