import type { Bank } from './banks.ts';

/** One digest of an event: of the bank it was extended into. */
export interface EventDigest {
  readonly bank: Bank;
  readonly digest: Uint8Array;
}

/** TCG_PCR_EVENT or TCG_PCR_EVENT2 (PC Client Platform Firmware Profile 1.06, 10.2). */
export interface FirmwareEvent {
  readonly log: 'firmware';
  /** Of the record, in bytes from the start of the log. */
  readonly offset: number;
  /** 0xffffffff in some records of EV_NO_ACTION. */
  readonly pcr: number;
  readonly type: number;
  readonly digests: readonly EventDigest[];
  readonly data: Uint8Array;
}

/** A record of what was measured after the firmware, in systemd's userspace log. */
export interface UserspaceEvent {
  readonly log: 'userspace';
  /** Of the record, in bytes from the start of the log. */
  readonly offset: number;
  /** Undefined for a measurement into an NV index, which no PCR has. */
  readonly pcr: number | undefined;
  readonly digests: readonly EventDigest[];
  /** `phase`, `machine-id`, …: what systemd says it is. */
  readonly kind: string | undefined;
  /** The word that was measured, without systemd's escapes; undefined where the log does not have all of it. */
  readonly word: Uint8Array | undefined;
}

/** An event of either log. */
export type LogEvent = FirmwareEvent | UserspaceEvent;

/** Of that bank; undefined for an event that was not extended into it. */
export function digestIn(event: LogEvent, bank: Bank): Uint8Array | undefined {
  for (const one of event.digests) if (one.bank.id === bank.id) return one.digest;
  return undefined;
}
