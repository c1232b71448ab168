/** Reads the log that a plugin writes to standard error, as go-plugin in SPIRE reads it. */
import type { LogLevel } from '../../spire/log/logger.ts';

/** go-plugin splits longer lines. */
const MAX_LINE_BYTES = 65_536;

/** The log record that a host makes of one line of a plugin's standard error. */
export interface HostedLogRecord {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** The line, when it is not a well-formed hclog record and the host logs it unchanged. */
  readonly raw?: string;
}

const TAGS: readonly (readonly [string, LogLevel])[] = [
  ['[TRACE]', 'debug'],
  ['[DEBUG]', 'debug'],
  ['[INFO]', 'info'],
  ['[WARN]', 'warn'],
  ['[ERROR]', 'error'],
];

/**
 * Reads lines as go-plugin does: JSON records, lines with a level tag, lines after a panic, and all others at level
 * debug. Undefined for a record at level trace, which SPIRE drops.
 */
export function hclogReader(): (line: string) => HostedLogRecord | undefined {
  let panicked = false;
  const raw = (level: LogLevel, line: string): HostedLogRecord => ({ level, message: line, fields: {}, raw: line });
  return (line) => {
    const record = parseRecord(line);
    if (record !== 'raw') return record;
    const tag = TAGS.find(([prefix]) => line.startsWith(prefix));
    if (tag !== undefined) return raw(tag[1], line);
    if (line.startsWith('panic: ') || line.startsWith('fatal error: ')) panicked = true;
    return raw(panicked && !line.startsWith('{') ? 'error' : 'debug', line);
  };
}

function parseRecord(line: string): HostedLogRecord | undefined | 'raw' {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return 'raw';
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return 'raw';
  const {
    '@message': message,
    '@level': level,
    '@timestamp': timestamp,
    ...fields
  } = parsed as Record<string, unknown>;
  for (const [name, value] of Object.entries({ '@message': message, '@level': level, '@timestamp': timestamp })) {
    // SPIRE crashes at this line; our host logs an error instead.
    if (value !== undefined && typeof value !== 'string') {
      return { level: 'error', message: `plugin logged a record whose ${name} is not a string`, fields: {}, raw: line };
    }
  }
  if (
    timestamp !== undefined &&
    !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$/.test(timestamp as string)
  ) {
    return 'raw';
  }
  switch ((level as string | undefined)?.toLowerCase()) {
    case 'trace':
      return undefined;
    case 'debug':
    case 'info':
    case 'warn':
    case 'error':
      return {
        level: (level as string).toLowerCase() as LogLevel,
        message: (message as string | undefined) ?? '',
        fields,
      };
    default:
      return 'raw';
  }
}

/** Splits a byte stream into lines of at most 64 KiB, as go-plugin does. */
export function lineSplitter(onLine: (line: string) => void): { push(chunk: Uint8Array): void; end(): void } {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  const flush = (): void => {
    const line = Buffer.concat(pending, pendingBytes).toString('utf8').replace(/\r$/, '');
    pending = [];
    pendingBytes = 0;
    onLine(line);
  };
  return {
    push(chunk) {
      let rest = chunk;
      while (rest.length > 0) {
        const room = MAX_LINE_BYTES - pendingBytes;
        const newline = rest.indexOf(0x0a);
        if (newline >= 0 && newline <= room) {
          pending.push(rest.subarray(0, newline));
          pendingBytes += newline;
          rest = rest.subarray(newline + 1);
          flush();
        } else {
          const piece = rest.subarray(0, room);
          pending.push(piece);
          pendingBytes += piece.length;
          rest = rest.subarray(piece.length);
          if (pendingBytes >= MAX_LINE_BYTES) flush();
        }
      }
    },
    end() {
      if (pendingBytes > 0) flush();
    },
  };
}
