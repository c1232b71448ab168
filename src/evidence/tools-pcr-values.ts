/** Reads and writes the PCR values in files of `tpm2_quote -o`, in each format of tpm2-tools 4 to 5.8. Pure. */
import { concat } from '../bytes/bytes.ts';
import { MalformedError } from '../bytes/malformed.ts';
import { hashAlgorithm } from '../tpm/structures/algorithms.ts';
import { tpmlDigest } from '../tpm/structures/buffers.ts';
import { type Codec, decode, struct, tpml } from '../tpm/structures/codec.ts';
import { selectedPcrs, type TpmlPcrSelection, tpmlPcrSelection } from '../tpm/structures/pcr.ts';

/**
 * With `-F serialized`, tpm2-tools write their C structures to the file: a TPML_PCR_SELECTION with all 16 places, the
 * number of TPML_DIGESTs, and each TPML_DIGEST with all 8 places of 64 bytes. Numbers are little-endian since release
 * 5.0; earlier releases used the byte order of the machine.
 */
const BANK_PLACES = 16;
const BANK_BYTES = 8;
const SELECTION_BYTES = 4 + BANK_PLACES * BANK_BYTES;
const LIST_PLACES = 8;
const PLACE_BYTES = 2 + 64;
const LIST_BYTES = 4 + LIST_PLACES * PLACE_BYTES;

const MAX_LISTS = 64;

/** The `-F marshaled` format of release 5.8: the same parts, each in TPM wire form. */
const marshaled: Codec<{ readonly banks: TpmlPcrSelection; readonly lists: readonly (readonly Uint8Array[])[] }> =
  struct('PCR values', {
    banks: tpmlPcrSelection,
    lists: tpml('lists', tpmlDigest, MAX_LISTS),
  });

/**
 * The PCR values of `tpm2_quote -o`, in the order quoted. Recognizes `-F serialized`, `values` and `marshaled`.
 *
 * @param selection the PCRs that the quote covers. It gives the sizes of bare values. A selection in the file is
 * ignored.
 * @throws MalformedError
 */
export function readToolsPcrValues(bytes: Uint8Array, selection: TpmlPcrSelection): readonly Uint8Array[] {
  const sizes = selection.flatMap((bank) => {
    const digestBytes = hashAlgorithm(bank.hash)?.digestBytes ?? 0;
    return selectedPcrs(bank).map(() => digestBytes);
  });
  // For the same number of values, the other formats are always longer.
  if (bytes.length === sizes.reduce((sum, size) => sum + size, 0)) return bareValues(bytes, sizes);
  const littleEndian = serializedByteOrder(bytes);
  if (littleEndian === undefined) return readMarshaled(bytes);
  return readSerialized(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), littleEndian);
}

/**
 * Selection and values of a file of `-F serialized` or `-F marshaled`, which say themselves what they are of. Undefined for
 * other files. They are only as good as the file: a quote that covers them is checked by its own selection.
 *
 * @throws MalformedError
 */
