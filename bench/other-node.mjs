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
  // What the package `node` fetches for this platform, without its install script, which npm may not run.
  const name = `node-${process.platform}-${process.arch}`;
  const executable = join(folder, 'node_modules', name, 'bin', 'node');
  if (existsSync(executable)) return executable;
  await mkdir(folder, { recursive: true });
  const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts'];
  await run('npm', ['install', '--prefix', folder, ...options, `${name}@${version}`], { timeout: 300_000 });
  return executable;
}
