/** UEFI_VARIABLE_DATA (PC Client Platform Firmware Profile 1.06, 10.4.2.6). */
import { GUID_BYTES, guidText } from './guid.ts';
import { LittleEndianReader } from './little-endian.ts';
import { utf16Text } from './utf16.ts';

/** That shim before its release 15 appended to its events: the padding of its own structure. Only the last is not hashed. */
export const SHIM_STRAY_BYTES = 6;

export interface UefiVariable {
  readonly guid: string;
  readonly name: string;
  readonly data: Uint8Array;
}

/**
 * Undefined for bytes that are no variable.
 *
 * @param maxStray most bytes after the data
 */
export function readUefiVariable(bytes: Uint8Array, maxStray = 0): UefiVariable | undefined {
  const reader = new LittleEndianReader(bytes);
  const guid = reader.take(GUID_BYTES);
  // Both lengths stand before both values.
  const nameUnits = reader.count(2);
  const dataBytes = reader.count();
  if (guid === undefined || nameUnits === undefined || dataBytes === undefined) return undefined;
  const nameBytes = reader.take(nameUnits * 2);
  const data = reader.take(dataBytes);
  if (nameBytes === undefined || data === undefined || reader.remaining > maxStray) return undefined;
  const name = utf16Text(nameBytes);
  return name === undefined ? undefined : { guid: guidText(guid), name, data };
}
