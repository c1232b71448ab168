/** The logger of a plugin. By default it writes hclog lines to standard error. */
import { formatHclog } from './hclog.ts';
import { hostLog } from './host-log.ts';

/** In rising order of severity. SPIRE drops records below its own level, and always drops `trace`. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

export type LogFields = Readonly<Record<string, string | number | boolean>>;

export interface LogRecord {
  readonly time: Date;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every record. */
  with(fields: LogFields): Logger;
}

export interface LoggerOptions {
  /** Takes each record. Default: writes it to {@link hostLog} as one hclog JSON line. */
  readonly write?: (record: LogRecord) => void;
  /** Records below this level are dropped. Default `debug`: SPIRE filters by its own `log_level`. */
  readonly level?: LogLevel;
}

/** The logger never throws: a record that cannot be written is lost, and the attestation goes on. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const write = options.write ?? ((record) => hostLog.write(formatHclog(record)));
  return loggerWith(write, LOG_LEVELS.indexOf(options.level ?? 'debug'), {});
}

function loggerWith(write: (record: LogRecord) => void, threshold: number, base: LogFields): Logger {
  const at = (level: LogLevel) => {
    const dropped = LOG_LEVELS.indexOf(level) < threshold;
    return (message: string, fields: LogFields = {}): void => {
      if (dropped) return;
      try {
        write({ time: new Date(), level, message, fields: { ...base, ...fields } });
      } catch {
        // There is nowhere left to report it.
      }
    };
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => loggerWith(write, threshold, { ...base, ...fields }),
  };
}

/** The log fields of a caught value: its message, `code` and causes, and where it was thrown. */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: String(error) };
  const fields: Record<string, string> = { error: error.message || error.name };
  if ('code' in error && (typeof error.code === 'string' || typeof error.code === 'number')) {
    fields.code = String(error.code);
  }
  const causes: string[] = [];
  let cause = error.cause;
  while (cause !== undefined && causes.length < 4) {
    causes.push(cause instanceof Error ? cause.message : String(cause));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  if (causes.length > 0) fields.cause = causes.join(': ');
  const frame = /\n\s+at (.+)/.exec(error.stack ?? '')?.[1];
  if (frame !== undefined) fields.at = frame;
  return fields;
}
