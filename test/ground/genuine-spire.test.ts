import { expect, test } from 'vitest';
import { execute } from '../support/execute.ts';

const found = await execute('scripts/spire/install', ['--found']);

// CI has Go, so there it is a failure.
test.skipIf(found.code !== 0 && process.env['CI'] === undefined)(
  'genuine SPIRE is here; without it, or a Go that builds it, every test of test/spire is left out',
  () => {
    expect(found).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\/.+\n$/) });
  },
);

test('genuine SPIRE is looked for on PATH first, and only in the version that is asked for', async () => {
  const nothing = await execute('scripts/spire/install', ['--found'], {
    env: { ...process.env, TPM_ATTESTOR_CACHE: '/nonexistent' },
  });
  expect(nothing).toMatchObject({ code: 1, stdout: '' });
  if (found.code !== 0) return;
  const folder = found.stdout.trim();
  const onPath = await execute('scripts/spire/install', ['--found'], {
    env: { ...process.env, TPM_ATTESTOR_CACHE: '/nonexistent', PATH: `${folder}:${process.env['PATH']}` },
  });
  expect(onPath).toMatchObject({ code: 0, stdout: found.stdout });
});
