/** Extends the events of a log as the TPM did (PC Client Platform Firmware Profile 1.06, 10.2 and 2.3.2). */
import { hash } from 'node:crypto';
import { equalBytes } from '../../bytes/bytes.ts';
import type { Bank } from '../tcg/banks.ts';
import { digestIn, type FirmwareEvent, type LogEvent } from '../tcg/event.ts';
import { EVENT_TYPES } from '../tcg/event-types.ts';

/** One PCR of one bank as the log has it. */
export interface PcrReplay {
  /** How many events were extended. */
  readonly events: number;
  /** Undefined where an event has no digest for the bank. */
  readonly value: Uint8Array | undefined;
  /** After the firmware log alone. */
  readonly firmwareValue: Uint8Array | undefined;
  /** How many events give the value that was asked for; undefined where none do. */
  readonly reached: number | undefined;
}

/** A StartupLocality record that is not applied: of another form, too late, or not the first. */
export interface IgnoredLocality {
  /** Of the event, in the list that was replayed. */
  readonly index: number;
  readonly reason: string;
}

/** What a log replays to in one bank. */
export interface Replay {
  readonly bank: Bank;
  /** Only of PCRs with events. */
  readonly pcrs: ReadonlyMap<number, PcrReplay>;
  readonly ignoredLocalities: readonly IgnoredLocality[];
}

const LOCALITY_SIGNATURE = Buffer.from('StartupLocality\0', 'latin1');
/** Dynamic launch begins them with zeros; until then they hold ones (PC Client Platform TPM Profile, 4.6.2). */
const isDynamic = (pcr: number): boolean => pcr >= 17 && pcr <= 22;

interface Running {
  /** What the TPM hashes to extend: the value, then a digest. */
  readonly block: Buffer;
  events: number;
  isComplete: boolean;
  firmwareValue: Uint8Array | undefined;
  reached: number | undefined;
}

export function initialPcr(bank: Bank, pcr: number): Uint8Array {
  return new Uint8Array(bank.digestBytes).fill(isDynamic(pcr) ? 0xff : 0);
}

/**
 * @param events firmware events before userspace ones
 * @param wanted values to reach. Userspace goes on measuring, so a prefix of its records will do; the firmware log must
 * have been extended as a whole.
 * @throws RangeError for a bank that cannot be computed
 */
export function replay(events: readonly LogEvent[], bank: Bank, wanted?: ReadonlyMap<number, Uint8Array>): Replay {
  const { digest: algorithm, digestBytes } = bank;
  if (algorithm === undefined) throw new RangeError(`${bank.name} cannot be computed`);
  const running = new Map<number, Running>();
  const ignoredLocalities: IgnoredLocality[] = [];
  let locality: number | undefined;
  let firmwareEnded = false;

  /** A copy: the block goes on changing. */
  const pcrValue = ({ block }: Running): Uint8Array => new Uint8Array(block.subarray(0, digestBytes));
  const startOf = (pcr: number): Running => {
    const block = Buffer.alloc(2 * digestBytes);
    block.set(initialPcr(bank, pcr));
    if (pcr === 0 && locality !== undefined) block[digestBytes - 1] = locality;
    return { block, events: 0, isComplete: true, firmwareValue: undefined, reached: undefined };
  };
  const endFirmware = (): void => {
    firmwareEnded = true;
    for (const [pcr, one] of running) {
      if (!one.isComplete) continue;
      one.firmwareValue = pcrValue(one);
      meets(pcr, one);
    }
  };
  const meets = (pcr: number, one: Running): void => {
    const value = wanted?.get(pcr);
    if (one.reached === undefined && value !== undefined && equalBytes(value, pcrValue(one))) one.reached = one.events;
  };

  for (const [index, event] of events.entries()) {
    if (event.log === 'userspace' && !firmwareEnded) endFirmware();
    if (event.pcr === undefined) continue;
    if (event.log === 'firmware' && event.type === EVENT_TYPES.EV_NO_ACTION) {
      const stated = startupLocality(event);
      if (stated === undefined) continue;
      const reason = localityProblem(event, stated, running.has(0), locality !== undefined);
      if (reason !== undefined) ignoredLocalities.push({ index, reason });
      else locality = stated[0];
      continue;
    }
    let one = running.get(event.pcr);
    if (one === undefined) {
      // A measurement of the H-CRTM makes the TPM start PCR 0 at 4 (Part 1, 34.3).
      if (event.pcr === 0 && event.log === 'firmware' && event.type === EVENT_TYPES.EV_EFI_HCRTM_EVENT) locality = 4;
      one = startOf(event.pcr);
      running.set(event.pcr, one);
    }
    one.events += 1;
    const digest = digestIn(event, bank);
    if (digest === undefined) one.isComplete = false;
    if (digest === undefined || !one.isComplete) continue;
    one.block.set(digest, digestBytes);
    // Half the time of a Buffer: what is hashed is short, and a log has thousands.
    one.block.write(hash(algorithm, one.block, 'binary'), 0, 'latin1');
    if (firmwareEnded) meets(event.pcr, one);
  }
  if (!firmwareEnded) endFirmware();

  const pcrs = new Map<number, PcrReplay>();
  for (const [pcr, one] of [...running].sort(byIndex)) {
    const { events: count, isComplete, firmwareValue, reached } = one;
    pcrs.set(pcr, { events: count, value: isComplete ? pcrValue(one) : undefined, firmwareValue, reached });
  }
  return { bank, pcrs, ignoredLocalities };
}

const byIndex = ([a]: readonly [number, unknown], [b]: readonly [number, unknown]): number => a - b;

/** What follows the signature; undefined for another record. */
function startupLocality({ data }: FirmwareEvent): Uint8Array | undefined {
  const length = LOCALITY_SIGNATURE.length;
  // The signature is recognized without its NUL as well, so that a record cut short is reported.
  if (!LOCALITY_SIGNATURE.subarray(0, -1).equals(data.subarray(0, length - 1))) return undefined;
  return data.subarray(length);
}

function localityProblem(
  { pcr }: FirmwareEvent,
  stated: Uint8Array,
  hasBegun: boolean,
  isKnown: boolean,
): string | undefined {
  const [locality = -1] = stated;
  // Nothing measures this record: replay shows whether it is right, and one that may not be there is not tried (A38).
  if (pcr !== 0) return `it is in PCR ${pcr}`;
  if (stated.length !== 1) return `it has ${stated.length} bytes after its signature, and not 1`;
  if (locality !== 0 && locality !== 3) return `locality ${locality} is not 0 or 3`;
  if (hasBegun) return 'PCR 0 has been extended before it';
  if (isKnown) return 'there is one before it';
  return undefined;
}
