// Bundles each executable into one file in dist/bin. Refuses a bundle that contains a source which its program must not
// use. Does nothing when no source has changed, so scripts/setup always calls it.

import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

// One arena for all threads: otherwise each thread's arena keeps memory, 5 MB after some hundred attestations.
const SHEBANG = '#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node';
const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** @type {{ engines: { node: string } }} `">=20.19"` */
const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

// Libraries that issue certificates belong to test PKIs and the CLI. Plugins run for months without using them.
const ISSUING = [/node_modules\/@peculiar\/x509\//, /node_modules\/pkijs\//];
// A verifier never opens a TPM. Without native code, a flaw in native code cannot affect it.
const NATIVE = [/(^|\/)src\/tpm\/device\/native\.ts$/, /\.node$/];
// The operators' command contains no attacks and starts no software TPM.
const ATTACKING = [/(^|\/)src\/(testing|cli\/demo)\//];

/**
 * One executable: its entry point, its file, whether SPIRE runs it, and patterns of input files that must not be in it.
 * @typedef {{ entry: string, outfile: string, plugin: boolean, forbidden: RegExp[] }} Executable
 */

/** @type {Executable[]} */
export const EXECUTABLES = [
  { entry: 'src/cli/main.ts', outfile: 'dist/bin/tpm-attestor.cjs', plugin: false, forbidden: ATTACKING },
  { entry: 'src/cli/demo/main.ts', outfile: 'dist/bin/tpm-attestor-demo.cjs', plugin: false, forbidden: [] },
  { entry: 'src/agent-plugin/main.ts', outfile: 'dist/bin/tpm-attestor-agent.cjs', plugin: true, forbidden: ISSUING },
  {
    entry: 'src/server-plugin/main.ts',
    outfile: 'dist/bin/tpm-attestor-server.cjs',
    plugin: true,
    forbidden: [...ISSUING, ...NATIVE],
  },
];

const ADDON = { from: 'build/Release/tpm_attestor.node', to: 'dist/bin/tpm_attestor.node' };

/**
 * Builds one executable and returns its bytes, without writing them.
 * @param {Executable} executable
 * @param {string} root folder that `entry` is relative to
 */
export async function bundle({ entry, outfile, plugin, forbidden }, root = ROOT) {
  const { build } = await import('esbuild');
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    // Node.js reads and compiles text with one byte per character faster than with two.
    charset: 'ascii',
    legalComments: 'eof',
    // CommonJS has no import.meta; modules find the files beside them through it.
    banner: {
      js: `${refusalOfOldNode(plugin)}\nconst import_meta_url = require('node:url').pathToFileURL(__filename).href;`,
    },
    define: { 'import.meta.url': 'import_meta_url' },
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
  const trespassers = Object.keys(metafile.inputs).filter((input) => forbidden.some((pattern) => pattern.test(input)));
  if (trespassers.length > 0) {
    const reasons = trespassers.map((input) => `  ${input} <- ${importers(metafile, input).join(', ')}`);
    throw new Error(`${outfile} must not contain:\n${reasons.join('\n')}`);
  }
  const text = outputFiles[0]?.text ?? '';
  return text.startsWith('#!') ? text : `${SHEBANG}\n${text}`;
}

/**
 * The first statement of an executable, which refuses an old Node.js and runs on it. A plugin reports the refusal as a
 * line of hclog, so that it appears in SPIRE's log.
 * @param {boolean} plugin
 */
function refusalOfOldNode(plugin) {
  const [major, minor] = engines.node.replace('>=', '').split('.');
  const sentence = `'Node.js ${major}.${minor} or newer is needed, and the node in PATH is ' + process.versions.node`;
  const line = plugin
    ? `JSON.stringify({ '@level': 'error', '@message': ${sentence}, '@timestamp': new Date().toISOString().replace('Z', '000Z') })`
    : `'tpm-attestor: ' + ${sentence}`;
  return `(function (version) {
  if (version[0] > ${major} || (version[0] === ${major} && version[1] >= ${minor})) return;
  require('fs').writeSync(2, ${line} + '\\n');
  process.exit(${plugin ? 1 : 2});
})(process.versions.node.split('.').map(Number));`;
}

/** @param {import('esbuild').Metafile} metafile @param {string} path */
function importers(metafile, path) {
  return Object.entries(metafile.inputs)
    .filter(([, { imports }]) => imports.some((edge) => edge.path === path))
    .map(([input]) => input);
}

/**
 * Time of the newest file or folder under the path. Folders count, because they show removed files.
 *
 * @param {string} path
 */
function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

/** @param {string} path @param {number} since */
const isCurrent = (path, since) => existsSync(path) && statSync(path).mtimeMs >= since;

/**
 * Replaces the file in one step, because another process may be starting it.
 *
 * @param {string} path @param {(to: string) => void} write
 */
function replace(path, write) {
  mkdirSync(dirname(path), { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  write(unfinished);
  renameSync(unfinished, path);
}

async function main() {
  const inputs = ['src', 'package.json', 'package-lock.json', relative(ROOT, fileURLToPath(import.meta.url))];
  const since = Math.max(...inputs.map((path) => newest(join(ROOT, path))));
  for (const executable of EXECUTABLES) {
    const outfile = join(ROOT, executable.outfile);
    if (isCurrent(outfile, since)) continue;
    if (!existsSync(join(ROOT, executable.entry))) {
      console.error(`bundle: ${executable.entry} does not exist yet, no ${executable.outfile}`);
      continue;
    }
    console.error(`bundle: ${executable.outfile}`);
    const started = new Date();
    const text = await bundle(executable);
    replace(outfile, (to) => {
      writeFileSync(to, text);
      chmodSync(to, 0o755);
      // A source that changed while esbuild read it must count as newer.
      utimesSync(to, started, started);
    });
  }
  const addon = join(ROOT, ADDON.from);
  if (!existsSync(addon)) {
    console.error(`bundle: ${ADDON.from} is absent, so is ${ADDON.to}; scripts/setup builds it`);
  } else if (!isCurrent(join(ROOT, ADDON.to), statSync(addon).mtimeMs)) {
    replace(join(ROOT, ADDON.to), (to) => copyFileSync(addon, to));
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main().catch((error) => {
    console.error(`bundle: ${error.message}`);
    process.exitCode = 3;
  });
}
