import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  linkSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readInput, refuseInputAsOutput, writeOutput, writeSecret } from '../../src/cli/terminal/files.ts';
import { readToolsAk } from '../../src/cli/verify/tools-key.ts';

const folder: string = mkdtempSync(join(tmpdir(), 'files-'));
const path = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function isReadable(name: string): boolean {
  try {
    closeSync(openSync(name, 'r'));
    return true;
  } catch {
    return false;
  }
}

describe('an input file', () => {
  test('is read whole up to its limit, and refused one byte above it', () => {
    writeFileSync(path('most'), Buffer.alloc(4 * 1024 * 1024, 7));
    expect(readInput(path('most'))).toHaveLength(4 * 1024 * 1024);
    writeFileSync(path('more'), Buffer.alloc(4 * 1024 * 1024 + 1));
    expect(() => readInput(path('more'))).toThrow('larger than 4194304 bytes');
  });

  test('that is a device, a pipe or a folder is refused at once', () => {
    execFileSync('mkfifo', [path('fifo')]);
    for (const odd of ['/dev/zero', path('fifo')])
      expect(() => readInput(odd)).toThrow(
        `${odd} cannot be read: it is not a regular file; give - for standard input`,
      );
    expect(() => readInput(folder)).toThrow('cannot be read');
  });

  test.skipIf(!isReadable('/proc/kmsg'))('that would be waited for is refused at once (skipped where none is)', () => {
    // It says that it is a regular file, and has no end. What was logged already may come first.
    expect(() => readInput('/proc/kmsg')).toThrow('/proc/kmsg cannot be read');
  });
});

describe('an output file', () => {
  test('replaces what was there, and leaves nothing beside it', async () => {
    writeFileSync(path('answer'), 'old');
    await writeOutput(path('answer'), 'new');
    expect(readFileSync(path('answer'), 'utf8')).toBe('new');
    expect(readdirSync(folder).filter((name) => name.startsWith('answer'))).toEqual(['answer']);
  });

  test('that is a link is written through it: the link stays one', async () => {
    writeFileSync(path('real'), 'old');
    symlinkSync('real', path('link'));
    await writeOutput(path('link'), 'new');
    expect(readlinkSync(path('link'))).toBe('real');
    expect(readFileSync(path('real'), 'utf8')).toBe('new');
  });

  test.each([0o600, 0o640, 0o666])('keeps the mode of what it replaces: %o', async (mode) => {
    writeFileSync(path('kept'), 'old');
    chmodSync(path('kept'), mode);
    await writeOutput(path('kept'), 'new');
    expect(modeOf('kept')).toBe(mode);
  });

  test('leaves the unfinished file of another run alone', async () => {
    const other = path(`busy.${process.pid}.tmp`);
    writeFileSync(other, 'of another');
    await writeOutput(path('busy'), 'mine');
    expect([readFileSync(path('busy'), 'utf8'), readFileSync(other, 'utf8')]).toEqual(['mine', 'of another']);
  });

  test('that cannot be written is named with the reason', async () => {
    await expect(writeOutput(path('absent/answer'), '')).rejects.toThrow(
      /absent\/answer cannot be written: no such file/,
    );
  });
});

describe('a secret', () => {
  test('is for its owner alone, also where the file before it was for everybody', async () => {
    writeFileSync(path('secret'), 'old');
    chmodSync(path('secret'), 0o644);
    for (const name of ['secret', 'fresh']) {
      await writeSecret(path(name), 'new');
      expect([modeOf(name), readFileSync(path(name), 'utf8')]).toEqual([0o600, 'new']);
    }
  });

  test('goes through no link, dangling or not, and into no pipe', async () => {
    writeFileSync(path('theirs'), 'theirs');
    symlinkSync('theirs', path('trap'));
    symlinkSync('nonesuch', path('dangling'));
    execFileSync('mkfifo', [path('pipe')]);
    for (const name of ['trap', 'dangling', 'pipe'])
      await expect(writeSecret(path(name), 'secret')).rejects.toThrow(
        `${path(name)} cannot be written: a secret goes only into a regular file`,
      );
    expect(readFileSync(path('theirs'), 'utf8')).toBe('theirs');
    expect(readdirSync(folder)).not.toContain('nonesuch');
  });
});

describe('an output that is an input', () => {
  test('is refused by whatever name, and no other file is', () => {
    writeFileSync(path('input'), '');
    symlinkSync('input', path('link-to-input'));
    linkSync(path('input'), path('hard-link'));
    for (const name of ['input', 'link-to-input', 'hard-link', `../${folder.split('/').at(-1)}/input`])
      expect(() => refuseInputAsOutput([path('else'), path(name)], [undefined, path('input')])).toThrow(
        'is also an input of this command; give another file to write',
      );
    writeFileSync(path('other'), '');
    refuseInputAsOutput([path('other'), path('absent'), '-'], [path('input'), path('absent'), undefined]);
    refuseInputAsOutput(['/dev/null'], ['/dev/null']);
  });
});

const modeOf = (name: string): number => statSync(path(name)).mode & 0o777;

/** Any odd number of that size: nobody signs with it, and to find two primes takes up to a minute. */
function rsa8192(): KeyObject {
  const n = Buffer.alloc(1024, 0xa5).toString('base64url');
  return createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' });
}

test.each([
  ['RSA-8192', rsa8192],
  ['brainpoolP256r1', () => generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' }).publicKey],
  ['Ed25519', () => generateKeyPairSync('ed25519').publicKey],
])('a PEM key that no TPM has is the caller’s to mend: %s', (_, make) => {
  const pem = Uint8Array.from(Buffer.from(make().export({ format: 'pem', type: 'spki' })));
  expect(() => readToolsAk(pem)).toThrow(expect.objectContaining({ name: 'UsageError' }));
});
