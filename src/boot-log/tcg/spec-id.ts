/** TCG_EfiSpecIDEvent (PC Client Platform Firmware Profile 1.06, 10.4.5.1): what the digests of the log are. */
import { type Bank, knownBank, unknownBank } from './banks.ts';
import { LittleEndianReader } from './little-endian.ts';
import { MalformedLogError } from './malformed-log.ts';

/** The first record of a crypto-agile log. */
export interface SpecId {
  /** 0 client, 1 server. */
  readonly platformClass: number;
  readonly major: number;
  readonly minor: number;
  readonly errata: number;
  /** 1: UINT32, 2: UINT64. */
  readonly uintnSize: number;
  /** In the order of the log. */
  readonly banks: readonly Bank[];
  readonly vendorInfo: Uint8Array;
}

const SIGNATURE = Buffer.from('Spec ID Event03\0', 'latin1');
const MAX_ALGORITHMS = 16;

export function isSpecId(data: Uint8Array): boolean {
  return SIGNATURE.equals(data.subarray(0, SIGNATURE.length));
}

/**
 * @param data of the event, which begins with the signature
 * @param offset of the data in the log
 * @throws MalformedLogError
 */
export function readSpecId(data: Uint8Array, offset: number): SpecId {
  const reader = new LittleEndianReader(data, SIGNATURE.length);
  const need = <T>(value: T | undefined, field: string): T => {
    if (value === undefined) throw fail(field, 'the event ends before it');
    return value;
  };
  const fail = (field: string, reason: string): MalformedLogError =>
    new MalformedLogError('log.spec_id', `Spec ID.${field}`, offset + reader.offset, reason);
  const platformClass = need(reader.u32(), 'platformClass');
  const minor = need(reader.u8(), 'specVersionMinor');
  const major = need(reader.u8(), 'specVersionMajor');
  const errata = need(reader.u8(), 'specErrata');
  const uintnSize = need(reader.u8(), 'uintnSize');
  const count = need(reader.u32(), 'numberOfAlgorithms');
  if (count === 0 || count > MAX_ALGORITHMS) throw fail('numberOfAlgorithms', `${count} is not 1 to ${MAX_ALGORITHMS}`);
  const banks: Bank[] = [];
  for (let i = 0; i < count; i++) {
    const id = need(reader.u16(), 'algorithmId');
    const digestBytes = need(reader.u16(), 'digestSize');
    const bank = knownBank(id) ?? unknownBank(id, digestBytes);
    if (bank.digestBytes !== digestBytes)
      throw fail('digestSize', `${digestBytes} bytes are not the size of ${bank.name}`);
    if (banks.some((other) => other.id === id)) throw fail('algorithmId', `${bank.name} is named twice`);
    banks.push(bank);
  }
  const vendorBytes = need(reader.u8(), 'vendorInfoSize');
  const vendorInfo = need(reader.take(vendorBytes), 'vendorInfo');
  if (reader.remaining > 0) throw fail('vendorInfo', `${reader.remaining} bytes are left over`);
  return { platformClass, major, minor, errata, uintnSize, banks, vendorInfo };
}
