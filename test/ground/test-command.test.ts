/** What `npm test` runs, and when it builds genuine SPIRE. */
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { execute } from '../support/execute.ts';

const COMMAND = fileURLToPath(new URL('../../scripts/test', import.meta.url));

// A checkout in which each command only says that it was called.
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ground-'));
  for (const folder of ['scripts/spire', 'bin']) await mkdir(join(root, folder), { recursive: true });
  await copyFile(COMMAND, join(root, 'scripts/test'));
  await symlink('/usr/bin/dirname', join(root, 'bin/dirname'));
  await program('scripts/setup', 'echo "setup $*" >>"$CALLS"');
  await program('bin/npm', 'echo "npm $*" >>"$CALLS"');
  await program(
    'bin/node',
    'shift 2; [ "$TPM_ATTESTOR_NO_SPIRE" ] && set -- without SPIRE "$@"; echo "vitest $*" >>"$CALLS"',
  );
});
afterEach(() => rm(root, { recursive: true, force: true }));

const program = (path: string, text: string): Promise<void> =>
  writeFile(join(root, path), `#!/bin/sh\n${text}\n`, { mode: 0o755 });

/** @param install exit codes of `spire/install --found` and of the build */
async function calls(install: { found: number; built: number }, ...args: string[]): Promise<readonly string[]> {
  await program(
    'scripts/spire/install',
    `[ "$1" = --found ] && exit ${install.found}; echo 'build SPIRE' >>"$CALLS"; exit ${install.built}`,
  );
  const log = join(root, 'calls');
  const { code } = await execute('/bin/bash', [join(root, 'scripts/test'), ...args], {
    env: { PATH: join(root, 'bin'), CALLS: log },
  });
  return [...(await readFile(log, 'utf8')).trim().split('\n'), `exit ${code}`];
}

const BEFORE = ['setup --tests --no-spire', 'npm run check'];
const LAST = 'vitest test/spire test/ground/genuine-spire.test.ts';

test('where genuine SPIRE is, everything runs at once', async () => {
  expect(await calls({ found: 0, built: 0 })).toEqual([...BEFORE, 'vitest', 'exit 0']);
});

test('where it is not, it is built after all other tests, and its own come last', async () => {
  const expected = [...BEFORE, 'vitest without SPIRE', 'build SPIRE', LAST, 'exit 0'];
  expect(await calls({ found: 1, built: 0 })).toEqual(expected);
});

test('without a Go that builds it, its tests say that they are left out', async () => {
  const expected = [...BEFORE, 'vitest without SPIRE', 'build SPIRE', LAST, 'exit 0'];
  expect(await calls({ found: 1, built: 2 })).toEqual(expected);
});

test('a build that fails is no passed test run', async () => {
  const expected = [...BEFORE, 'vitest without SPIRE', 'build SPIRE', 'exit 3'];
  expect(await calls({ found: 1, built: 3 })).toEqual(expected);
});

test('--no-spire builds nothing', async () => {
  expect(await calls({ found: 1, built: 0 }, '--no-spire', 'test/cli')).toEqual([
    ...BEFORE,
    'vitest without SPIRE test/cli',
    'exit 0',
  ]);
});

test('a filter runs what it names, once', async () => {
  const expected = [...BEFORE, 'build SPIRE', 'vitest test/spire', 'exit 0'];
  expect(await calls({ found: 1, built: 0 }, 'test/spire')).toEqual(expected);
});
