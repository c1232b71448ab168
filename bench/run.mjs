#!/usr/bin/env node
// Measures this product beside what it can be compared with, in one run.
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const ROOT = new URL('..', import.meta.url);
/** Each a file beside this one that exports `measure({ root, folder })` and returns rows (row.ts). */
const SUBJECTS = ['verifier', 'chain', 'plugin', 'reload', 'tpm', 'spire', 'flood'];
const USAGE = `Usage: npm run --silent bench -- [SUBJECT...] [--json]

Subjects: ${SUBJECTS.join(', ')} (default: all).
Each row is the median of many rounds (and the best) and, where there is something to compare with, how many times the
value of the row named beside it. Times are processor time. The machine's noise is in the values more than in the ratios.
  --json  one document on standard output: {node, go, cpus, subjects: {NAME: [{name, value, best, unit, ratio, of, note?}]}}
Exit codes: 0 done, 2 usage, 3 the system failed
`;

/** @param {string} subject @param {string} folder */
async function load(subject, folder) {
  const outfile = join(folder, `${subject}.mjs`);
  await build({
    entryPoints: [new URL(`bench/${subject}.ts`, ROOT).pathname],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    define: { 'import.meta.url': JSON.stringify(new URL('src/testing/software-tpm.ts', ROOT).href) },
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    logLevel: 'warning',
  });
  return import(pathToFileURL(outfile).href);
}

/** @param {string} subject @param {import('./row.ts').Row[]} rows */
function print(subject, rows) {
  console.log(`${subject}`);
  for (const { name, value, best, unit, ratio, of, note } of rows) {
    const figure = value === null || best === null ? '–' : `${value.toFixed(0)} (${best.toFixed(0)}) ${unit}`;
    const times = ratio === null ? '' : `${ratio.toFixed(2)} ×`;
    console.log(
      `${figure.padStart(22)}  ${times.padStart(7)}  ${name}${of === null ? '' : ` / ${of}`}${note ? ` (${note})` : ''}`,
    );
  }
}

async function main() {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean', default: false }, help: { type: 'boolean' } },
    allowPositionals: true,
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const unknown = positionals.find((name) => !SUBJECTS.includes(name));
  if (unknown !== undefined) {
    console.error(`bench: there is no subject "${unknown}"\n${USAGE}`);
    return 2;
  }
  process.env.TSS2_LOG ??= 'all+NONE';
  process.env.TPM_ATTESTOR_ADDON ??= new URL('build/Release/tpm_attestor.node', ROOT).pathname;
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  try {
    /** @type {Record<string, import('./row.ts').Row[]>} */
    const subjects = {};
    for (const subject of positionals.length > 0 ? positionals : SUBJECTS) {
      const { measure } = await load(subject, folder);
      subjects[subject] = await measure({ root: ROOT, folder });
      if (!values.json) print(subject, subjects[subject]);
    }
    if (values.json) {
      const go = spawnSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' }).stdout?.trim() ?? null;
      const document = { node: process.version, go, cpus: availableParallelism(), subjects };
      process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    }
    return 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  const { code, message, stack } = /** @type {NodeJS.ErrnoException} */ (error);
  const misuse = String(code).startsWith('ERR_PARSE_ARGS');
  console.error(misuse ? `bench: ${message}\n${USAGE}` : `bench: ${stack}`);
  process.exitCode = misuse ? 2 : 3;
}
