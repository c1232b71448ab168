/** The process of a plugin under test: starts it, reads its handshake line and its log. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  APP_PROTOCOL_VERSION,
  MAGIC_COOKIE,
  type PluginEnvironment,
  parseHandshake,
} from '../../spire/plugin/handshake.ts';
import { type HostedLogRecord, hclogReader, lineSplitter } from './hclog-reader.ts';

/** The plugin could not be started, or does not speak the protocol. */
export class PluginHostError extends Error {
  override readonly name = 'PluginHostError';
  readonly code = 'ERR_PLUGIN_HOST';
  readonly remedy = 'build the plugins with "npm run build"';
}

export interface PluginExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface PluginChildOptions {
  /** Absolute path of the executable; the search path is not used. */
  readonly command: string;
  readonly args?: readonly string[];
  /** Default: the environment of this process, as in SPIRE. */
  readonly env?: PluginEnvironment;
  readonly cwd?: string;
  readonly onLog?: (record: HostedLogRecord) => void;
  /** Default one minute. */
  readonly startTimeoutMs?: number;
}

/** Number of first records that are kept, to explain why a plugin did not start. */
const KEPT_RECORDS = 8;

/** A running plugin process. */
export class PluginChild {
  readonly pid: number;
  /** Settles when the process has ended and both of its pipes are closed. */
  readonly exited: Promise<PluginExit>;
  readonly #process: ChildProcess;

  constructor(process: ChildProcess, pid: number, exited: Promise<PluginExit>) {
    this.#process = process;
    this.pid = pid;
    this.exited = exited;
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }
}

/**
 * Starts the process and waits for its handshake line.
 *
 * @returns the child, and the path of its socket
 * @throws PluginHostError with what the child logged
 */
export async function startChild(options: PluginChildOptions): Promise<{ child: PluginChild; socketPath: string }> {
  const inherited = options.env ?? process.env;
  const started = spawn(options.command, [...(options.args ?? [])], {
    cwd: options.cwd,
    env: {
      ...inherited,
      [MAGIC_COOKIE]: MAGIC_COOKIE,
      PLUGIN_PROTOCOL_VERSIONS: String(APP_PROTOCOL_VERSION),
      PLUGIN_MIN_PORT: '10000',
      PLUGIN_MAX_PORT: '25000',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // SPIRE sets PDEATHSIG, which Node.js cannot. This covers a host that exits, but not one that a signal kills.
  const killOnExit = (): void => void started.kill('SIGKILL');
  process.once('exit', killOnExit);
  const kept: HostedLogRecord[] = [];
  readLog(started, (record) => {
    if (kept.length < KEPT_RECORDS && (record.level === 'error' || record.raw !== undefined)) kept.push(record);
    options.onLog?.(record);
  });
  const exited = new Promise<PluginExit>((resolve) => {
    started.once('close', (code, signal) => {
      process.removeListener('exit', killOnExit);
      resolve({ code, signal });
    });
  });
  try {
    const line = await firstLine(started, options.startTimeoutMs ?? 60_000);
    const socketPath = parseHandshake(line);
    return { child: new PluginChild(started, started.pid ?? 0, exited), socketPath };
  } catch (error) {
    started.kill('SIGKILL');
    if (started.pid !== undefined) await exited;
    const said = kept.map((record) => [record.message, record.fields['error']].filter(Boolean).join(': '));
    throw new PluginHostError([(error as Error).message, ...said].join('\n  '), { cause: error });
  }
}

function readLog(started: ChildProcess, onRecord: (record: HostedLogRecord) => void): void {
  const read = hclogReader();
  const lines = lineSplitter((line) => {
    const record = line === '' ? undefined : read(line);
    if (record !== undefined) onRecord(record);
  });
  started.stderr?.on('data', (chunk: Uint8Array) => lines.push(chunk));
  started.stderr?.once('end', () => lines.end());
}

function firstLine(started: ChildProcess, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new PluginHostError('timeout while waiting for plugin to start')), timeoutMs);
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      act();
    };
    let found = false;
    const lines = lineSplitter((line) => {
      // Read and drop later lines, so that the pipe never fills.
      if (found) return;
      found = true;
      settle(() => resolve(line));
    });
    started.stdout?.on('data', (chunk: Uint8Array) => lines.push(chunk));
    started.once('error', (error) => settle(() => reject(new PluginHostError(`cannot run plugin: ${error.message}`))));
    started.once('close', (code, signal) => {
      const how = signal === null ? `code ${code}` : `signal ${signal}`;
      settle(() => reject(new PluginHostError(`plugin exited before its handshake line (${how})`)));
    });
  });
}
