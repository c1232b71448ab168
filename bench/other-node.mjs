// Another Node.js to measure on, from npm, kept in the user's cache.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * @param {string} version as npm knows it: `22`, `24.1.0`
 * @returns {Promise<string>} the executable
 */
export async function otherNode(version) {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const folder = join(cache, 'tpm-attestor-bench', `node-${version}`);
  const executable = join(folder, 'node_modules', 'node', 'bin', 'node');
  if (existsSync(executable)) return executable;
  await mkdir(folder, { recursive: true });
  // The package fetches the binary of this platform by a script of its own, which a .npmrc may forbid by default.
  const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts=false', '--allow-scripts=node'];
  await run('npm', ['install', '--prefix', folder, ...options, `node@${version}`], { timeout: 300_000 });
  return executable;
}
