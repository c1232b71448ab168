#!/usr/bin/env node
// Proves that each check of the verifier is watched by a test: every finding code is made deaf in a server plugin of its
// own, and the attack tests that name the code must then fail. Nothing of this is in the product: the stub is made while
// the bundle is. Usage: teeth.mjs [--json] [CODE...]
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const ADD = 'add(code: FindingCode, message: string): void {';

const args = process.argv.slice(2);
const json = args.includes('--json');
const wanted = args.filter((arg) => !arg.startsWith('--'));
const folder = await mkdtemp(join(tmpdir(), 'teeth-'));
try {
  const codes = (await findingCodes()).filter((code) => wanted.length === 0 || wanted.includes(code));
  say('all attack tests, with the whole verifier');
  const whole = await attack(await serverWithout(undefined), []);
  if (whole.failed) throw new Error(`the attack tests fail as it is:\n${whole.output}`);

  const rows = [];
  for (const [i, code] of codes.entries()) {
    const tests = whole.attacks.filter((attack) => attack.codes.includes(code));
    say(`${i + 1}/${codes.length} ${code}: ${tests.length} attack(s)`);
    const stubbed = tests.length === 0 ? undefined : await attack(await serverWithout(code), tests);
    const admitted = stubbed?.attacks.some((attack) => attack.admitted) ?? false;
    rows.push({
      check: code,
      bites: stubbed?.failed ?? false,
      // Whether the attacker came in, or another check still stood in the way.
      without_it: stubbed === undefined ? 'no attack' : admitted ? 'admitted' : 'refused by another check',
      tests: [...new Set(tests.map(({ test }) => test))],
    });
  }
  const toothless = rows.filter(({ bites }) => !bites);
  if (json) console.log(JSON.stringify({ checks: rows, toothless: toothless.map(({ check }) => check) }, null, 2));
  else
    for (const { check, bites, without_it, tests } of rows)
      console.log(
        `${bites ? 'bites    ' : 'TOOTHLESS'} ${check} (${without_it})\n${tests.map((t) => `            ${t}\n`).join('')}`,
      );
  if (toothless.length > 0) {
    console.error(`no attack test fails without: ${toothless.map(({ check }) => check).join(', ')}`);
    process.exitCode = 1;
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

function say(line) {
  console.error(`teeth: ${line}`);
}

async function findingCodes() {
  const source = await readFile(join(ROOT, 'src/verifier/findings.ts'), 'utf8');
  return [...source.matchAll(/^ {2}'([a-z]+\.[a-z_]+)':/gm)].map(([, code]) => code);
}

/** A server plugin whose verifier overlooks one finding. */
async function serverWithout(code) {
  const outfile = join(folder, `server-${code ?? 'whole'}.cjs`);
  await build({
    entryPoints: [join(ROOT, 'src/server-plugin/main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    logLevel: 'error',
    plugins: [{ name: 'stub', setup: (esbuild) => esbuild.onLoad({ filter: /verifier\/verdict\.ts$/ }, deaf) }],
  });
  return outfile;

  async function deaf({ path }) {
    const source = await readFile(path, 'utf8');
    if (!source.includes(ADD)) throw new Error(`${path} has no "${ADD}" to stub`);
    const stub = code === undefined ? '' : `if (code === '${code}') return;`;
    return { contents: source.replace(ADD, `${ADD} ${stub}`), loader: 'ts' };
  }
}

/** Runs the given attacks, or all, against a server. */
async function attack(server, tests) {
  const record = join(folder, 'record.jsonl');
  await writeFile(record, '');
  const names = [...new Set(tests.map(({ test }) => test.replaceAll(' > ', ' ')))];
  const pattern = names.map((name) => `^${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`).join('|');
  const files = tests.length === 0 ? ['test/attacks'] : [...new Set(tests.map(({ file }) => file))];
  const selection = tests.length === 0 ? files : [...files, '-t', pattern];
  const env = { ...process.env, TPM_ATTESTOR_SERVER: server, TPM_ATTESTOR_ATTACK_RECORD: record };
  const { failed, output } = await new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', ...selection],
      { cwd: ROOT, env, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => resolve({ failed: error !== null, output: `${stdout}${stderr}` }),
    );
  });
  // Nothing selected is an error of ours, not a bite.
  if (failed && !/Tests .*(failed|passed)/.test(output)) throw new Error(`vitest did not run the tests:\n${output}`);
  const attacks = (await readFile(record, 'utf8'))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
    .filter(({ kind }) => kind === 'attack');
  return { failed, output, attacks };
}
