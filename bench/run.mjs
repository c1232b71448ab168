#!/usr/bin/env node
// Benchmark: measures this product and the programs to compare it with in one run.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { otherNode } from './other-node.mjs';

const ROOT = new URL('..', import.meta.url);
/** Each subject is a file in this folder that exports `measure({ root, folder })`, which returns rows (row.ts). */
const SUBJECTS = ['verifier', 'chain', 'boot-log', 'plugin', 'load', 'reload', 'tpm', 'spire', 'flood'];
const USAGE = `Usage: npm run --silent bench -- [SUBJECT...] [--node VERSION] [--json]

Subjects: ${SUBJECTS.join(', ')} (default: all).
Each row shows the median of many rounds, and the best round in parentheses. The ratio compares its best round with the
best round of the row that it names. Times are processor time. Noise affects the values more than the ratios.
  --node VERSION  measures with this Node.js (22, 24, 22.12.0), which npm fetches into your cache; default: the current one
  --json          prints one JSON document:
                  {node, openssl, go, cpus, subjects: {NAME: [{name, value, best, unit, ratio, of, note?}]}}
Exit codes: 0 done, 2 usage, 3 the system failed
`;

/** @param {string} subject @param {string} folder */
async function bundle(subject, folder) {
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
  return pathToFileURL(outfile).href;
}

/**
 * Measures a subject in a new process, without the TypeScript compiler and without garbage of other subjects.
 *
 * @param {string} node @param {string} subject @param {string} folder
 * @returns {Promise<import('./row.ts').Row[]>}
 */
async function measured(node, subject, folder) {
  const script = `
    const { measure } = await import(${JSON.stringify(await bundle(subject, folder))});
    const rows = await measure({ root: new URL(${JSON.stringify(ROOT.href)}), folder: ${JSON.stringify(folder)} });
    process.send(rows, () => process.exit());`;
  const child = spawn(node, ['--input-type=module', '-e', script], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${subject} ended with exit code ${code}`)));
  });
}

/**
 * The versions of Node.js and OpenSSL that the benchmark measures with.
 *
 * @param {string} node @returns {{ node: string, openssl: string }}
 */
function versionsOf(node) {
  const { stdout } = spawnSync(node, ['-p', 'JSON.stringify(process.versions)'], { encoding: 'utf8' });
  const { node: version, openssl } = JSON.parse(stdout);
  return { node: `v${version}`, openssl };
}

/** A note on the slower operations of an older OpenSSL. @param {string} openssl */
function opensslNote(openssl) {
  const [major = 0, minor = 0] = openssl.split('.').map(Number);
  if (major > 3 || (major === 3 && minor >= 5)) return '';
  return '; below 3.5 it takes 45 µs more to import a P-256 key, and some 30 µs more for an ECDH (Node.js 22 has 3.5)';
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
    options: { json: { type: 'boolean', default: false }, node: { type: 'string' }, help: { type: 'boolean' } },
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
  process.env.TPM_ATTESTOR_STEPS_ADDON ??= new URL('build/Release/public_key_steps.node', ROOT).pathname;
  const node = values.node === undefined ? process.execPath : await otherNode(values.node);
  const versions = versionsOf(node);
  if (!values.json)
    console.log(`Node.js ${versions.node}, OpenSSL ${versions.openssl}${opensslNote(versions.openssl)}`);
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  try {
    /** @type {Record<string, import('./row.ts').Row[]>} */
    const subjects = {};
    for (const subject of positionals.length > 0 ? positionals : SUBJECTS) {
      subjects[subject] = await measured(node, subject, folder);
      if (!values.json) print(subject, subjects[subject]);
    }
    if (values.json) {
      const go = spawnSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' }).stdout?.trim() ?? null;
      const document = { ...versions, go, cpus: availableParallelism(), subjects };
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
