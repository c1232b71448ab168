/** UEFI_GPT_DATA (PC Client Platform Firmware Profile 1.06, 10.4.2.5): the partition table that was booted from. */
import { GUID_BYTES, guidText } from './guid.ts';
import { LittleEndianReader } from './little-endian.ts';
import { utf16Text } from './utf16.ts';

/** One entry of a partition table. GUIDs are in their text form. */
export interface Partition {
  readonly type: string;
  readonly id: string;
  readonly firstBlock: bigint;
  readonly lastBlock: bigint;
  readonly name: string;
}

/** A GUID partition table. */
export interface PartitionTable {
  readonly disk: string;
  readonly partitions: readonly Partition[];
}

export const GPT_SIGNATURE: Uint8Array = Buffer.from('EFI PART', 'latin1');
const HEADER_BYTES = 92;
const ENTRY_BYTES = 128;
const DISK_AT = 56;
const ENTRY_SIZE_AT = 84;

/** Undefined for bytes that are none. */
export function readGpt(data: Uint8Array): PartitionTable | undefined {
  const reader = new LittleEndianReader(data);
  const header = reader.take(HEADER_BYTES);
  if (header === undefined || !GPT_SIGNATURE.every((byte, i) => byte === header[i])) return undefined;
  if (new LittleEndianReader(header, ENTRY_SIZE_AT).u32() !== ENTRY_BYTES) return undefined;
  const count = reader.count(ENTRY_BYTES);
  if (count === undefined || reader.remaining !== count * ENTRY_BYTES) return undefined;
  const partitions = Array.from({ length: count }, () => readEntry(reader));
  if (!partitions.every((partition) => partition !== undefined)) return undefined;
  return { disk: guidText(header.subarray(DISK_AT, DISK_AT + GUID_BYTES)), partitions };
}

/** EFI_PARTITION_ENTRY (UEFI 2.10, 5.3.3). */
function readEntry(reader: LittleEndianReader): Partition | undefined {
  const type = reader.take(GUID_BYTES);
  const id = reader.take(GUID_BYTES);
  const firstBlock = reader.u64();
  const lastBlock = reader.u64();
  const rest = reader.take(ENTRY_BYTES - 2 * GUID_BYTES - 16);
  if (type === undefined || id === undefined || firstBlock === undefined || lastBlock === undefined) return undefined;
  const name = rest === undefined ? undefined : utf16Text(rest.subarray(8));
  if (name === undefined) return undefined;
  return { type: guidText(type), id: guidText(id), firstBlock, lastBlock, name: name.replace(/\0[\s\S]*/, '') };
}
