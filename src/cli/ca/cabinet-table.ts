/** Reads the list of files at the beginning of a Microsoft cabinet ([MS-CAB] §2), before unpacking. */

/** One file in a cabinet. */
export interface CabinetEntry {
  /** The name in the cabinet, with `/` between folders. It is untrusted: a label, never a path to write to. */
  readonly name: string;
  /** The unpacked size. */
  readonly bytes: number;
}

/** The bytes are not a cabinet, or a cabinet that is damaged, unsupported or too large. */
export class CabinetError extends Error {
  override readonly name = 'CabinetError';
  readonly code = 'ERR_CABINET';
}

/** Microsoft's collection has some hundreds of files, each of a few kilobytes. */
const MAX_ENTRIES = 10_000;
const MAX_UNPACKED_BYTES = 64 * 1024 * 1024;

const HEADER_BYTES = 36;
/** cbFile, uoffFolderStart, iFolder, date, time and attribs of a CFFILE; the name follows. */
const ENTRY_BYTES = 16;
/** The longest name, including the zero that ends it. */
const MAX_NAME_BYTES = 256;
/** cfhdrPREV_CABINET and cfhdrNEXT_CABINET: the cabinet is one part of several. */
const PART_OF_SET = 0x0003;
/** _A_NAME_IS_UTF */
const UTF8_NAME = 0x80;

export function looksLikeCabinet(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 4)).equals(Buffer.from('MSCF'));
}

/** @throws CabinetError */
export function readCabinetTable(bytes: Uint8Array): readonly CabinetEntry[] {
  const cabinet = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (cabinet.length < HEADER_BYTES || !looksLikeCabinet(bytes)) throw new CabinetError('not a cabinet');
  if ((cabinet.readUInt16LE(30) & PART_OF_SET) !== 0) throw new CabinetError('it is one part of a split cabinet');
  const count = cabinet.readUInt16LE(28);
  if (count > MAX_ENTRIES) throw new CabinetError(`it has ${count} files, and the limit is ${MAX_ENTRIES}`);
  const entries: CabinetEntry[] = [];
  let unpacked = 0;
  for (let at = cabinet.readUInt32LE(16); entries.length < count; ) {
    const end = at + ENTRY_BYTES <= cabinet.length ? cabinet.indexOf(0, at + ENTRY_BYTES) : -1;
    if (end < 0 || end - at - ENTRY_BYTES >= MAX_NAME_BYTES)
      throw new CabinetError(`its list of files breaks off at file ${entries.length + 1} of ${count}`);
    const size = cabinet.readUInt32LE(at);
    const utf8 = (cabinet.readUInt16LE(at + 14) & UTF8_NAME) !== 0;
    const name = cabinet.toString(utf8 ? 'utf8' : 'latin1', at + ENTRY_BYTES, end);
    unpacked += size;
    if (unpacked > MAX_UNPACKED_BYTES) throw new CabinetError(`it unpacks to more than ${MAX_UNPACKED_BYTES} bytes`);
    entries.push({ name: name.replaceAll('\\', '/'), bytes: size });
    at = end + 1;
  }
  return entries;
}
