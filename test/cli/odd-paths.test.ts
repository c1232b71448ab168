/** Every path that a command reads or writes, given what is no ordinary file: refused at once, and nothing is left. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeFolder, readInput, writeOutput } from '../../src/cli/terminal/files.ts';
import { CLI, cli } from '../support/cli.ts';
import { mintEkChain, pem } from '../support/pki.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';

/** A command that has not ended by then spins or waits. */
const DEADLINE_MS = 20_000;

let tpm: SoftwareTpm;
let folder: string;
let server: Server;
const path = (name: string): string => join(folder, name);

beforeAll(async () => {
  tpm = await startSwtpm();
  folder = mkdtempSync(join(tmpdir(), 'odd-paths-'));
  writeFileSync(path('cas.pem'), readFileSync(tpm.caPath));
  writeFileSync(path('ek.pem'), pem(mintEkChain().leaf.der));
  writeFileSync(
    path('policy.hcl'),
    'trust_domain = "example.org"\nca_path = "cas.pem"\nallow_software_tpm = true\nek_algorithms = ["rsa", "ecc"]\n',
  );
  const quote = ['tpm', 'quote', '--nonce', '00', '--trust-domain', 'example.org', '-o', 'who.json'];
  expect(await cli([...quote, '--tpm2-tools', 'tools', '--tcti', tpm.tcti], { cwd: folder })).toMatchObject({
    code: 0,
  });
  const question = ['challenge', 'who.json', '--policy', 'policy.hcl', '-o', 'question.json'];
  expect(await cli(question, { cwd: folder })).toMatchObject({ code: 0 });
  execFileSync('mkfifo', [path('fifo')]);
  mkdirSync(path('folder'));
  server = createServer().listen(path('socket'));
  await once(server, 'listening');
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Exit code, and what was said; -1 for a command that does not end. */
async function outcome(args: readonly string[]): Promise<{ readonly code: number; readonly said: string }> {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4096);
    });
  const deadline = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
  const [code] = await once(child, 'close');
  clearTimeout(deadline);
  return { code: code ?? -1, said };
}

/** What each option or argument reads, with the others as they should be. */
const READERS: Readonly<Record<string, (odd: string) => readonly string[]>> = {
  'verify <evidence>': (odd) => ['verify', odd, '--policy', 'policy.hcl', '--nonce', '00'],
  'verify --policy': (odd) => ['verify', 'who.json', '--policy', odd, '--nonce', '00'],
  'verify --challenge': (odd) => ['verify', 'who.json', '--policy', 'policy.hcl', '--challenge', odd],
  'verify --message': (odd) => tools({ message: odd }),
  'verify --signature': (odd) => tools({ signature: odd }),
  'verify --pcr-values': (odd) => tools({ 'pcr-values': odd }),
  'verify --ak': (odd) => tools({ ak: odd }),
  'ek verify <certificate>': (odd) => ['ek', 'verify', odd, '--ca-path', 'cas.pem'],
  'ek verify --ca-path': (odd) => ['ek', 'verify', 'ek.pem', '--ca-path', odd],
  'ek verify --intermediates': (odd) => ['ek', 'verify', 'ek.pem', '--ca-path', 'cas.pem', '--intermediates', odd],
  'ek verify --crl-path': (odd) => ['ek', 'verify', 'ek.pem', '--ca-path', 'cas.pem', '--crl-path', odd],
  'ek verify --policy': (odd) => ['ek', 'verify', 'ek.pem', '--policy', odd],
  'ek hash [file]': (odd) => ['ek', 'hash', odd],
  'ek hash --ek-certificate': (odd) => ['ek', 'hash', '--tcti', tpm.tcti, '--ek-certificate', odd],
  'ek doctor [file]': (odd) => ['ek', 'doctor', odd],
  'ek doctor --hash-path': (odd) => ['ek', 'doctor', 'ek.pem', '--hash-path', odd],
  'ca inspect <path>': (odd) => ['ca', 'inspect', odd],
  'ca import <source>': (odd) => ['ca', 'import', odd, '--to', 'imported'],
  'challenge <evidence>': (odd) => ['challenge', odd, '--policy', 'policy.hcl', '-o', 'challenge.json'],
  'challenge --policy': (odd) => ['challenge', 'who.json', '--policy', odd, '-o', 'challenge.json'],
  'tpm quote --evidence': (odd) => answering({ evidence: odd }),
  'tpm quote --challenge': (odd) => answering({ challenge: odd }),
};

function tools(given: Readonly<Record<string, string>>): readonly string[] {
  const files = { message: 'quote.msg', signature: 'quote.sig', 'pcr-values': 'quote.pcrs', ak: 'ak.pem' };
  const sound = Object.fromEntries(Object.entries(files).map(([option, name]) => [option, `tools/${name}`]));
  const options = Object.entries({ ...sound, ...given }).flatMap(([option, file]) => [`--${option}`, file]);
  return ['verify', ...options, '--nonce', '00'];
}

