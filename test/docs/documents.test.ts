/** What holds for every document. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { VERSION } from '../../src/spire/version.ts';
import { MarkdownDocument } from '../support/document.ts';

const DOCUMENTS: readonly string[] = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md'],
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];
const MAX_CELL_CHARS = 150;
const packageJson: { readonly version: string; readonly scripts: Readonly<Record<string, string>> } = JSON.parse(
  readFileSync('package.json', 'utf8'),
);

describe.each(DOCUMENTS)('%s', (path) => {
  const { text } = new MarkdownDocument(path);

  test(`has no table cell of more than ${MAX_CELL_CHARS} characters`, () => {
    const rows = text.split('\n').filter((line) => /^\|.*\|$/.test(line));
    const cells = rows.flatMap((row) => row.slice(1, -1).split(/(?<!\\)\|/));
    expect(cells.map((cell) => cell.trim()).filter((cell) => cell.length > MAX_CELL_CHARS)).toEqual([]);
  });

  test('has links that lead somewhere', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)];
    for (const [link, file = '', anchor] of links) {
      const target = file === '' ? path : join(dirname(path), file);
      expect(existsSync(target), link).toBe(true);
      if (anchor !== undefined) expect(new MarkdownDocument(target).anchors, link).toContain(anchor);
    }
  });
});

test('every npm script the documents name exists', () => {
  const texts = DOCUMENTS.map((path) => new MarkdownDocument(path).text);
  const named = texts.flatMap((text) => [...text.matchAll(/npm run (?:--silent )?([a-z:]+)/g)].map(([, name]) => name));
  expect(named.length).toBeGreaterThan(3);
  for (const name of named) expect(packageJson.scripts).toHaveProperty([name ?? '']);
});

test('the README leads to every document', () => {
  const { text } = new MarkdownDocument('README.md');
  expect(DOCUMENTS.slice(1).filter((path) => !text.includes(`](${path})`))).toEqual([]);
});

test('the version the plugins state is the package’s', () => {
  expect(VERSION).toBe(packageJson.version);
});
