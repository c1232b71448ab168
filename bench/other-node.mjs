// Fetches another version of Node.js from npm for a measurement, and keeps it in the user's cache.
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
  // The package with the executable for this platform. The package `node` would fetch it by an install script.
  const name = `node-${process.platform}-${process.arch}`;
  const executable = join(folder, 'node_modules', name, 'bin', 'node');
  if (existsSync(executable)) return executable;
  await mkdir(folder, { recursive: true });
  const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts'];
  await run('npm', ['install', '--prefix', folder, ...options, `${name}@${version}`], { timeout: 300_000 });
  return executable;
}
