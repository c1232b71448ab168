import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { execute } from '../support/execute.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

test('a second run does nothing and says nothing', async () => {
  expect(await execute(join(ROOT, 'scripts/setup'), [])).toMatchObject({ code: 0, stdout: '' });
  const made = ['build/Release/tpm_attestor.node', 'dist/bin', 'node_modules/.package-lock.json'];
  const times = () => Promise.all(made.map(async (path) => (await stat(join(ROOT, path))).mtimeMs));
  const before = await times();
  expect(await execute(join(ROOT, 'scripts/setup'), [])).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
  expect(await times()).toEqual(before);
});

// A checkout with only the script, and a PATH with only what a test puts there.
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ground-'));
  await mkdir(join(root, 'scripts'));
  await mkdir(join(root, 'bin'));
  await copyFile(join(ROOT, 'scripts/setup'), join(root, 'scripts/setup'));
  for (const name of ['package.json', 'package-lock.json']) await copyFile(join(ROOT, name), join(root, name));
  for (const name of ['dirname', 'flock', 'sh', 'env']) await symlink(`/usr/bin/${name}`, join(root, 'bin', name));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const program = (name: string, text: string) =>
  writeFile(join(root, 'bin', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
const setup = () => execute('/bin/bash', [join(root, 'scripts/setup')], { env: { PATH: join(root, 'bin') } });

test('without Node.js says which one is needed', async () => {
  const { code, stdout, stderr } = await setup();
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toBe('setup: Node.js 20.19 or newer is needed and there is none: https://nodejs.org/en/download\n');
});

test.each(['18.20.4', '20.9.0', '20.18.3', '9.11.2'])('refuses Node.js %s and says so', async (version) => {
  await program('node', `echo ${version}`);
  const { code, stderr } = await setup();
  expect(code).toBe(2);
  expect(stderr).toContain(`20.19 or newer is needed, this is ${version}`);
});

test.each(['20.19.0', '20.20.2', '22.1.0', '100.0.0'])(
  'takes Node.js %s; without apt-get names what to install',
  async (version) => {
    await program('node', `echo ${version}`);
    const { code, stdout, stderr } = await setup();
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(
      /Debian names: build-essential python3 pkg-config libtss2-dev swtpm swtpm-tools gnutls-bin tpm2-tools openssl util-linux\./,
    );
  },
);

test('a user who is not root gets the one line to run', async () => {
  await program('node', 'echo 20.19.0');
  await program('apt-get', 'echo must not run; exit 1');
  await program('sudo', 'exit 1');
  await program('id', 'echo 1000');
  const { code, stdout, stderr } = await setup();
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(
    "\n  sudo sh -c 'apt-get update && apt-get install --no-install-recommends -y build-essential ",
  );
  expect(stderr).not.toContain('must not run');
});

test('says what is still missing when the installation did not help, with nothing on standard output', async () => {
  await program('node', 'echo 20.19.0');
  await program('id', 'echo 0');
  await program('apt-get', 'echo apt-get "$@"');
  const { code, stdout, stderr } = await setup();
  expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
  expect(stderr).toContain('apt-get update\napt-get install --no-install-recommends -y build-essential python3');
  expect(stderr).toContain('setup: still missing after installation: build-essential');
});

test.each(['npm packages', 'the native addons'])('says who may write where %s would be installed', async (what) => {
  for (const name of ['g++', 'make', 'python3', 'pkg-config', 'swtpm', 'swtpm_setup', 'certtool'])
    await program(name, '');
  for (const name of ['tpm2_createprimary', 'openssl', 'setpriv']) await program(name, '');
  await symlink('/usr/bin/id', join(root, 'bin', 'id'));
  // The version, then whether the npm packages are current.
  await program('node', `case $1 in -p) echo 20.19.0 ;; *) exit ${what === 'npm packages' ? 1 : 0} ;; esac`);
  await chmod(root, 0o555);
  // Root may write everywhere.
  const asNobody = ['--reuid', '65534', '--clear-groups', '/bin/bash', join(root, 'scripts/setup')];
  const asMyself = process.getuid?.() === 0 ? asNobody : ['/bin/bash', join(root, 'scripts/setup')];
  const { code, stderr } = await execute('/usr/bin/setpriv', asMyself, { env: { PATH: join(root, 'bin') } });
  await chmod(root, 0o755);
  expect(code).toBe(2);
  expect(stderr).toContain(`setup: ${what} `);
  expect(stderr).toContain(`, and ${root} is not writable for nobody: run this as the owner of the checkout`);
});

// test/ground/test-command.test.ts has `npm test`.
test('what needs the set-up runs it first, and it runs none of them', async () => {
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
  for (const name of ['build', 'check', 'demo', 'cli', 'teeth']) expect(scripts[name]).toMatch(/^scripts\/setup && /);
  expect(await readFile(join(ROOT, 'scripts/setup'), 'utf8')).not.toMatch(/^\s*npm (run|test)/m);
});

test.each(['asan', 'build-native', 'gen', 'setup', 'spire/install', 'swtpm/provision', 'swtpm/run', 'swtpm/start'])(
  'scripts/%s --help tells its usage on standard output, and misuse ends with exit code 2',
  async (name) => {
    const { code, stdout, stderr } = await execute(join(ROOT, 'scripts', name), ['--help']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`^Usage: ${name.replace(/.*\//, '')}\\b`));
    expect(await execute(join(ROOT, 'scripts', name), ['--nonesuch'])).toMatchObject({ code: 2, stdout: '' });
  },
);

test('npm run teeth for a check that is not there ends with exit code 2', async () => {
  const args = [join(ROOT, 'scripts/teeth.mjs'), '--only', 'nonesuch', '--json'];
  expect(await execute(process.execPath, args)).toMatchObject({
    ...{ code: 2, stdout: '', stderr: 'teeth: no check has "nonesuch" in its name\n' },
  });
});
