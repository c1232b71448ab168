import { Writable } from 'node:stream';
import { format } from 'node:util';
import { LOG_LEVELS, type Logger, type LogLevel } from './logger.ts';

let current: Logger | undefined;

/**
 * Redirects all other output to the log: `console`, `process.stdout`, `process.stderr` and Node's warnings.
 *
 * A plugin's standard output may carry nothing but the handshake line. The two stream objects are replaced, not
 * wrapped: reading `process.stderr` once would switch the pipe to non-blocking mode.
 */
export function captureStrayOutput(logger: Logger): void {
  const installed = current !== undefined;
  current = logger;
  if (installed) return;

  for (const name of Object.keys(console) as (keyof Console)[]) {
    if (typeof console[name] !== 'function') continue;
    const level = consoleLevel(name);
    Object.defineProperty(console, name, {
      configurable: true,
      writable: true,
      value: (...values: unknown[]) => {
        if (name === 'assert' && values.shift()) return;
        current?.[level](format(...values));
      },
    });
  }
  replaceStream('stdout');
  replaceStream('stderr');
  process.removeAllListeners('warning');
  process.on('warning', (warning: Error & { readonly code?: string }) => {
    current?.warn(warning.message, { warning: warning.name, ...(warning.code && { code: warning.code }) });
  });
}

function consoleLevel(method: string): LogLevel {
  if (method === 'trace') return 'debug';
  return LOG_LEVELS.find((level) => level === method) ?? 'info';
}

function replaceStream(name: 'stdout' | 'stderr'): void {
  const sink = new Writable({
    decodeStrings: false,
    write(chunk: unknown, _encoding, callback) {
      for (const line of String(chunk).split('\n')) {
        if (line !== '') current?.debug(line, { stream: name });
      }
      callback();
    },
  });
  Object.defineProperty(process, name, { configurable: true, enumerable: true, value: sink });
}
