import { spawn } from 'node:child_process';

export interface Execution {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecuteOptions {
  readonly cwd?: string;
  /** Replaces the environment. */
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
}

/** Runs a program to its end. A program that fails is a result here, not an error. */
export function execute(file: string, args: readonly string[], options: ExecuteOptions = {}): Promise<Execution> {
  const { input, ...where } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { ...where, stdio: 'pipe' });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    // The program may end without reading its input.
    child.stdin.on('error', () => undefined).end(input);
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}
