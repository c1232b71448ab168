import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { execute } from '../support/execute.ts';

it('the committed generated code is what proto/ says', async () => {
  const ended = await execute(fileURLToPath(new URL('../../scripts/gen', import.meta.url)), ['--check']);
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
});

it('scripts/gen takes no other argument', async () => {
  const ended = await execute(fileURLToPath(new URL('../../scripts/gen', import.meta.url)), ['--chek']);
  expect(ended.code).toBe(2);
});
