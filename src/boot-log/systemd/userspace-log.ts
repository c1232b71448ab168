/** systemd's log of its own measurements, tpm2-measure.log: JSON text sequences (RFC 7464), one record an extension. */
import { fromHex } from '../../bytes/bytes.ts';
import { jsonFlaw } from '../../bytes/json-text.ts';
import { type Bank, bankByName } from '../tcg/banks.ts';
import type { EventDigest, UserspaceEvent } from '../tcg/event.ts';
import { LOG_LIMITS } from '../tcg/limits.ts';
import { MalformedLogError } from '../tcg/malformed-log.ts';
import { unescaped } from './c-escape.ts';

const RECORD_SEPARATOR = 0x1e;
const LINE_FEED = 0x0a;
const DEPTH = 4;
const LAST_PCR = 23;
/** systemd cuts a longer word and ends it so: what was measured is then not in the log. */
const CUT = '...';
const CUT_CHARS = 1024;

/**
 * @param banks of the firmware log
 * @throws MalformedLogError
 */
export function readUserspaceLog(bytes: Uint8Array, banks: readonly Bank[]): readonly UserspaceEvent[] {
  if (bytes.length > LOG_LIMITS.userspaceBytes)
    throw refused('userspace.too_large', 0, 'log', `${bytes.length} bytes are over ${LOG_LIMITS.userspaceBytes}`);
  const events: UserspaceEvent[] = [];
  for (let start = 0; start < bytes.length; ) {
    if (events.length >= LOG_LIMITS.userspaceRecords)
      throw refused('userspace.too_many_records', start, 'log', `it has more than ${LOG_LIMITS.userspaceRecords}`);
    if (bytes[start] !== RECORD_SEPARATOR) throw malformed(events, start, 'does not begin with 0x1e');
    const end = bytes.indexOf(LINE_FEED, start);
    if (end < 0) throw malformed(events, start, 'has no line feed at its end: it is cut');
    events.push(readRecord(bytes.subarray(start + 1, end), banks, (reason) => malformed(events, start, reason), start));
    start = end + 1;
  }
  return events;
}

type Refuse = (reason: string) => MalformedLogError;

function readRecord(bytes: Uint8Array, banks: readonly Bank[], refuse: Refuse, offset: number): UserspaceEvent {
  const record = objectIn(bytes, refuse);
  const { pcr, content_type: contentType } = record;
  const isNvIndex = Object.hasOwn(record, 'nv_index');
  if (isNvIndex ? pcr !== undefined : !isPcr(pcr)) throw refuse(`pcr is not 0 to ${LAST_PCR}`);
  const content = contentType === 'systemd' && isObject(record['content']) ? record['content'] : {};
  const { string: word, eventType: kind } = content;
  return {
    log: 'userspace',
    offset,
    pcr: isPcr(pcr) ? pcr : undefined,
    digests: digestsOf(record['digests'], banks, refuse),
    kind: typeof kind === 'string' ? kind : undefined,
    word: typeof word === 'string' && !isCut(word) ? unescaped(word) : undefined,
  };
}

const isCut = (word: string): boolean => word.length >= CUT_CHARS && word.endsWith(CUT);

function isPcr(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= LAST_PCR;
}

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objectIn(bytes: Uint8Array, refuse: Refuse): JsonObject {
  let value: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw refuse('is not JSON');
  }
  const flaw = jsonFlaw(text, DEPTH);
  if (flaw !== undefined) throw refuse(flaw.reason);
  if (!isObject(value)) throw refuse('is not an object');
  return value;
}

/** Of the banks that the firmware log has as well: systemd may measure into more. */
function digestsOf(value: unknown, banks: readonly Bank[], refuse: Refuse): readonly EventDigest[] {
  if (!Array.isArray(value)) throw refuse('digests is not a list');
  const digests = new Map<string, EventDigest | undefined>();
  for (const one of value) {
    if (!isObject(one)) throw refuse('digests has something else than objects');
    const { hashAlg, digest: text } = one;
    const digest = typeof text === 'string' ? fromHex(text) : undefined;
    if (typeof hashAlg !== 'string' || digest === undefined)
      throw refuse('a digest has no hashAlg or no hexadecimal digits');
    const bank = bankByName(hashAlg);
    if (bank !== undefined && bank.digestBytes !== digest.length)
      throw refuse(`${digest.length} bytes are no digest of ${bank.name}`);
    if (digests.has(hashAlg)) throw refuse(`${hashAlg.slice(0, 16)} has two digests`);
    digests.set(hashAlg, bank !== undefined && banks.some(({ id }) => id === bank.id) ? { bank, digest } : undefined);
  }
  return [...digests.values()].filter((one) => one !== undefined);
}

function malformed(before: readonly unknown[], offset: number, reason: string): MalformedLogError {
  return refused('userspace.malformed', offset, `record ${before.length}`, reason);
}

function refused(
  code: 'userspace.too_large' | 'userspace.too_many_records' | 'userspace.malformed',
  offset: number,
  field: string,
  reason: string,
): MalformedLogError {
  return new MalformedLogError(code, `userspace ${field}`, offset, reason);
}
