/**
 * Which bytes a digest covers. The data of an event are what somebody wrote beside its digest. They say something only where
 * the digest is recomputed from them, by a rule that has a name.
 */
import { type Bank, isDigestOf } from './banks.ts';
import { digestIn, type LogEvent } from './event.ts';
import { EVENT_TYPES, eventTypeName } from './event-types.ts';
import { LittleEndianReader } from './little-endian.ts';
import { readUefiVariable } from './uefi-variable.ts';

/** Which bytes of an event its digest covers. */
export type BindingRule =
  /** All data. */
  | 'whole'
  /** All data but the NUL at the end. */
  | 'without-nul'
  /** All data and one NUL more, which the log lacks. */
  | 'with-nul'
  /** All data but one stray byte at the end (shim before release 15). */
  | 'minus-last-byte'
  /** The data of the variable, without its name. */
  | 'variable-data'
  /** What follows the first colon and blank, without NUL (GRUB). */
  | 'after-colon'
  /** The same with its NUL. */
  | 'after-colon-with-nul'
  /** The ASCII form of a UTF-16 label, with one NUL (systemd-stub). */
  | 'section-name'
  /** The word of a userspace record. */
  | 'word';

/** That a digest was recomputed from the data of its event. */
export interface Binding {
  readonly rule: BindingRule;
  /** The bytes that were hashed. */
  readonly hashed: Uint8Array;
}

/** By event type: the rules that are tried, in this order. A type that is not here binds its data as a whole, or not. */
const RULES: ReadonlyMap<number, readonly BindingRule[]> = new Map([
  [EVENT_TYPES.EV_NO_ACTION, []],
  [EVENT_TYPES.EV_ACTION, ['whole', 'without-nul']],
  [EVENT_TYPES.EV_EFI_ACTION, ['whole', 'without-nul']],
  [EVENT_TYPES.EV_EFI_VARIABLE_AUTHORITY, ['whole', 'minus-last-byte']],
  [EVENT_TYPES.EV_EFI_VARIABLE_BOOT, ['whole', 'variable-data']],
]);

/** EV_IPL has no meaning of its own: boot loaders use it, each in its PCRs. */
const IPL_RULES: ReadonlyMap<number, readonly BindingRule[]> = new Map([
  [8, ['after-colon', 'after-colon-with-nul', 'whole', 'without-nul']],
  [11, ['section-name', 'whole']],
  [12, ['whole', 'with-nul']],
]);

const WHOLE: readonly BindingRule[] = ['whole'];

/** Undefined where no rule of the type gives the digest, and for a type that is not known. */
export function bindingOf(event: LogEvent, bank: Bank): Binding | undefined {
  const digest = digestIn(event, bank);
  if (digest === undefined) return undefined;
  if (event.log === 'userspace') {
    const { word } = event;
    return word !== undefined && isDigestOf(digest, bank, word) ? { rule: 'word', hashed: word } : undefined;
  }
  for (const rule of rulesOf(event.type, event.pcr)) {
    const hashed = HASHED[rule](event.data);
    if (hashed !== undefined && isDigestOf(digest, bank, hashed)) return { rule, hashed };
  }
  return undefined;
}

function rulesOf(type: number, pcr: number): readonly BindingRule[] {
  if (eventTypeName(type) === undefined) return [];
  return (type === EVENT_TYPES.EV_IPL ? IPL_RULES.get(pcr) : RULES.get(type)) ?? WHOLE;
}

/** What each rule hashes; undefined where it has nothing to say of such data. */
const HASHED: Readonly<Record<BindingRule, (data: Uint8Array) => Uint8Array | undefined>> = {
  whole: (data) => data,
  'without-nul': (data) => (data.at(-1) === 0 ? data.subarray(0, -1) : undefined),
  'with-nul': (data) => Buffer.concat([data, Uint8Array.of(0)]),
  'minus-last-byte': (data) => (data.length > 0 ? data.subarray(0, -1) : undefined),
  'variable-data': (data) => readUefiVariable(data)?.data,
  'after-colon': (data) => afterColon(data),
  'after-colon-with-nul': (data) => afterColon(data, 1),
  'section-name': sectionName,
  word: () => undefined,
};

function afterColon(data: Uint8Array, nuls = 0): Uint8Array | undefined {
  const colon = data.indexOf(0x3a);
  if (colon < 0 || data[colon + 1] !== 0x20) return undefined;
  const hasNul = data.at(-1) === 0;
  if (!hasNul) return nuls === 0 ? data.subarray(colon + 2) : undefined;
  return data.subarray(colon + 2, data.length - 1 + nuls);
}

function sectionName(data: Uint8Array): Uint8Array | undefined {
  const reader = new LittleEndianReader(data);
  const name: number[] = [];
  while (reader.remaining > 0) {
    const unit = reader.u16();
    if (unit === undefined || unit > 0x7e) return undefined;
    name.push(unit);
  }
  return name.indexOf(0) === name.length - 1 ? Uint8Array.from(name) : undefined;
}
