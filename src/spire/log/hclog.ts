/** Log records in the JSON format of HashiCorp's hclog, which SPIRE reads from a plugin's standard error. */
import type { LogRecord } from './logger.ts';

const MAX_MESSAGE_CHARS = 1024;
const MAX_VALUE_CHARS = 256;
const MAX_KEY_CHARS = 64;
/** 48 fields of 256 characters of three bytes each stay below 64 KiB. go-plugin cuts a longer line and logs it raw. */
const MAX_FIELDS = 48;

/** Field names that SPIRE's log adapter overwrites or renames. */
const RESERVED = new Set([
  'time',
  'msg',
  'level',
  'timestamp',
  'plugin_name',
  'plugin_type',
  'subsystem_name',
  'external',
]);

/** Control characters, format characters such as bidirectional overrides, line separators and lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/**
 * Formats one record as a line of hclog JSON, newline included.
 *
 * The host uses unchecked type assertions, so `@message`, `@level` and `@timestamp` are always made strings. The
 * timestamp needs exactly six fraction digits, or the host shows the whole line raw at debug level.
 */
export function formatHclog(record: LogRecord): string {
  const line: Record<string, string | number> = Object.create(null);
  line['@level'] = String(record.level);
  line['@message'] = printable(String(record.message), MAX_MESSAGE_CHARS);
  line['@timestamp'] = record.time.toISOString().replace('Z', '000Z');
  for (const [key, value] of Object.entries(record.fields).slice(0, MAX_FIELDS)) {
    line[fieldName(key)] = fieldValue(value);
  }
  return `${JSON.stringify(line)}\n`;
}

/** Escapes everything that could move a terminal's cursor or start a new line. A text that is cut ends with `…`. */
export function printable(text: string, maxChars: number): string {
  // Cut first: the time then depends on maxChars, not on the length of the text.
  const escaped = text.slice(0, maxChars + 1).replace(UNPRINTABLE, escapeSequence);
  if (escaped.length <= maxChars) return escaped;
  return `${escaped.slice(0, maxChars - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

function escapeSequence(char: string): string {
  if (char === '\n') return '\\n';
  if (char === '\r') return '\\r';
  if (char === '\t') return '\\t';
  const hex = (char.codePointAt(0) ?? 0).toString(16);
  return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`;
}

function fieldName(key: string): string {
  const name = key.slice(0, MAX_KEY_CHARS).replace(/[^A-Za-z0-9_.-]/g, '_') || '_';
  return RESERVED.has(name) ? `${name}_` : name;
}

function fieldValue(value: unknown): string | number {
  // The host reads numbers as floats, so large integers would lose digits; they become text.
  if (
    typeof value === 'number' &&
    (Number.isSafeInteger(value) || !Number.isInteger(value)) &&
    Number.isFinite(value)
  ) {
    return value;
  }
  return printable(String(value), MAX_VALUE_CHARS);
}
