import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type FindingCode, REMEDIES } from '../../src/verifier/findings.ts';

const codes = Object.keys(REMEDIES);
const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const src = readdirSync(new URL('src/', root), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => ({ path: `src/${name}`, text: read(`src/${name}`) }));

/** Files that name codes and add none: the table, what an allowance forgives, what a tampering must come to. */
const NAME_ONLY = ['src/verifier/findings.ts', 'src/verifier/allowances.ts', 'src/cli/demo/tampering.ts'];
/** Codes that are compared with or listed: `=== 'ek.revoked'`, and lists that say their type. */
const MENTION = /[!=]== '[a-z]+\.[a-z0-9_]+'|(?:readonly string|readonly FindingCode)\[\] =\s*\[[^\]]*\]/g;

/** Codes that several files add, and why they do. */
const SEVERAL: Readonly<Partial<Record<FindingCode, readonly string[]>>> = {
  // A wire names a public area, the other a bare key; "ek doctor" finds keys that no wire can name.
  'ek.template': ['enrolment/ek-diagnosis.ts', 'verifier/endorsement.ts', 'verifier/legacy-verify.ts'],
  // The TPM's key, and the keys in its certificates.
  'ek.weak_key': ['verifier/ek-certificate.ts', 'verifier/endorsement.ts'],
  'ek.roca': ['verifier/ek-certificate.ts', 'verifier/endorsement.ts'],
  // Asked when the machine comes, again when it answers, and of its other keys.
  'ek.denied': ['verifier/endorsement.ts', 'verifier/linked-keys.ts', 'verifier/operator-lists.ts'],
  'ek.not_listed': ['verifier/endorsement.ts', 'verifier/operator-lists.ts'],
  // A certificate that was sent, and a file of "ek verify" that holds none.
  'ek.certificate_malformed': ['enrolment/ek-report.ts', 'verifier/endorsement.ts'],
  // Values in a message, and in a file of tpm2-tools.
  'quote.pcr_values': ['verifier/quote.ts', 'verifier/tools-judgement.ts'],
};

const adding = (code: string): readonly string[] =>
  src
    .filter(({ path, text }) => !NAME_ONLY.includes(path) && text.replace(MENTION, '').includes(`'${code}'`))
    .map(({ path }) => path);

test.each(codes)('%s stands literally in the one file that adds it', (code) => {
  const files = SEVERAL[code as FindingCode]?.map((name) => `src/${name}`);
  expect(adding(code).toSorted()).toEqual(files ?? [expect.any(String)]);
});

test('no code is put together from pieces, which no search finds', () => {
  for (const { text } of src.filter(({ path }) => path.startsWith('src/verifier/'))) {
    expect(text).not.toMatch(/\.add\(\s*`/);
    expect(text).not.toMatch(/`\$\{\w+\}\.[a-z_]+`/);
  }
});

test('each finding code has a section in docs/trust.md', () => {
  const sections = new Set(
    [...read('docs/trust.md').matchAll(/^#+ `?([a-z]+\.[a-z0-9_]+)`?$/gm)].map(([, code]) => code),
  );
  expect(codes.filter((code) => !sections.has(code))).toEqual([]);
});
