/** Runs a genuine spire-server or spire-agent as a child process. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { SpireLog } from './spire-log.ts';

/** SPIRE could not be installed or started. */
class SpireError extends Error {
  override readonly name = 'SpireError';
  readonly code = 'ERR_SPIRE';
}

export interface SpireExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SpireProcessOptions {
  /** Arguments of setpriv that change the user of the process. */
  readonly as?: readonly string[];
  /** A command that becomes SPIRE by exec. */
  readonly under?: readonly string[];
  /** TMPDIR of SPIRE and its plugins. A killed plugin leaves its socket there. Default: the same as of this process. */
  readonly temporary?: string;
}

export interface SpireCommandOutput {
  readonly stdout: string;
  readonly stderr: string;
}

/** SPIRE drains for up to ten seconds, and then ends its plugins one after the other. */
const STOP_TIMEOUT_MS = 30_000;
const INSTALL = fileURLToPath(new URL('../../scripts/spire/install', import.meta.url));
const run = promisify(execFile);

/**
 * The folder of spire-server and spire-agent. Builds them if they are missing, with the progress on standard error.
 *
 * @throws SpireError when they cannot be built
 */
export async function spireFolder(): Promise<string> {
  const child = spawn(INSTALL, { stdio: ['ignore', 'pipe', 'inherit'] });
  let folder = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    folder += text;
  });
  const [code] = await once(child, 'close').catch((cause) => {
    throw new SpireError('cannot run scripts/spire/install: running SPIRE needs a checkout', { cause });
  });
  if (code !== 0) throw new SpireError('spire-server and spire-agent cannot be installed; see the output above');
  return folder.trim();
}

/** Runs a SPIRE command to its end. When it fails, rejects with `stdout`, `stderr` and `code`. */
export async function spireCommand(file: string, args: readonly string[]): Promise<SpireCommandOutput> {
  return run(file, [...args], { encoding: 'utf8' });
}

export class SpireProcess {
  readonly log: SpireLog = new SpireLog();
  readonly exited: Promise<SpireExit>;
  readonly #child: ChildProcess;

  /**
   * Starts SPIRE in a process group of its own, so that a signal to the group acts like Ctrl-C. The kernel kills SPIRE
   * when this process ends.
   */
  constructor(file: string, args: readonly string[], options: SpireProcessOptions = {}) {
    const { as = [], under = [], temporary } = options;
    const child = spawn('setpriv', [...as, '--pdeathsig', 'KILL', '--', ...under, file, ...args], {
      detached: true,
      env: temporary === undefined ? process.env : { ...process.env, TMPDIR: temporary },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.log.read(child.stdout);
    this.log.read(child.stderr);
    // `close` waits for the pipes, which the plugins share. So it comes after the last plugin has ended.
    this.exited = new Promise((resolve, reject) => {
      child.once('error', (cause) => reject(new SpireError('cannot run setpriv (package util-linux)', { cause })));
      child.once('close', (code, signal) => {
        this.log.close();
        resolve({ code, signal });
      });
    });
    this.exited.catch(() => this.log.close());
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  kill(signal: NodeJS.Signals): void {
    if (this.running) this.#child.kill(signal);
  }

  /** Sends a signal to SPIRE and its plugins, which are in its process group. */
  killGroup(signal: NodeJS.Signals): void {
    if (this.running) process.kill(-this.pid, signal);
  }

  /** Stops SPIRE with SIGTERM, and kills the group when it does not end in time. */
  async stop(): Promise<SpireExit> {
    this.kill('SIGTERM');
    const timer = setTimeout(() => this.killGroup('SIGKILL'), STOP_TIMEOUT_MS);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }
}