export function readToolsPcrFile(
  bytes: Uint8Array,
): { readonly selection: TpmlPcrSelection; readonly values: readonly Uint8Array[] } | undefined {
  const littleEndian = serializedByteOrder(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (littleEndian !== undefined)
    return { selection: serializedSelection(view, littleEndian), values: readSerialized(view, littleEndian) };
  try {
    const { banks, lists } = decode(marshaled, bytes);
    return { selection: banks, values: lists.flat() };
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

function serializedSelection(view: DataView, littleEndian: boolean): TpmlPcrSelection {
  const count = view.getUint32(0, littleEndian);
  if (count > BANK_PLACES) throw new MalformedError('PCR values', 0, `${count} banks are over ${BANK_PLACES}`);
  return Array.from({ length: count }, (_, i) => {
    const offset = 4 + i * BANK_BYTES;
    const size = Math.min(view.getUint8(offset + 2), BANK_BYTES - 3);
    const start = view.byteOffset + offset + 3;
    return {
      hash: view.getUint16(offset, littleEndian),
      pcrSelect: new Uint8Array(view.buffer.slice(start, start + size)),
    };
  });
}

/** True when the bytes have the size and the count of the `-F serialized` format, which no other file has. */
export function looksLikePcrValues(bytes: Uint8Array): boolean {
  return serializedByteOrder(bytes) !== undefined;
}

/** True for little-endian numbers, false for big-endian ones; undefined when the format is another. */
function serializedByteOrder(bytes: Uint8Array): boolean | undefined {
  const lists = (bytes.length - SELECTION_BYTES - 4) / LIST_BYTES;
  if (lists < 1 || lists > MAX_LISTS || !Number.isInteger(lists)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return [true, false].find((littleEndian) => view.getUint32(SELECTION_BYTES, littleEndian) === lists);
}

function bareValues(bytes: Uint8Array, sizes: readonly number[]): readonly Uint8Array[] {
  let offset = 0;
  return sizes.map((size) => {
    offset += size;
    return bytes.slice(offset - size, offset);
  });
}

function readMarshaled(bytes: Uint8Array): readonly Uint8Array[] {
  try {
    return decode(marshaled, bytes).lists.flat();
  } catch (cause) {
    if (!(cause instanceof MalformedError)) throw cause;
    const reason =
      'neither the values of the quoted PCRs (-F values) nor what tpm2-tools 4 to 5.8 write with -F serialized or marshaled';
    const error = new MalformedError('PCR values', 0, reason);
    error.cause = cause;
    throw error;
  }
}

function readSerialized(view: DataView, littleEndian: boolean): readonly Uint8Array[] {
  const fail = (offset: number, reason: string): never => {
    throw new MalformedError('PCR values', offset, reason);
  };
  const values: Uint8Array[] = [];
  for (let list = SELECTION_BYTES + 4; list < view.byteLength; list += LIST_BYTES) {
    const count = view.getUint32(list, littleEndian);
    if (count > LIST_PLACES) fail(list, `${count} digests are over ${LIST_PLACES}`);
    for (let i = 0; i < count; i++) {
      const place = list + 4 + i * PLACE_BYTES;
      const size = view.getUint16(place, littleEndian);
      if (size > PLACE_BYTES - 2) fail(place, `a digest of ${size} bytes`);
      values.push(new Uint8Array(view.buffer, view.byteOffset + place + 2, size).slice());
    }
  }
  return values;
}

/** PCR values for `tpm2_checkquote -f`, in the `-F serialized` format. */
export function writeToolsPcrValues(selection: TpmlPcrSelection, values: readonly Uint8Array[]): Uint8Array {
  const banks = new Uint8Array(SELECTION_BYTES);
  const view = new DataView(banks.buffer);
  if (selection.length > BANK_PLACES) throw new RangeError(`${selection.length} banks are over ${BANK_PLACES}`);
  view.setUint32(0, selection.length, true);
  for (const [i, { hash, pcrSelect }] of selection.entries()) {
    const offset = 4 + i * BANK_BYTES;
    view.setUint16(offset, hash, true);
    view.setUint8(offset + 2, pcrSelect.length);
    banks.set(pcrSelect, offset + 3);
  }
  const lists: Uint8Array[] = [];
  for (let first = 0; first < values.length; first += LIST_PLACES) {
    lists.push(digestList(values.slice(first, first + LIST_PLACES)));
  }
  const count = new Uint8Array(4);
  new DataView(count.buffer).setUint32(0, lists.length, true);
  return concat(banks, count, ...lists);
}

function digestList(values: readonly Uint8Array[]): Uint8Array {
  const list = new Uint8Array(LIST_BYTES);
  const view = new DataView(list.buffer);
  view.setUint32(0, values.length, true);
  for (const [i, value] of values.entries()) {
    const place = 4 + i * PLACE_BYTES;
    view.setUint16(place, value.length, true);
    list.set(value, place + 2);
  }
  return list;
}
