import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLI, cli, DEMO } from '../support/cli.ts';
import { execute } from '../support/execute.ts';
import { FullPipe } from '../support/full-pipe.ts';
import { processesUsing, until } from '../support/processes.ts';
import { startSwtpm } from '../support/swtpm.ts';

let folder: string;
beforeAll(async () => {
  const tpm = await startSwtpm();
  folder = tpm.folder;
  writeFileSync(
    join(folder, 'policy.hcl'),
    `trust_domain = "example.org"\nca_path = ${JSON.stringify(tpm.caPath)}\nallow_software_tpm = true\nek_templates = ["L-1", "L-2", "H-3"]\n`,
  );
  const quote = ['tpm', 'quote', '--nonce', '00', '--trust-domain', 'example.org', '-o', 'who.json'];
  expect(await cli([...quote, '--tcti', tpm.tcti], { cwd: folder })).toMatchObject({ code: 0 });
  execFileSync('mkfifo', [join(folder, 'fifo')]);
});

let full: FullPipe;
beforeEach(() => {
  full = new FullPipe(join(mkdtempSync(join(folder, 'full-')), 'pipe'));
});
afterEach(() => full.close());

const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});
function started(file: string, ...args: string[]): ChildProcess {
  const child = spawn(file, args, { cwd: folder, stdio: ['pipe', 'ignore', 'pipe'] });
  children.push(child);
  return child;
}

/** The kernel function a process waits in. */
const waitsIn = (child: ChildProcess): string => readFileSync(`/proc/${child.pid}/wchan`, 'utf8');

describe('standard input', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const)('that is idle does not hold up %s', async (name) => {
    const child = started(process.execPath, CLI, 'verify', '-', '--policy', 'policy.hcl');
    await until(() => /pipe|unix_stream|anon_pipe/.test(waitsIn(child)));
    child.kill(name);
    expect(await once(child, 'exit')).toEqual([null, name]);
  });

  test('that does not block is waited for, and ends the same way', async () => {
    // As ssh and other programs leave the pipes they share.
    const script = `
import fcntl, os, subprocess, sys, time
r, w = os.pipe()
fcntl.fcntl(r, fcntl.F_SETFL, os.O_NONBLOCK)
child = subprocess.Popen(sys.argv[1:], stdin=r)
time.sleep(1)
os.write(w, open('who.json', 'rb').read())
os.close(w)
sys.exit(child.wait())`;
    const verify = [process.execPath, CLI, 'verify', '-', '--policy', 'policy.hcl', '--nonce', '00'];
    const { code, stdout, stderr } = await execute('python3', ['-c', script, ...verify], { cwd: folder });
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^trusted /);
  });
});

describe('an output pipe', () => {
  const challenge = ['challenge', 'who.json', '--policy', 'policy.hcl', '-o', 'fifo'];

  test('that nobody reads is refused at once, and no secret stays', async () => {
    const { code, stderr } = await cli(challenge, { cwd: folder });
    expect([code, stderr.trim().split('\n').at(-1)]).toEqual([
      2,
      `tpm-attestor: ${join(folder, 'fifo')} cannot be written: nobody reads this pipe; start its reader first`,
    ]);
    expect(existsSync(join(folder, 'fifo.secret'))).toBe(false);
  });

  test('that is read carries the whole, and stays', async () => {
    const reader = execute('cat', ['fifo'], { cwd: folder });
    // cat waits in its opening until the command opens the pipe.
    await sleep(300);
    expect(await cli(challenge, { cwd: folder })).toMatchObject({ code: 0 });
    expect(JSON.parse((await reader).stdout)).toHaveProperty('challenge');
    expect(existsSync(join(folder, 'fifo.secret'))).toBe(true);
  });

  test('that is full and not read on does not hold up a signal', async () => {
    const child = started(process.execPath, CLI, ...challenge.slice(0, -1), full.path);
    // Not the file of the secret beside it, which is written first.
    await until(() => openFiles(child).includes(` ${full.path}\n`));
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([143, null]);
  });

  test.each([
    ['standard output', 1, ['--help']],
    ['standard error', 2, ['--nonesuch']],
    ['standard error', 2, ['verify', 'nonesuch.json', '--policy', 'policy.hcl']],
  ] as const)('that is %s, full and not read on, does not hold up a signal', async (_name, descriptor, args) => {
    const { command, args: words } = full.behind(descriptor, process.execPath, CLI, ...args);
    const child = started(command, ...words);
    // Its own opening of the pipe, beside the one that it was given.
    await until(() => openFiles(child).split(` ${full.path}\n`).length === 3);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([143, null]);
  });

  test('that is full until somebody reads gets the whole answer', async () => {
    const { command, args } = full.behind(1, process.execPath, CLI, '--help');
    const child = started(command, ...args);
    await until(() => openFiles(child).split(` ${full.path}\n`).length === 3);
    const ended = once(child, 'exit');
    // It may write while what filled the pipe is being read.
    const said = [...full.read()];
    expect(await ended).toEqual([0, null]);
    said.push(...full.read());
    expect(said[0]).toMatch(/^Usage: tpm-attestor/);
  });

  test.skipIf(!existsSync('/dev/full'))('that takes nothing, as a full disk, is told of', async () => {
    const script = `exec "$0" "$@" >/dev/full`;
    const ended = await execute('/bin/sh', ['-c', script, process.execPath, CLI, '--help'], { cwd: folder });
    expect(ended).toMatchObject({ code: 3, stderr: expect.stringContaining('no space left') });
  });
});

function openFiles(child: ChildProcess): string {
  return spawnSync('ls', ['-l', `/proc/${child.pid}/fd`], { encoding: 'utf8' }).stdout;
}

const INSTALL = fileURLToPath(new URL('../../scripts/spire/install', import.meta.url));
const spireIsThere = spawnSync(INSTALL, ['--found'], { stdio: 'ignore' }).status === 0;

// Needs genuine SPIRE in PATH or cache (scripts/setup --tests): this test does not build it.
test.skipIf(!spireIsThere)(
  `the demo through SPIRE, interrupted, leaves no folder, socket or process${spireIsThere ? '' : ' (skipped: SPIRE is not built)'}`,
  { timeout: 120_000 },
  async () => {
    const temporary = mkdtempSync(join(tmpdir(), 'ds-'));
    const child = spawn(process.execPath, [DEMO, 'spire'], { env: { ...process.env, TMPDIR: temporary } });
    try {
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      await until(() => said.includes('rotation '));
      child.kill('SIGHUP');
      expect(await once(child, 'exit')).toEqual([129, null]);
      await until(async () => (await processesUsing(temporary)).length === 0);
      expect(readdirSync(temporary)).toEqual([]);
    } finally {
      child.kill('SIGKILL');
      rmSync(temporary, { recursive: true, force: true });
    }
  },
);
