import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { REMEDIES } from '../../src/verifier/findings.ts';

const codes = Object.keys(REMEDIES);
const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const verifier = readdirSync(new URL('../../src/verifier/', import.meta.url))
  .filter((name) => name !== 'findings.ts')
  .map((name) => read(`src/verifier/${name}`))
  .join();

test('a search for a finding code finds its check', () => {
  expect(codes.filter((code) => !verifier.includes(`'${code}'`))).toEqual([]);
  // Put together from pieces, a code cannot be found.
  expect(verifier).not.toMatch(/\.add\(\s*`/);
  expect(verifier).not.toMatch(/`\$\{\w+\}\.[a-z_]+`/);
});

test('each finding code stands in docs/trust.md', () => {
  const trust = read('docs/trust.md');
  expect(codes.filter((code) => !trust.includes(`\`${code}\``))).toEqual([]);
});
