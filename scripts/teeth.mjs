// Takes each check out of the server plugin, and some out of the agent, and requires that a named test fails for it: a
// check that can go without a test noticing is not one. The sources themselves are never changed.

import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundle, EXECUTABLES } from './bundle.mjs';
import { stubs } from './teeth/stubs.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const USAGE = `Usage: npm run --silent teeth -- [--json] [--only TEXT]

Stubs each check of the server plugin out in turn and runs the attack tests that have to do with it. For a check of the
agent it runs one test of the agent.
  --json       one document on standard output
  --only TEXT  only checks whose name holds TEXT
Exit codes: 0 every check has a test that fails without it, 1 one has none or the tests fail as they are, 2 usage
`;

/**
 * @typedef {{ kind: 'attack' | 'control', test: string, file: string, admitted: boolean, codes?: string[] }} Attack
 * @typedef {{ name: string, file: string }} Test
 * @typedef {{ passed: Test[], failed: Test[], attacks: Attack[], errors: string }} Run
 * @typedef {{ check: string, about: string, failing: string[], admitted: string[], error?: string }} Row
 */

/**
 * Runs attack tests against the given server executable, or the product's own.
 * @param {string} folder for what the run writes
 * @param {{ server?: string, tests?: Test[], root?: string }} [of] `root`: of the sources and tests
 * @returns {Promise<Run>}
 */
async function runTests(folder, { server, tests, root = ROOT } = {}) {
  mkdirSync(folder, { recursive: true });
  const [record, report] = [join(folder, 'attacks.jsonl'), join(folder, 'report.json')];
  const files = tests === undefined ? ['test/attacks'] : [...new Set(tests.map(({ file }) => file))];
  const named = tests?.map(({ name }) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|');
  const args = [
    'node_modules/vitest/vitest.mjs',
    'run',
    ...files,
    '--reporter=json',
    `--outputFile=${report}`,
    '--testTimeout=30000',
  ];
  // Names of the agent's tests begin with those of their groups.
  const { text } = await execute(root, named === undefined ? args : [...args, '-t', `(^|\\s)(${named})$`], {
    ...process.env,
    TPM_ATTESTOR_ATTACK_RECORD: record,
    ...(server === undefined ? {} : { TPM_ATTESTOR_SERVER: server }),
  });
  if (!existsSync(report)) throw new Error(`the tests did not run:\n${text}`);
  /** @type {{ testResults: { name: string, assertionResults: { title: string, status: string, failureMessages: string[] }[], message: string }[] }} */
  const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
  const results = testResults.flatMap(({ name: file, assertionResults }) =>
    assertionResults.map(({ title: name, status, failureMessages }) => ({ name, file, status, failureMessages })),
  );
  const lines = existsSync(record) ? readFileSync(record, 'utf8').trim().split('\n') : [];
  return {
    passed: results.filter(({ status }) => status === 'passed'),
    failed: results.filter(({ status }) => status === 'failed'),
    attacks: lines.map((line) => JSON.parse(line)),
    errors: [...testResults.map(({ message }) => message), ...results.flatMap((r) => r.failureMessages)]
      .filter((message) => message !== '')
      .join('\n'),
  };
}

/** @param {string} cwd @param {string[]} args @param {NodeJS.ProcessEnv} env @returns {Promise<{ text: string }>} */
function execute(cwd, args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (more) => (text += more));
    child.once('error', reject);
    child.once('close', () => resolve({ text }));
  });
}

/** @param {import('./teeth/stubs.mjs').Stub} stub @param {string} folder */
async function buildStubbed(stub, folder) {
  const executable = EXECUTABLES.find(({ outfile }) => outfile.endsWith('tpm-attestor-server.cjs'));
  if (executable === undefined) throw new Error('scripts/bundle.mjs makes no server executable');
  cpSync(join(ROOT, 'src'), join(folder, 'src'), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  stub.apply(folder);
  const server = join(folder, 'server.cjs');
  writeFileSync(server, await bundle(executable, folder));
  return server;
}

/**
 * @param {import('./teeth/stubs.mjs').Stub} stub
 * @param {Map<string, { test: string, file: string, codes: string[] }>} known attack tests by file and name
 * @param {string} folder
 * @returns {Promise<Row>}
 */
async function judge(stub, known, folder) {
  const { check, about } = stub;
  const row = { check, about, failing: /** @type {string[]} */ ([]), admitted: /** @type {string[]} */ ([]) };
  if (stub.agentTest !== undefined) return { ...row, ...(await judgeAgent(stub, stub.agentTest, folder)) };
  const tests = [...known.values()].filter(stub.concerns).map(({ test: name, file }) => ({ name, file }));
  if (tests.length === 0) return { ...row, error: 'no attack test names it' };
  const run = await runTests(join(folder, 'run'), { server: await buildStubbed(stub, folder), tests });
  // A server that does not work at all refuses everybody, and would fail every test.
  const broken = run.attacks.some(({ kind, admitted }) => kind === 'control' && !admitted);
  if (broken || run.passed.length + run.failed.length === 0)
    return { ...row, error: `the stubbed server does not admit an honest machine:\n${run.errors}` };
  const admitted = run.attacks.filter((attack) => attack.kind === 'attack' && attack.admitted);
  return {
    ...row,
    failing: run.failed.map(({ name }) => name),
    admitted: [...new Set(admitted.map(({ test }) => test))],
  };
}

/**
 * @param {import('./teeth/stubs.mjs').Stub} stub
 * @param {Test} test
 * @param {string} folder
 * @returns {Promise<{ failing: string[], error?: string }>}
 */
async function judgeAgent(stub, test, folder) {
  const root = join(folder, 'project');
  for (const part of ['src', 'test/agent', 'test/support', 'package.json', 'vitest.config.ts'])
    cpSync(join(ROOT, part), join(root, part), { recursive: true });
  for (const part of ['node_modules', 'build', 'scripts', 'dist']) symlinkSync(join(ROOT, part), join(root, part));
  const sound = await runTests(join(folder, 'sound'), { tests: [test], root });
  if (sound.passed.length !== 1) return { failing: [], error: `the test does not pass as it is:\n${sound.errors}` };
  stub.apply(root);
  const { failed } = await runTests(join(folder, 'stubbed'), { tests: [test], root });
  return { failing: failed.map(({ name }) => name) };
}

/** @template T, R @param {readonly T[]} items @param {number} width @param {(item: T) => Promise<R>} work @returns {Promise<R[]>} */
async function inParallel(items, width, work) {
  /** @type {R[]} */
  const results = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [i, item] of queue) results[i] = await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}

/** @param {Row} row */
function outcome({ failing, admitted, error }) {
  if (error !== undefined) return 'NO RESULT';
  if (failing.length === 0) return 'NO TEST FAILS';
  return admitted.length > 0 ? 'attacker admitted' : 'refused, unnamed';
}

/** @param {Row[]} rows */
function table(rows) {
  const width = Math.max(...rows.map(({ check }) => check.length));
  return rows
    .map((row) => {
      const tests = row.error === undefined ? row.failing : [row.error];
      const indent = ' '.repeat(width + 21);
      return `${row.check.padEnd(width)}  ${outcome(row).padEnd(17)}  ${tests.join(`\n${indent}`)}`;
    })
    .join('\n');
}

async function main() {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const chosen = stubs(ROOT).filter(({ check }) => check.includes(values.only));
  if (chosen.length === 0) {
    console.error(`teeth: no check has "${values.only}" in its name`);
    return 2;
  }
  const started = Date.now();
  const folder = mkdtempSync(join(tmpdir(), 'teeth-'));
  try {
    console.error('teeth: the attack tests as they are');
    const whole = await runTests(join(folder, 'whole'));
    if (whole.failed.length > 0 || whole.passed.length === 0) {
      console.error(`teeth: they fail with every check in its place\n${whole.errors}`);
      return 1;
    }
    const known = attackTests(whole);
    let done = 0;
    const rows = await inParallel(chosen, Math.min(availableParallelism(), 4), async (stub) => {
      const work = join(folder, `stub-${chosen.indexOf(stub)}`);
      mkdirSync(work);
      const row = await judge(stub, known, work);
      rmSync(work, { recursive: true });
      done += 1;
      console.error(`teeth: ${done} of ${chosen.length}: ${row.check}: ${outcome(row)}`);
      return row;
    });
    const toothless = rows.filter(({ failing, error }) => failing.length === 0 || error !== undefined);
    const seconds = Math.round((Date.now() - started) / 1000);
    if (values.json) {
      const document = { sharp: toothless.length === 0, attack_tests: whole.passed.length, seconds, checks: rows };
      process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    } else {
      process.stdout.write(`${table(rows)}\n`);
    }
    console.error(
      toothless.length === 0
        ? `teeth: each of ${rows.length} checks has a test that fails without it (${seconds} s)`
        : `teeth: nothing fails without: ${toothless.map(({ check }) => check).join(', ')}`,
    );
    return toothless.length === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Tests on a real TPM are left to the run as it is: they cost seconds each and name no check of their own. @param {Run} whole */
function attackTests({ passed, attacks }) {
  const known = new Map();
  for (const { name: test, file } of passed) {
    if (!file.endsWith('tpm.test.ts')) known.set(`${file}\0${test}`, { test, file, codes: [] });
  }
  for (const { test, file, codes = [] } of attacks) known.get(`${file}\0${test}`)?.codes.push(...codes);
  return known;
}

try {
  process.exitCode = await main();
} catch (error) {
  const { code, message, stack } = /** @type {NodeJS.ErrnoException} */ (error);
  const misuse = code?.startsWith('ERR_PARSE_ARGS') === true;
  console.error(misuse ? `teeth: ${message}\n${USAGE}` : `teeth: ${stack}`);
  process.exitCode = misuse ? 2 : 1;
}