function answering(given: Readonly<Record<string, string>>): readonly string[] {
  const options = Object.entries({ evidence: 'who.json', challenge: 'question.json', ...given });
  return ['tpm', 'quote', '--tcti', tpm.tcti, '-o', 'answer.json', ...options.flatMap(([o, f]) => [`--${o}`, f])];
}

/** Endless, silent, unreadable, or no file at all. */
const ODD_INPUTS = ['/dev/zero', '/dev/full', '/dev/null', '/proc/self/mem', '/proc/self/pagemap', '/proc', 'nonesuch'];

describe('an odd path that is read ends the command with a reason', () => {
  // Whoever opens a pipe without a writer waits for one, and hears no signal.
  test.each(Object.entries(READERS))('%s', { timeout: 60_000 }, async (_, argsOf) => {
    const before = readdirSync(folder).sort();
    const { code, said } = await outcome(argsOf('fifo'));
    expect(code, said).toBe(2);
    expect(said).toContain('fifo');
    expect(readdirSync(folder).sort()).toEqual(before);
  });

  test('whatever it is', () => {
    for (const odd of [...ODD_INPUTS, ...['fifo', 'socket', 'folder', 'cas.pem/below'].map(path)])
      expect(() => readInput(odd), odd).toThrow('cannot be read: ');
  });
});

/** What each option writes, with the others as they should be. */
const WRITERS: Readonly<Record<string, (odd: string) => readonly string[]>> = {
  'tpm quote --output': (odd) => ['tpm', 'quote', '--nonce', '00', '--tcti', tpm.tcti, '-o', odd],
  'tpm quote --tpm2-tools': (odd) => [
    'tpm',
    'quote',
    '--nonce',
    '00',
    '--tcti',
    tpm.tcti,
    '-o',
    '-',
    '--tpm2-tools',
    odd,
  ],
  'challenge --output': (odd) => ['challenge', 'who.json', '--policy', 'policy.hcl', '-o', odd],
  'verify --junit': (odd) => ['verify', 'who.json', '--policy', 'policy.hcl', '--nonce', '00', '--junit', odd],
  'ca import --to': (odd) => ['ca', 'import', 'cas.pem', '--allow-software', '--to', odd],
};

describe('an odd path that is written ends the command with 2, and nothing is left', () => {
  test.each(Object.entries(WRITERS))('%s', { timeout: 60_000 }, async (_, argsOf) => {
    const before = readdirSync(folder).sort();
    for (const odd of ['/proc/x', '/dev/full', 'socket', 'cas.pem/below']) {
      const { code, said } = await outcome(argsOf(odd));
      expect([odd, code], said).toEqual([odd, 2]);
      expect(said, odd).toMatch(/cannot be (made|written|used)|is not a folder/);
    }
    expect(readdirSync(folder).sort()).toEqual(before);
  });

  test('whatever it is', async () => {
    const odd = [
      '/proc/x',
      '/proc/self/x',
      '/proc/version',
      '/sys/x',
      '/dev/full',
      '/dev/null/x',
      '/dev/fd/99',
      '/proc',
    ];
    for (const one of [...odd, ...['socket', 'fifo', 'folder', 'cas.pem/below', 'cas.pem/below/it'].map(path)])
      await expect(writeOutput(one, 'answer'), one).rejects.toThrow('cannot be written: ');
  });

  test('a folder above a file, a device or a file system that takes none is told, and those made are gone', () => {
    for (const odd of ['/proc/x', '/proc/x/y', path('cas.pem/x'), '/dev/null/x'])
      expect(() => makeFolder(odd)).toThrow(`${odd} cannot be made: `);
    expect(() => makeFolder(path(`new/${'n'.repeat(256)}`))).toThrow('name too long');
    expect(existsSync(path('new'))).toBe(false);
    makeFolder(path('new/deeper'));
    makeFolder(path('new/deeper'));
    expect(statSync(path('new/deeper')).isDirectory()).toBe(true);
    rmSync(path('new'), { recursive: true });
  });

  test('a link to a file is replaced as a whole where it leads: no half of an answer is seen', async () => {
    mkdirSync(path('target'));
    writeFileSync(path('target/real'), 'old');
    chmodSync(path('target/real'), 0o640);
    symlinkSync('target/real', path('link'));
    const { ino } = statSync(path('target/real'));
    await writeOutput(path('link'), 'new');
    expect(readFileSync(path('target/real'), 'utf8')).toBe('new');
    const { ino: now, mode } = statSync(path('target/real'));
    expect([now === ino, mode & 0o777, readdirSync(path('target'))]).toEqual([false, 0o640, ['real']]);
  });

  test('/dev/stdout that is a file keeps what was written there before', () => {
    const script = 'exec >out; echo before; "$0" "$1" tpm quote --nonce 00 --tcti "$2" -o /dev/stdout; echo after';
    execFileSync('sh', ['-c', script, process.execPath, CLI, tpm.tcti], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    expect(readFileSync(path('out'), 'utf8')).toMatch(/^before\n\{.*\}\nafter\n$/s);
  });
});
