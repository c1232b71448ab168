// Mutation testing: leaves out each check of the server plugin and of the agent in turn, and requires that a test
// fails. It makes a copy of the project with every check under a switch (teeth/switches.mjs). The tests first run with
// all checks in place, to learn which test meets which check. Then each test runs again without each check that it
// meets (teeth/runner.ts). The sources themselves never change.

import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundle, EXECUTABLES } from './bundle.mjs';
import { CONTINUED, NONE, rowOf, table, witnesses } from './teeth/rows.mjs';
import { BANNER, switchedSources } from './teeth/switches.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const USAGE = `Usage: npm run --silent teeth -- [--json | --list] [--only TEXT]

Leaves out each check of the server plugin and of the agent in turn, and runs the tests that meet it.
  --json       prints one JSON document
  --only TEXT  only checks whose name or file contains TEXT
  --list       lists the checks and runs nothing
Exit codes: 0 every check has a test that fails without it, 1 a check has none or tests fail with all checks, 2 usage
`;

// Leaves out tests that use a TPM: they take seconds each, and only those of the agent show a check of their own.
const TESTS = /^test\/(attacks\/(?!.*tpm\.test)|agent\/(attest|bus)\.test)/;
/** After this many tests of a check, the run stops for the check if one has failed. */
const ROUNDS = [1, 4, 16, Number.POSITIVE_INFINITY];

/**
 * @typedef {import('./teeth/switches.mjs').Check} Check
 * @typedef {import('./teeth/runner.ts').Attempt} Attempt
 */

/**
 * Makes a copy of the project with every check under a switch.
 * @param {string} folder
 * @param {import('./teeth/switches.mjs').Switched['sources']} sources
 * @returns {Promise<string>} the server executable
 */
async function switchedProject(folder, sources) {
  for (const part of ['src', 'test', 'scripts', 'package.json'])
    cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  for (const part of ['node_modules', 'build', 'dist']) symlinkSync(join(ROOT, part), join(folder, part));
  for (const [file, text] of sources) writeFileSync(join(folder, file), text);
  const executable = EXECUTABLES.find(({ outfile }) => outfile.endsWith('tpm-attestor-server.cjs'));
  if (executable === undefined) throw new Error('scripts/bundle.mjs makes no server executable');
  const [shebang, ...lines] = (await bundle(executable, folder)).split('\n');
  const server = join(folder, 'server.cjs');
  writeFileSync(server, [shebang, BANNER, ...lines].join('\n'));
  return server;
}

/**
 * @param {string} folder of the copy
 * @param {string} server its executable
 * @param {readonly string[]} files of tests
 * @param {import('./teeth/runner.ts').Plan} [plan]
 * @param {number} [without] the check to leave out of continued tests
 * @returns {Promise<Attempt[]>}
 */
async function run(folder, server, files, plan, without = NONE) {
  const [attempts, planned] = [join(folder, `attempts-${without}.jsonl`), join(folder, `plan-${without}.json`)];
  rmSync(attempts, { force: true });
  writeFileSync(planned, JSON.stringify(plan ?? null));
  const text = await new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      ['node_modules/vitest/vitest.mjs', 'run', '--config=scripts/teeth/vitest.config.ts'],
      {
        cwd: folder,
        env: {
          ...process.env,
          TPM_ATTESTOR_SERVER: server,
          TPM_ATTESTOR_TOOTH: String(without),
          TPM_ATTESTOR_TEETH_TESTS: files.join(' '),
          TPM_ATTESTOR_TEETH_PLAN: planned,
          TPM_ATTESTOR_TEETH_ATTEMPTS: attempts,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (more) => (said += more));
    child.once('error', reject);
    child.once('close', () => resolve(said));
  });
  if (!existsSync(attempts)) throw new Error(`the tests did not run:\n${text}`);
  return readFileSync(attempts, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** @typedef {readonly [test: Attempt, check: Check, rank: number]} Pair */

/** @param {readonly Pair[]} pairs @returns {import('./teeth/runner.ts').Plan} */
function planOf(pairs) {
  /** @type {Record<string, number[]>} */
  const plan = {};
  for (const [{ file, test }, { number }] of pairs) {
    plan[`${file}\0${test}`] ??= [];
    plan[`${file}\0${test}`]?.push(number);
  }
  return plan;
}

const isContinued = (/** @type {Pair} */ [{ file }]) => CONTINUED.test(file);

/**
 * @param {string} folder
 *
 * @param {string} server @param {readonly Pair[]} pairs @param {number} [without] @returns {Promise<Attempt[]>}
 */
async function runAll(folder, server, pairs, without) {
  if (pairs.length === 0) return [];
  const files = [...new Set(pairs.map(([{ file }]) => file))];
  return run(folder, server, files, planOf(pairs), without);
}

/** @param {readonly Check[]} chosen @param {string} folder @param {string} server @param {readonly Attempt[]} sound */
async function judge(chosen, folder, server, sound) {
  const pairs = chosen.flatMap((check) =>
    witnesses(check, sound).map((test, rank) => /** @type {const} */ ([test, check, rank])),
  );
  /** @type {Attempt[]} */
  const attempts = [];
  let done = 0;
  for (const until of ROUNDS) {
    const open = new Set(chosen.filter((check) => rowOf(check, sound, attempts).failing.length === 0));
    const now = pairs.filter(([, check, rank]) => rank >= done && rank < until && open.has(check));
    done = until;
    if (now.length === 0) continue;
    console.error(`teeth: ${now.length} runs of tests, each without one check`);
    const [continued, alone] = [now.filter(isContinued), now.filter((pair) => !isContinued(pair))];
    attempts.push(...(await runAll(folder, server, alone)));
    // Run several at once: each mostly waits for the server to look at changed files.
    const numbers = [...new Set(continued.map(([, check]) => check.number))];
    const worker = async () => {
      for (let number = numbers.pop(); number !== undefined; number = numbers.pop()) {
        const own = continued.filter(([, check]) => check.number === number);
        attempts.push(...(await runAll(folder, server, own, number)));
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() + 1 }, worker));
  }
  return chosen.map((check) => rowOf(check, sound, attempts));
}

async function main() {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const { checks, sources } = switchedSources(ROOT);
  const chosen = checks.filter(({ check, file }) => check.includes(values.only) || file.includes(values.only));
  if (chosen.length === 0) {
    console.error(`teeth: no check has "${values.only}" in its name`);
    return 2;
  }
  if (values.list) {
    for (const { check, file, line, named } of chosen) console.log(`${file}:${line}: ${[...named, check].join(': ')}`);
    return 0;
  }
  const started = Date.now();
  const folder = mkdtempSync(join(tmpdir(), 'teeth-'));
  try {
    const server = await switchedProject(folder, sources);
    console.error(`teeth: ${chosen.length} checks; the tests with all of them in their place`);
    const sound = await run(folder, server, testFiles());
    const isFailed = (/** @type {Attempt} */ { error }) => error !== undefined;
    // On a busy machine, a test that waits for processes may fail. Its whole file runs once more, and is named.
    const again = [...new Set(sound.filter(isFailed).map(({ file }) => file))];
    if (again.length > 0) {
      console.error(`teeth: a test failed with every check in place; once more: ${again.join(', ')}`);
      const others = sound.filter(({ file }) => !again.includes(file));
      sound.splice(0, sound.length, ...others, ...(await run(folder, server, again)));
    }
    const failed = sound.filter(isFailed);
    if (failed.length > 0) {
      console.error(
        `teeth: tests fail with every check in place:\n${failed.map(({ test, error }) => `${test}: ${error}`).join('\n')}`,
      );
      return 1;
    }
    const rows = await judge(chosen, folder, server, sound);
    const toothless = rows.filter(({ failing }) => failing.length === 0);
    const seconds = Math.round((Date.now() - started) / 1000);
    if (values.json) {
      const document = { sharp: toothless.length === 0, tests: sound.length, seconds, checks: rows };
      process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    } else {
      process.stdout.write(`${table(rows)}\n`);
    }
    console.error(
      toothless.length === 0
        ? `teeth: each of ${rows.length} checks has a test that fails without it (${seconds} s)`
        : `teeth: ${toothless.length} of ${rows.length} checks have none (${seconds} s):\n${table(toothless)}`,
    );
    return toothless.length === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function testFiles() {
  return readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .map((path) => `test/${path}`)
    .filter((path) => TESTS.test(path));
}

try {
  process.exitCode = await main();
} catch (error) {
  const { code, message, stack } = /** @type {NodeJS.ErrnoException} */ (error);
  const misuse = code?.startsWith('ERR_PARSE_ARGS') === true;
  console.error(misuse ? `teeth: ${message}\n${USAGE}` : `teeth: ${stack}`);
  process.exitCode = misuse ? 2 : 1;
}
