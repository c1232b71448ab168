/** A genuine spire-server or spire-agent as a child process. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { SpireLog } from './spire-log.ts';

/** SPIRE or what it needs could not be had, or did not start. */
class SpireError extends Error {
  override readonly name = 'SpireError';
  readonly code = 'ERR_SPIRE';
}

export interface SpireExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SpireProcessOptions {
  /** Arguments of setpriv that change the user it runs as. */
  readonly as?: readonly string[];
  /** A command that in the end becomes the one it is given. */
  readonly under?: readonly string[];
  /** Where it and its plugins have their sockets, which outlive a plugin that is killed. Default: that of this process. */
  readonly temporary?: string;
}

export interface SpireCommandOutput {
  readonly stdout: string;
  readonly stderr: string;
}

/** SPIRE drains for up to ten seconds and ends its plugins one after the other. */
const STOP_TIMEOUT_MS = 30_000;
const INSTALL = fileURLToPath(new URL('../../scripts/spire/install', import.meta.url));
const run = promisify(execFile);

/**
 * The folder of spire-server and spire-agent, built first where they are missing, with the progress on standard error.
 *
 * @throws SpireError with what is missing
 */
export async function spireFolder(): Promise<string> {
  const child = spawn(INSTALL, { stdio: ['ignore', 'pipe', 'inherit'] });
  let folder = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    folder += text;
  });
  const [code] = await once(child, 'close').catch((cause) => {
    throw new SpireError('cannot run scripts/spire/install: SPIRE is run from a checkout', { cause });
  });
  if (code !== 0) throw new SpireError('spire-server and spire-agent cannot be had, see above');
  return folder.trim();
}

/** Runs one of SPIRE's commands to its end. Rejects, with `stdout`, `stderr` and `code`, when it fails. */
export async function spireCommand(file: string, args: readonly string[]): Promise<SpireCommandOutput> {
  return run(file, [...args], { encoding: 'utf8' });
}

export class SpireProcess {
  readonly log: SpireLog = new SpireLog();
  readonly exited: Promise<SpireExit>;
  readonly #child: ChildProcess;

  /**
   * In a process group of its own, so that a signal to the group is what Ctrl-C sends; the kernel ends it with this process.
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
    // `close` waits for the pipes, which plugins share: it is the end of the last of them.
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

  /** To SPIRE and to its plugins, which are of its group. */
  killGroup(signal: NodeJS.Signals): void {
    if (this.running) process.kill(-this.pid, signal);
  }

  /** The ordered stop; what does not end by it is killed. */
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
