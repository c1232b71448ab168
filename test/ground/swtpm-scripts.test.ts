import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { execute } from '../support/execute.ts';
import { processesUsing, until } from '../support/processes.ts';

const script = (name: string) => fileURLToPath(new URL(`../../scripts/swtpm/${name}`, import.meta.url));

let folder: string;
let env: NodeJS.ProcessEnv;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ground-'));
  // Everything the scripts make for a while goes where the test can see that it is gone.
  await mkdir(join(folder, 'tmp'));
  env = { ...process.env, TMPDIR: join(folder, 'tmp') };
});
afterEach(async () => {
  await execute(script('stop'), [join(folder, 'tpm')]);
  await rm(folder, { recursive: true, force: true });
});

const left = async () => ({ files: await readdir(join(folder, 'tmp')), processes: await processesUsing(folder) });
const NOTHING = { files: [], processes: [] };

describe('run', () => {
  test('gives the command a TPM with EK certificates, its input and its output, and leaves nothing behind', async () => {
    const args = ['--', 'sh', '-c', 'cat && tpm2_getcap handles-nv-index && head -1 "$TPM_ATTESTOR_CA_PATH"'];
    expect(await execute(script('run'), args, { env, input: 'hello\n' })).toEqual({
      code: 0,
      signal: null,
      stdout: 'hello\n- 0x1C00002\n- 0x1C00016\n-----BEGIN CERTIFICATE-----\n',
      stderr: '',
    });
    expect(await left()).toEqual(NOTHING);
  });

  test("passes the command's exit code on and cleans up after a failure", async () => {
    const args = ['--templates', 'L-2', '--', 'sh', '-c', 'test "$TPM2TOOLS_TCTI" = "$TPM_ATTESTOR_TCTI" && exit 7'];
    expect(await execute(script('run'), args, { env })).toMatchObject({ code: 7, stderr: '' });
    expect(await left()).toEqual(NOTHING);
  });

  test('ends the command and the TPM when it is told to end', async () => {
    const run = spawn(script('run'), ['--', 'sh', '-c', 'echo up; exec sleep 60'], {
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const ended = new Promise<number | null>((resolve) => run.once('exit', resolve));
    await new Promise((resolve) => run.stdout.once('data', resolve));
    run.kill('SIGTERM');
    expect(await ended).toBe(128 + 15);
    expect(await left()).toEqual(NOTHING);
  });

  test.each([100, 300, 600, 900])('told to end after %d ms, while it makes the TPM, leaves nothing', async (ms) => {
    const run = spawn(script('run'), ['--', 'sleep', '60'], { env, stdio: 'ignore' });
    const ended = new Promise<number | null>((resolve) => run.once('exit', resolve));
    await sleep(ms);
    run.kill('SIGTERM');
    expect(await ended).toBe(128 + 15);
    await until(async () => (await left()).processes.length === 0);
    expect(await left()).toEqual(NOTHING);
  });

  test('takes its TPM along when it is killed', async () => {
    const run = spawn(script('run'), ['--', 'sh', '-c', 'echo up; read _'], { env, stdio: 'pipe' });
    await new Promise((resolve) => run.stdout.once('data', resolve));
    const swtpm = async () => (await processesUsing(folder)).filter((command) => command.startsWith('swtpm'));
    expect(await swtpm()).toHaveLength(1);
    run.kill('SIGKILL');
    await until(async () => (await swtpm()).length === 0);
    run.stdin.end();
  });

  test.each([
    { args: [], says: "expected '--' and a command" },
    { args: ['tpm2_getrandom', '8'], says: "expected '--' and a command" },
    { args: ['--state', 'x', '--', 'true'], says: '--state cannot be given: run chooses it' },
    { args: ['--templates', 'H-5', '--', 'true'], says: "unknown EK template 'H-5'" },
    { args: ['--pcr-banks', 'md5', '--', 'true'], says: "unknown PCR bank 'md5'" },
    { args: ['--pcr-banks', '', '--', 'true'], says: '--pcr-banks names no bank' },
    { args: ['--bank', 'sha256', '--', 'true'], says: "unknown argument '--bank'" },
  ])('refuses $args with exit code 2 and the reason', async ({ args, says }) => {
    const { code, stdout, stderr } = await execute(script('run'), args, { env });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(says);
    expect(await left()).toEqual(NOTHING);
  });

  test('names the Debian package of a missing command', async () => {
    const bin = join(folder, 'bin');
    await mkdir(bin);
    for (const name of ['bash', 'dirname', 'mktemp', 'rm', 'mkdir', 'id', 'ls']) {
      await writeFile(join(bin, name), `#!/bin/sh\nexec /bin/${name} "$@"\n`, { mode: 0o755 });
    }
    const { code, stderr } = await execute('/bin/bash', [script('run'), '--', 'true'], { env: { ...env, PATH: bin } });
    expect({ code, stderr }).toEqual({
      code: 3,
      stderr: "run: the command 'swtpm' is missing; install it with: apt-get install swtpm\n",
    });
  });
});

describe('start and stop', () => {
  test('the same TPM comes back, and stop leaves neither process nor socket', async () => {
    const tpm = join(folder, 'tpm');
    const first = await execute(script('start'), [tpm, '--templates', 'L-2'], { env });
    expect(first).toMatchObject({ code: 0, stderr: '' });
    const lines = Object.fromEntries(
      first.stdout
        .trim()
        .split('\n')
        .map((line) => line.split(/=(.*)/).slice(0, 2)),
    );
    expect(lines).toEqual({
      TPM2TOOLS_TCTI: `swtpm:path=${tpm}/tpm.sock`,
      TPM_ATTESTOR_TCTI: `swtpm:path=${tpm}/tpm.sock`,
      TPM_ATTESTOR_CA_PATH: `${tpm}/ca/ca.pem`,
    });
    const readCertificate = async () => {
      const file = join(folder, 'certificate');
      await rm(file, { force: true });
      const args = ['0x1c0000a', '-C', 'o', '-o', file];
      expect(await execute('tpm2_nvread', args, { env: { ...env, ...lines } })).toMatchObject({ code: 0 });
      return readFile(file);
    };
    const certificate = await readCertificate();
    expect(await execute(script('start'), [tpm], { env })).toEqual(first);

    expect(await execute(script('stop'), [tpm])).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
    expect(await left()).toEqual(NOTHING);
    expect(existsSync(join(tpm, 'tpm.sock'))).toBe(false);
    expect(await execute(script('stop'), [tpm])).toMatchObject({ code: 0, stderr: '' });

    expect(await execute(script('start'), [tpm], { env })).toMatchObject({ code: 0, stdout: first.stdout });
    expect(await readCertificate()).toEqual(certificate);
  });

  test('start refuses options for a TPM that exists already', async () => {
    const tpm = join(folder, 'tpm');
    await mkdir(join(tpm, 'state'), { recursive: true });
    const { code, stderr } = await execute(script('start'), [tpm, '--templates', 'L-1'], { env });
    expect(code).toBe(2);
    expect(stderr).toContain('options apply only to a new one');
  });

  test("start --export gives a shell the variables, whatever the folder's name, and after a failure none", async () => {
    const tpm = join(folder, 'tpm', "a b'$(false)é");
    const shell =
      'variables=$("$0" --export "$1" --templates "") && eval "$variables"; echo "$? $TPM_ATTESTOR_CA_PATH"';
    const sh = (path: string) => execute('sh', ['-c', shell, script('start'), path], { env });
    try {
      expect(await sh(tpm)).toMatchObject({ code: 0, stdout: `0 ${tpm}/ca/ca.pem\n`, stderr: '' });
    } finally {
      await execute(script('stop'), [tpm]);
    }
    expect(await sh('/dev/null/x')).toEqual({
      ...{ code: 0, signal: null, stdout: '3 \n' },
      stderr: "start: the folder '/dev/null/x' cannot be made: Not a directory\n",
    });
  });

  test.each(['a,b', 'a\nb'])(
    'start refuses a folder named %j, which its answer or swtpm would misread',
    async (name) => {
      const { code, stdout, stderr } = await execute(script('start'), [join(folder, name)], { env });
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toContain('neither a comma nor a line end');
      expect(existsSync(join(folder, name))).toBe(false);
    },
  );

  test('stop leaves a process alone that only has the number of an ended TPM', async () => {
    const tpm = join(folder, 'tpm');
    await mkdir(tpm);
    await writeFile(join(tpm, 'tpm.pid'), `${process.pid}\n`);
    expect(await execute(script('stop'), [tpm])).toMatchObject({ code: 0 });
    expect(await readdir(tpm)).toEqual([]);
  });
});
