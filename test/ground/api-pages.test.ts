/** What `npm run docs` would say of the library, without the pages. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { execute } from '../support/execute.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

test('every exported name is documented, and names nothing that is not exported', async () => {
  const typedoc = await execute('node_modules/.bin/typedoc', ['--emit', 'none'], { cwd: ROOT });
  expect(typedoc).toMatchObject({ code: 0, stderr: '' });
}, 300_000);
