/** docs/library.md and the examples against the entries of the package. test/ground/package.test.ts runs the examples. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as bootLog from '../../src/library/boot-log.ts';
import * as evidence from '../../src/library/evidence.ts';
import * as structures from '../../src/library/structures.ts';
import * as testing from '../../src/library/testing.ts';
import * as tpm from '../../src/library/tpm.ts';
import * as verifier from '../../src/library/verifier.ts';
import * as x509 from '../../src/library/x509.ts';

const ENTRIES: Readonly<Record<string, object>> = {
  verifier,
  evidence,
  'boot-log': bootLog,
  x509,
  'tpm/structures': structures,
  tpm,
  testing,
};
const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const document = read('docs/library.md');

test('the table has a row for each entry of the package, and no other', () => {
  const { exports } = JSON.parse(read('package.json')) as { readonly exports: object };
  const named = [...document.matchAll(/^\| `tpm-attestor\/([^`]+)`/gm)].map(([, name]) => name);
  expect(named.sort()).toEqual(Object.keys(ENTRIES).sort());
  expect(Object.keys(exports).sort()).toEqual([...named.map((name) => `./${name}`), './package.json'].sort());
});

test('what the document and the examples import is there', () => {
  const examples = readdirSync(new URL('../../examples/', import.meta.url)).map((name) => read(`examples/${name}`));
  expect(examples.length).toBeGreaterThan(3);
  const imports = [document, ...examples].flatMap((text) => [
    ...text.matchAll(/^import \{([^}]*)\} from 'tpm-attestor\/([^']+)'/gm),
  ]);
  const missing = imports.flatMap(([, names = '', entry = '']) =>
    names
      .split(',')
      .map((name) => name.trim())
      .filter((name) => !(name in (ENTRIES[entry] ?? {}))),
  );
  expect(imports.length).toBeGreaterThan(8);
  expect(missing).toEqual([]);
});

test('what the document calls stable is there', () => {
  for (const name of ['begin', 'beginInSteps', 'finish', 'policyOf', 'keptOf', 'finishKept', 'verifyQuote'])
    expect([name, name in verifier]).toEqual([name, document.includes(`\`${name}\``)]);
  expect('Attestor' in tpm).toBe(true);
});

test('the document and the entries call the same names stable, and each of them is exported', () => {
  const { exports } = JSON.parse(read('package.json')) as {
    readonly exports: Readonly<Record<string, { readonly types: string }>>;
  };
  for (const [entry, exported] of Object.entries(ENTRIES)) {
    const source = exports[`./${entry}`]?.types.replace('./dist/', 'src/').replace('.d.ts', '.ts') ?? '';
    const item = document.split(`\n- \`tpm-attestor/${entry}\`.`)[1]?.split('\n- ')[0];
    const stable = stableNames(item ?? '');
    expect([entry, stableNames(read(source))]).toEqual([entry, stable]);
    expect(stable.filter((name) => !(name in exported))).toEqual([]);
  }
});

/** Those in the sentence that says what is stable; no names where all of an entry may change. */
function stableNames(text: string): readonly string[] {
  const sentence = /Stable: ([^.]*)\.|All of it may change/.exec(text);
  if (sentence === null) throw new Error(`nothing is said of what is stable in: ${text}`);
  return [...(sentence[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
}

test('its links lead somewhere', () => {
  const links = [...document.matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, path = '']) => path);
  expect(links.filter((path) => !existsSync(new URL(`../../docs/${path}`, import.meta.url)))).toEqual([]);
});
