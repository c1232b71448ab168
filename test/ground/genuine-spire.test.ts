import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { execute } from '../support/execute.ts';

const found = await execute('scripts/spire/install', ['--found']);

const isUnwanted = process.env['TPM_ATTESTOR_NO_SPIRE'] !== undefined;

// CI has Go, so there it is a failure.
test.skipIf(isUnwanted || (found.code !== 0 && process.env['CI'] === undefined))(
  'genuine SPIRE is here; without it, or a Go that builds it, or with --no-spire, every test of test/spire is left out',
  () => {
    expect(found).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\/.+\n$/) });
  },
);

test('what lies in the cache is taken when it runs, not because it is there', async () => {
  const cache = await mkdtemp(join(tmpdir(), 'spire-cache-'));
  try {
    const env = { ...process.env, TPM_ATTESTOR_CACHE: cache };
    const goSum = createHash('sha256')
      .update(await readFile('scripts/spire/go.sum'))
      .digest('hex');
    const folder = join(cache, `spire-1.15.3-${goSum.slice(0, 12)}`);
    await mkdir(folder);
    const put = async (name: string, text: string): Promise<void> => {
      await writeFile(join(folder, name), text, { mode: 0o755 });
    };
    const genuine = '#!/bin/sh\necho 1.15.3-dev-unk';
    await put('spire-server', genuine);
    await put('spire-agent', genuine);
    expect(await execute('scripts/spire/install', ['--found'], { env })).toMatchObject({
      code: 0,
      stdout: `${folder}\n`,
    });
    for (const broken of ['', '#!/bin/sh\necho 1x15y3', '#!/bin/sh\nexit 1']) {
      await put('spire-agent', broken);
      expect(await execute('scripts/spire/install', ['--found'], { env })).toMatchObject({ code: 1, stdout: '' });
    }
  } finally {
    await rm(cache, { recursive: true });
  }
});

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
