// Puts every check of the product under a switch, so that one build serves for all checks. A process leaves out the
// check with the number in TPM_ATTESTOR_TOOTH, and records the checks that it meets.

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { teethOf } from './find.mjs';

/** @typedef {Omit<import('./find.mjs').Tooth, 'insertions'> & { number: number, file: string }} Check */
/**
 * @typedef {{ checks: readonly Check[], sources: ReadonlyMap<string, string> }} Switched `sources`: texts by path below
 * the root
 */

// These sources judge no machine: they serve operators, tests and demos, or are generated.
const WITHOUT = /^src\/(cli|library|testing|enrolment|spire\/gen|x509\/authority)\/|-judgement\.ts$/;

/** @param {string} root of the project @returns {Switched} */
export function switchedSources(root) {
  const codes = findingCodes(root);
  /** @type {Check[]} */
  const checks = [];
  const sources = new Map();
  const found = sourcesBelow(root).map((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    return { file, text, teeth: teethOf(text, codes) };
  });
  // A code that is a literal where its finding is added needs no switch in the collecting method.
  const literal = new Set(found.flatMap(({ teeth }) => teeth.filter(isLiteral).map(({ check }) => check)));
  for (const { file, text, teeth: all } of found) {
    const teeth = all.filter((tooth) => isLiteral(tooth) || !literal.has(tooth.check));
    const insertions = teeth.flatMap(({ insertions: own, ...tooth }) => {
      // Places with the same code, or with marks in the same words, are one check.
      const same = checks.find(({ check }) => check === tooth.check);
      const number = same?.number ?? checks.push({ ...tooth, file, number: checks.length }) - 1;
      return own.map((one) => ({ ...one, text: one.text.replaceAll('NUMBER', String(number)) }));
    });
    if (insertions.length > 0) sources.set(file, inserted(text, insertions));
  }
  return { checks, sources };
}

/** @param {import('./find.mjs').Tooth} tooth */
const isLiteral = ({ isCollected }) => !isCollected;

/** @param {string} root @returns {ReadonlySet<string>} */
function findingCodes(root) {
  const text = readFileSync(join(root, 'src/verifier/findings.ts'), 'utf8');
  const codes = [...text.matchAll(/^ {2}'([a-z]+\.[a-z_0-9]+)':/gm)].map(([, code = '']) => code);
  if (codes.length === 0) throw new Error('src/verifier/findings.ts lists no finding codes');
  return new Set(codes);
}

/** @param {string} root @returns {string[]} */
function sourcesBelow(root) {
  return readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !WITHOUT.test(path))
    .sort();
}

/**
 * Applies the insertions. At the same position, insertions that end a node come first, the innermost node first. Then
 * come those that begin a node, the outermost node first.
 * @param {string} text @param {readonly import('./find.mjs').Insertion[]} insertions
 */
function inserted(text, insertions) {
  const isEnd = (/** @type {import('./find.mjs').Insertion} */ { at, to }) => at === to;
  const ordered = insertions
    .map((one, order) => ({ ...one, order: isEnd(one) ? -order : order }))
    .sort(
      (a, b) =>
        a.at - b.at ||
        Number(isEnd(b)) - Number(isEnd(a)) ||
        (isEnd(a) ? b.from - a.from : b.to - a.to) ||
        a.order - b.order,
    );
  let [result, done] = ['', 0];
  for (const { at, text: more } of ordered) {
    result += text.slice(done, at) + more;
    done = at;
  }
  return result + text.slice(done);
}

/** The code that a built process runs first. */
export const BANNER = `globalThis.__tooth = (() => {
  const out = Number(process.env.TPM_ATTESTOR_TOOTH ?? -1);
  const file = process.env.TPM_ATTESTOR_TEETH_MET;
  const met = new Set();
  const meet = (number) => {
    if (file === undefined || met.has(number)) return;
    met.add(number);
    require('node:fs').appendFileSync(file, number + '\\n');
  };
  return {
    is: (number) => number === out,
    skips: (number) => (meet(number), number === out),
    meets: (number, value) => (value && meet(number), value),
  };
})();`;
