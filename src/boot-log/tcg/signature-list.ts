/** EFI_SIGNATURE_LIST (UEFI 2.10, 32.4.1): what PK, KEK, db and dbx hold. */
import { GUID_BYTES, guidText } from './guid.ts';
import { LittleEndianReader } from './little-endian.ts';

/** Others are kept by their GUID, never left out. */
const TYPES: Readonly<Record<string, string>> = {
  'a5c059a1-94e4-4aa7-87b5-ab155c2bf072': 'x509',
  'c1c41626-504c-4092-aca9-41f936934328': 'sha256',
  '3bd2a492-96c0-4079-b420-fcf98ef103ed': 'x509_sha256',
  '7076876e-80c2-4ee6-aad2-28b349a6865b': 'x509_sha384',
  '446dbf63-2502-4cda-bcfa-2465d2b0fe9d': 'x509_sha512',
  '826ca512-cf10-4ac9-b187-be01496631bd': 'sha1',
  'ff3e5307-9fd0-48c9-85f1-8ad56c701e01': 'sha384',
  '093e0fae-a6c4-4f50-9f1b-d41e2b89c19a': 'sha512',
  '3c5766e8-269c-4e34-aa14-ed776e85b3b6': 'rsa2048',
};
const HEADER_BYTES = 28;

/** EFI_SIGNATURE_DATA, with the type of its list. */
export interface SignatureEntry {
  /** `x509`, `sha256`, …; the GUID of a type that is not known here. */
  readonly type: string;
  readonly owner: string;
  readonly data: Uint8Array;
}

/** All entries of all lists, or the sentence that says why the bytes are no such lists. */
export function readSignatureLists(bytes: Uint8Array): readonly SignatureEntry[] | string {
  const entries: SignatureEntry[] = [];
  const reader = new LittleEndianReader(bytes);
  while (reader.remaining > 0) {
    const problem = readList(reader, entries);
    if (problem !== undefined) return problem;
  }
  return entries;
}

function readList(reader: LittleEndianReader, entries: SignatureEntry[]): string | undefined {
  const typeGuid = reader.take(GUID_BYTES);
  const listBytes = reader.u32();
  const headerBytes = reader.u32();
  const entryBytes = reader.u32();
  if (typeGuid === undefined || listBytes === undefined || headerBytes === undefined || entryBytes === undefined)
    return 'a signature list is cut';
  // A49: a size below that of the header would never end the loop.
  if (listBytes < HEADER_BYTES) return `SignatureListSize ${listBytes} is under ${HEADER_BYTES}`;
  const body = reader.take(listBytes - HEADER_BYTES);
  if (body === undefined) return `SignatureListSize ${listBytes} is more than there is`;
  // A49: the bytes of a vendor must not be read as entries.
  if (headerBytes !== 0) return `SignatureHeaderSize is ${headerBytes}, and no known type has a header`;
  // A49: entries of no bytes would have no end.
  if (entryBytes <= GUID_BYTES) return `SignatureSize ${entryBytes} has no room for a signature`;
  if (body.length % entryBytes !== 0) return `${body.length} bytes are no whole number of entries of ${entryBytes}`;
  const guid = guidText(typeGuid);
  const type = TYPES[guid] ?? guid;
  for (let at = 0; at < body.length; at += entryBytes)
    entries.push({
      type,
      owner: guidText(body.subarray(at, at + GUID_BYTES)),
      data: body.subarray(at + GUID_BYTES, at + entryBytes),
    });
  return undefined;
}
