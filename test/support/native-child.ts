/** Runs scenarios of test/native/child.ts, which load the native addon, in processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';
import { bundler } from './bundle.ts';

const ADDON = fileURLToPath(new URL('../../build/Release/tpm_attestor.node', import.meta.url));

/** The addon under test. A sanitizer run sets another one. */
export const addonFile: string = process.env['TPM_ATTESTOR_ADDON'] ?? ADDON;

const preload = process.env['ADDON_PRELOAD'] === undefined ? {} : { LD_PRELOAD: process.env['ADDON_PRELOAD'] };

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The words that it printed. */
  readonly said: readonly string[];
  readonly stderr: string;
}

export interface NativeChild {
  readonly process: ChildProcess;
  /** Resolves when it has printed `word`. */
  said(word: string): Promise<void>;
  readonly ended: Promise<Ending>;
}

export interface ChildOptions {
  readonly nodeOptions?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** Bundles test/native/child.ts once for a test file. The returned function starts a scenario. */
export function nativeChildren(): (scenario: string, tcti: string, options?: ChildOptions) => NativeChild {
  let folder = '';
  const started = new Set<ChildProcess>();
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'native-child-'));
    const outfile = 'dist/test-native-child.cjs';
    await writeFile(
      join(folder, 'child.cjs'),
      await bundler.bundle({ entry: 'test/native/child.ts', outfile, plugin: false, forbidden: [] }),
    );
  });
  afterAll(async () => {
    for (const child of started) child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  return (scenario, tcti, { nodeOptions = [], env = {} } = {}) => {
    const child = spawn(process.execPath, [...nodeOptions, join(folder, 'child.cjs'), scenario, tcti], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...preload, TPM_ATTESTOR_ADDON: addonFile, ...env },
    });
    started.add(child);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const words = (): readonly string[] => stdout.split('\n').filter((word) => word !== '');
    const ended = new Promise<Ending>((resolve) => {
      child.once('close', (code, signal) => {
        started.delete(child);
        resolve({ code, signal, said: words(), stderr });
      });
    });
    const said = (word: string): Promise<void> =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (words().includes(word)) resolve();
        };
        look();
        child.stdout.on('data', look);
        child.once('close', () => reject(new Error(`the child ended without saying ${word}: ${stderr}`)));
      });
    return { process: child, said, ended };
  };
}
