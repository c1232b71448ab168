/** A firmware log as bytes → its records (PC Client Platform Firmware Profile 1.06, 10.2 and 10.4.5.1). Strict. */
import { type Bank, SHA1 } from './banks.ts';
import type { EventDigest, FirmwareEvent } from './event.ts';
import { EVENT_TYPES } from './event-types.ts';
import { LOG_LIMITS } from './limits.ts';
import { LittleEndianReader } from './little-endian.ts';
import { MalformedLogError, type RefusalCode } from './malformed-log.ts';
import { isSpecId, readSpecId, type SpecId } from './spec-id.ts';

export interface FirmwareLog {
  /** `agile`: each event has a digest for each bank. `sha1`: the older format. */
  readonly format: 'agile' | 'sha1';
  /** Undefined in the SHA-1 format. */
  readonly specId: SpecId | undefined;
  readonly banks: readonly Bank[];
  /** All records but the Spec ID. */
  readonly events: readonly FirmwareEvent[];
}

/** Of a PC Client TPM. */
const LAST_PCR = 23;
const PADDING = [0x00, 0xff];

/**
 * @param areaDump the bytes are a copy of the memory area that ACPI names, padded at its end, and the registers are those
 * of a confidential machine (CCEL)
 * @throws MalformedLogError
 */
export function readFirmwareLog(input: Uint8Array, areaDump: boolean): FirmwareLog {
  if (input.length === 0) throw new MalformedLogError('log.empty', 'log', 0, 'it is empty');
  // Before the copy (A77).
  if (input.length > LOG_LIMITS.firmwareBytes)
    throw new MalformedLogError(
      'log.too_large',
      'log',
      0,
      `${input.length} bytes are over ${LOG_LIMITS.firmwareBytes}`,
    );
  // One copy: events are views into it, and the caller may reuse the bytes.
  return new LogReader(new Uint8Array(input), areaDump).read();
}

class LogReader {
  readonly #reader: LittleEndianReader;
  readonly #areaDump: boolean;
  readonly #events: FirmwareEvent[] = [];
  #start = 0;

  constructor(bytes: Uint8Array, areaDump: boolean) {
    this.#reader = new LittleEndianReader(bytes);
    this.#areaDump = areaDump;
  }

  read(): FirmwareLog {
    const first = this.#sha1Event();
    const specId = this.#specIdOf(first);
    if (specId === undefined) this.#keep(first);
    const banks = specId?.banks ?? [SHA1];
    while (this.#reader.remaining > 0 && !this.#isPadding())
      this.#keep(specId === undefined ? this.#sha1Event() : this.#agileEvent(banks));
    return { format: specId === undefined ? 'sha1' : 'agile', specId, banks, events: this.#events };
  }

  /** By type, register and signature, not by its digest, which some firmware leaves non-zero. */
  #specIdOf({ type, pcr, data }: FirmwareEvent): SpecId | undefined {
    if (type !== EVENT_TYPES.EV_NO_ACTION || !isSpecId(data)) return undefined;
    if (pcr !== 0 && !this.#areaDump)
      throw this.#refused('log.spec_id', 'pcrIndex', `${pcr} is not 0: it is no log of a TPM`);
    return readSpecId(data, this.#reader.offset - data.length);
  }

  #keep(event: FirmwareEvent): void {
    if (event.pcr > LAST_PCR && event.type !== EVENT_TYPES.EV_NO_ACTION)
      throw this.#refused('log.pcr_index', 'pcrIndex', `${event.pcr} is over ${LAST_PCR}`);
    // Each event costs a hash in each bank (A77).
    if (this.#events.length >= LOG_LIMITS.firmwareEvents)
      throw this.#refused('log.too_many_events', 'log', `it has more than ${LOG_LIMITS.firmwareEvents} events`);
    this.#events.push(event);
  }

  #sha1Event(): FirmwareEvent {
    this.#start = this.#reader.offset;
    const pcr = this.#u32('pcrIndex');
    const type = this.#u32('eventType');
    const digest = this.#bytes(SHA1.digestBytes, 'digest');
    const data = this.#data('eventDataSize');
    return { log: 'firmware', offset: this.#start, pcr, type, digests: [{ bank: SHA1, digest }], data };
  }

  #agileEvent(banks: readonly Bank[]): FirmwareEvent {
    this.#start = this.#reader.offset;
    const pcr = this.#u32('pcrIndex');
    const type = this.#u32('eventType');
    const digests = this.#digests(banks);
    return { log: 'firmware', offset: this.#start, pcr, type, digests, data: this.#data('eventSize') };
  }

  #digests(banks: readonly Bank[]): readonly EventDigest[] {
    const count = this.#u32('digestCount');
    // Before the loop (A78).
    if (count > banks.length)
      throw this.#refused('log.digests', 'digestCount', `${count} digests, and the log has ${banks.length} banks`);
    const digests: EventDigest[] = [];
    for (let i = 0; i < count; i++) {
      const id = this.#reader.u16();
      if (id === undefined) throw this.#truncated('algorithmId');
      const bank = banks.find((one) => one.id === id);
      if (bank === undefined)
        throw this.#refused('log.digests', 'algorithmId', `0x${id.toString(16)} is no algorithm of this log`);
      // Which of the two counts must not depend on the reader (A46).
      if (digests.some((other) => other.bank === bank))
        throw this.#refused('log.digests', 'algorithmId', `${bank.name} has two digests`);
      digests.push({ bank, digest: this.#bytes(bank.digestBytes, 'digest') });
    }
    return digests;
  }

  #data(field: string): Uint8Array {
    const size = this.#u32(field);
    if (size > LOG_LIMITS.eventBytes && size <= this.#reader.remaining)
      throw this.#refused('log.event_too_large', field, `${size} bytes are over ${LOG_LIMITS.eventBytes}`);
    return this.#bytes(size, 'event');
  }

  #u32(field: string): number {
    const value = this.#reader.u32();
    if (value === undefined) throw this.#truncated(field);
    return value;
  }

  #bytes(length: number, field: string): Uint8Array {
    const bytes = this.#reader.take(length);
    if (bytes === undefined) throw this.#truncated(field, `needs ${length} bytes`);
    return bytes;
  }

  /** Only of a dump: the log of a TPM ends where its bytes end. */
  #isPadding(): boolean {
    if (!this.#areaDump) return false;
    const rest = this.#reader.bytes.subarray(this.#reader.offset);
    const [first = -1] = rest;
    // A record begins with a PCR index and a type, and that of a measurement has no such bytes.
    if (!PADDING.includes(first) || (rest.length >= 8 && !rest.subarray(0, 8).every((byte) => byte === first)))
      return false;
    if (rest.every((byte) => byte === first)) return true;
    throw this.#refused('log.truncated', 'padding', 'something follows the end of the log');
  }

  #truncated(field: string, needs = 'is cut'): MalformedLogError {
    return this.#refused('log.truncated', field, `${needs}, and ${this.#reader.remaining} bytes are left`);
  }

  #refused(code: RefusalCode, field: string, reason: string): MalformedLogError {
    return new MalformedLogError(code, `event ${this.#events.length}.${field}`, this.#start, reason);
  }
}
