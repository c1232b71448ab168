/** Writes a Microsoft cabinet ([MS-CAB]): stored or compressed by MSZIP, valid or with a false list of files. */
import { deflateRawSync } from 'node:zlib';

export interface CabinetFile {
  /** The name in the cabinet, unchanged. */
  readonly name: string;
  readonly contents: Uint8Array;
  /** A false size for the list. */
  readonly claimedBytes?: number;
}

export interface CabinetRecipe {
  readonly compression?: 'none' | 'mszip';
  /** cfhdrPREV_CABINET, cfhdrNEXT_CABINET. */
  readonly flags?: number;
  /** A false number of files for the header. */
  readonly claimedFiles?: number;
}

/** The most bytes of one block of data. */
const BLOCK_BYTES = 32_768;

export function writeCabinet(files: readonly CabinetFile[], recipe: CabinetRecipe = {}): Uint8Array {
  const { compression = 'mszip', flags = 0, claimedFiles = files.length } = recipe;
  const contents = Buffer.concat(files.map((file) => file.contents));
  const blocks: Buffer[] = [];
  for (let at = 0; at < contents.length; at += BLOCK_BYTES)
    blocks.push(dataBlock(contents.subarray(at, at + BLOCK_BYTES), compression));
  let offset = 0;
  const entries = files.map(({ name, contents: { length }, claimedBytes = length }) => {
    const entry = Buffer.alloc(16);
    entry.writeUInt32LE(claimedBytes, 0);
    entry.writeUInt32LE(offset, 4);
    offset += length;
    return Buffer.concat([entry, Buffer.from(name, 'latin1'), Buffer.of(0)]);
  });
  const listAt = 36 + 8;
  const dataAt = listAt + entries.reduce((sum, { length }) => sum + length, 0);
  const folder = Buffer.alloc(8);
  folder.writeUInt32LE(dataAt, 0);
  folder.writeUInt16LE(blocks.length, 4);
  folder.writeUInt16LE(compression === 'none' ? 0 : 1, 6);
  const header = Buffer.alloc(36);
  header.write('MSCF', 'latin1');
  header.writeUInt32LE(dataAt + blocks.reduce((sum, { length }) => sum + length, 0), 8);
  header.writeUInt32LE(listAt, 16);
  header.writeUInt16LE(0x0103, 24);
  header.writeUInt16LE(1, 26);
  header.writeUInt16LE(claimedFiles, 28);
  header.writeUInt16LE(flags, 30);
  return new Uint8Array(Buffer.concat([header, folder, ...entries, ...blocks]));
}

/** CFDATA without a checksum: the checksum field is zero. */
function dataBlock(plain: Uint8Array, compression: 'none' | 'mszip'): Buffer {
  const data = compression === 'none' ? plain : Buffer.concat([Buffer.from('CK'), deflateRawSync(plain)]);
  const block = Buffer.alloc(8);
  block.writeUInt16LE(data.length, 4);
  block.writeUInt16LE(plain.length, 6);
  return Buffer.concat([block, data]);
}
