/** `hash_path`, a folder or a file, and what is said of paths at all when the plugin is configured. */
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readHashList } from '../../src/policy/hash-list.ts';
import { serverPlugin } from '../../src/server-plugin/server-plugin.ts';
import { createLogger } from '../../src/spire/log/logger.ts';
import { openPolicy } from '../support/live-policy.ts';
import { mintEkChain, pem } from '../support/pki.ts';

const HASH = '0123456789abcdef'.repeat(4);
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hashes-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const configured = () => openPolicy(`hash_path = ${JSON.stringify(folder)}`);
const list = (...names: string[]) => {
  for (const name of names) writeFileSync(join(folder, name), '');
};

test('a folder of hashes with hidden files beside them is no reason to warn', async () => {
  list(HASH, '.keep');
  mkdirSync(join(folder, '..data'));
  expect((await configured()).warnings).toEqual([]);
});

test.each([
  ['in upper case', HASH.toUpperCase()],
  ['too short', HASH.slice(1)],
  ['with something behind it', `${HASH}.txt`],
])('a name %s is warned of, and is not found', async (_, name) => {
  list(name);
  const live = await configured();
  const { policy } = live.current();
  const { warnings } = live;
  expect(warnings).toEqual([
    `hash_path: "${name}" can admit no machine: its name must be 64 hexadecimal digits in lower case, as "tpm-attestor ek hash" prints it`,
  ]);
  expect(policy.isListed?.(HASH)).toBe(false);
});

test('of many such names one is given', async () => {
  list('README', 'b', 'c', HASH);
  const { warnings } = await configured();
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/^hash_path: "(README|b|c)" and 2 more can admit no machine/);
});

const OTHER = 'fedcba9876543210'.repeat(4);

test('of a folder the file of that name admits, and neither a folder nor another file does', () => {
  list(HASH);
  mkdirSync(join(folder, OTHER));
  const { isListed } = readHashList(folder);
  expect([HASH, OTHER, '0'.repeat(64)].map(isListed)).toEqual([true, false, false]);
  // Looked up at each question.
  rmSync(join(folder, HASH));
  list('0'.repeat(64));
  expect([HASH, '0'.repeat(64)].map(isListed)).toEqual([false, true]);
});

test('a folder that has gone does not pass for one without the hash', () => {
  const below = join(folder, 'below');
  mkdirSync(below);
  const { isListed } = readHashList(below);
  expect(isListed(HASH)).toBe(false);
  rmSync(below, { recursive: true });
  expect(() => isListed(HASH)).toThrow('ENOENT');
});

describe('a file of hashes', () => {
  const read = (text: string | Uint8Array) => {
    writeFileSync(join(folder, 'list'), text);
    return readHashList(join(folder, 'list'));
  };

  test.each([
    ['one to a line', `${HASH}\n${OTHER}\n`],
    ['no line end at the last', `${HASH}\n${OTHER}`],
    ['Windows line ends', `${HASH}\r\n${OTHER}\r\n`],
    ['a byte order mark', `\ufeff${HASH}\n${OTHER}\n`],
    ['comments and blank lines', `# fleet\n\n  \t\n${HASH} # edge-1\n${OTHER}# edge-2\n`],
    ['names behind', `  ${HASH} # edge-1, Münster\n${OTHER}\t# edge-2\n`],
    ['the same twice', `${HASH}\n${HASH}\n${OTHER}\n`],
  ])('has two entries with %s', (_, text) => {
    const { isListed, warnings } = read(text);
    expect(warnings).toEqual([]);
    expect([HASH, OTHER, HASH.toUpperCase(), ''].map(isListed)).toEqual([true, true, false, false]);
  });

  test.each([
    ['in upper case', HASH.toUpperCase()],
    ['too short', HASH.slice(1)],
    ['with a comma', `${HASH},edge-1`],
    ['behind a word', `edge ${HASH}`],
    ['in front of a word', `${HASH} edge`],
  ])('has no entry in a line with a hash %s, and says so', (_, line) => {
    const { isListed, warnings } = read(`${OTHER}\n${line}\n`);
    expect([HASH, OTHER].map(isListed)).toEqual([false, true]);
    expect(warnings).toEqual([
      `line 2 (${JSON.stringify(line.slice(0, 80))}) can admit no machine: a line must be 64 hexadecimal digits in lower case, as "tpm-attestor ek hash" prints it, with names after a #`,
    ]);
  });

  test('names three of many such lines, shows what does no harm to a terminal, and lists nobody by an empty one', () => {
    const { warnings } = read(`\u001b[2J\n${'x'.repeat(500)}\nb\nc\nd\n`);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^line 1 \("\\u001b\[2J"\), line 2 \("x{80}"\), line 3 \("b"\) and 2 more can admit no machine/,
      ),
    ]);
    expect(read('').isListed('')).toBe(false);
  });

  test('is read up to 256 MiB', () => {
    read(`${HASH}\n`);
    truncateSync(join(folder, 'list'), 256 * 1024 * 1024 + 1);
    expect(() => readHashList(join(folder, 'list'))).toThrow('list is larger than 268435456 bytes');
  });
});

test.each(['ca_path', 'hash_path'])('%s that is not there is named once, in plain words', async (option) => {
  const missing = join(folder, 'nonesuch');
  await expect(openPolicy(`${option} = ${JSON.stringify(missing)}`)).rejects.toThrow(
    `"${option}" cannot be used: ${missing}: no such file or directory`,
  );
});

test('paths that hold nothing of use are named with what is wrong', async () => {
  list('file');
  const file = JSON.stringify(join(folder, 'file'));
  await expect(openPolicy(`ca_path = ${file}`)).rejects.toThrow(/file: holds no certificate that can be/);
  await expect(openPolicy(`hash_path = "/dev/null"`)).rejects.toThrow(/\/dev\/null is not a regular file/);
});

test('CAs without a word on machines are warned of at Configure, and at Validate in the log alone; hashes are not', async () => {
  const caPath = join(folder, 'ca.pem');
  writeFileSync(caPath, pem(mintEkChain().root.der));
  const hcl = `ca_path = ${JSON.stringify(caPath)}`;
  const everyTpm = expect.stringContaining('the server admits every TPM that the CAs ever certified');
  expect((await openPolicy(hcl)).warnings).toEqual([everyTpm]);
  expect((await configured()).warnings).toEqual([expect.not.stringContaining('every TPM')]);

  const messages: string[] = [];
  const { config } = serverPlugin(
    createLogger({ write: ({ level, message }) => messages.push(`${level}: ${message}`) }),
  );
  // SPIRE takes every note for a mistake.
  expect(await config.validate({ trustDomain: 'example.org' }, hcl)).toEqual([]);
  expect(messages).toEqual([everyTpm]);
});
