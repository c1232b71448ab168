// Selects the tests that may show the loss of a check, and makes the result of their runs.

import { basename } from 'node:path';

/**
 * @typedef {import('./switches.mjs').Check} Check
 * @typedef {import('./runner.ts').Attempt} Attempt
 * @typedef {{ check: string, place: string, failing: string[], admitted: string[], error?: string }} Row
 */

/** Stands for the number of a check when all checks are in place. */
export const NONE = -1;
/** Files of tests that build on each other: they share servers, and a check is left out of all of them at once. */
export const CONTINUED = /\/(reload|one-identity)\.test\.ts$/;

/**
 * The tests that may show the loss of a check, the likeliest first. A test is likelier when its name shares more words
 * with the check, because both say what an attacker gains; then, when it meets fewer other checks. Continued tests come
 * last.
 * @param {Check} check @param {readonly Attempt[]} sound
 */
export function witnesses({ number, named, check }, sound) {
  const words = wordsOf(check);
  const shared = (/** @type {Attempt} */ { test }) => [...wordsOf(test)].filter((word) => words.has(word)).length;
  return sound
    .filter(({ met }) => met.includes(number))
    .filter(({ file, test }) => {
      const stem = basename(file, '.test.ts');
      return named.length === 0 || named.some((name) => test.startsWith(`${name} `) || name === stem);
    })
    .sort(
      (a, b) =>
        Number(CONTINUED.test(a.file)) - Number(CONTINUED.test(b.file)) ||
        shared(b) - shared(a) ||
        a.met.length - b.met.length,
    );
}

const wordsOf = (/** @type {string} */ text) => new Set(text.toLowerCase().match(/[a-z]{4,}/g));

/** @param {Check} check @param {readonly Attempt[]} sound @param {readonly Attempt[]} attempts @returns {Row} */
export function rowOf(check, sound, attempts) {
  const row = { check: check.check, place: `${check.file}:${check.line}` };
  const own = attempts.filter(({ without }) => without === check.number);
  const failing = own.filter(({ error }) => error !== undefined);
  // A server that does not work refuses every machine, so its failures prove nothing.
  const broken = failing.filter(({ attacks }) => attacks.some(({ kind, admitted }) => kind === 'control' && !admitted));
  const spoilt = attempts.filter(({ without, error }) => without === NONE && error !== undefined);
  const telling = failing.filter((one) => !broken.includes(one) && !spoilt.some(({ test }) => test === one.test));
  const admitting = telling.filter(({ attacks }) =>
    attacks.some(({ kind, admitted }) => kind === 'attack' && admitted),
  );
  const names = (/** @type {readonly Attempt[]} */ those) => [...new Set(those.map(({ test }) => test))];
  const result = { ...row, failing: names(telling), admitted: names(admitting) };
  if (telling.length > 0) return result;
  if (own.length === 0) {
    const named = check.named.length === 0 ? '' : ` named ${check.named.join(', ')}`;
    const meet = sound.filter(({ met }) => met.includes(check.number)).map(({ test }) => test);
    return {
      ...result,
      error: `no test${named} meets the check${meet.length === 0 ? '' : `; these do: ${meet.slice(0, 8).join(' | ')}`}`,
    };
  }
  if (broken.length > 0)
    return { ...result, error: `without the check, no honest machine is admitted: ${broken[0]?.error}` };
  if (failing.length > 0) return { ...result, error: 'its test afterwards fails with all checks in place' };
  return result;
}

/** @param {Row} row */
function outcome({ failing, admitted, error }) {
  if (error !== undefined) return 'NO RESULT';
  if (failing.length === 0) return 'NO TEST FAILS';
  return admitted.length > 0 ? 'attacker admitted' : 'refused, unnamed';
}

/** @param {readonly Row[]} rows */
export function table(rows) {
  return rows
    .map((row) => {
      const tests = row.error === undefined ? row.failing : [row.error];
      return [`${outcome(row).padEnd(17)}  ${row.check} (${row.place})`, ...tests].join('\n                   ');
    })
    .join('\n');
}
