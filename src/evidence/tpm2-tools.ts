/**
 * The files of tpm2-tools: what `tpm2_quote` writes and `tpm2_checkquote` reads, and the public areas of
 * `tpm2_createak`. Pure.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { concat } from '../tpm/bytes.ts';
import { hashAlgorithm } from '../tpm/structures/algorithms.ts';
import { decode, tpm2bOf } from '../tpm/structures/codec.ts';
import { MalformedError } from '../tpm/structures/malformed.ts';
import { selectedPcrs, type TpmlPcrSelection } from '../tpm/structures/pcr.ts';
import { type TpmtPublic, tpmtPublic } from '../tpm/structures/public.ts';

const tpm2bPublic = tpm2bOf('TPM2B_PUBLIC', tpmtPublic);

/** A key file: all the TPM says of the key, or the bare key. */
export type ToolsKey =
  | { readonly kind: 'public area'; readonly publicArea: TpmtPublic }
  | { readonly kind: 'key'; readonly key: KeyObject };

/**
 * Reads a TPM2B_PUBLIC (`-f tss`), a TPMT_PUBLIC (`-f tpmt`) or a PEM public key (`-f pem`).
 *
 * @throws MalformedError
 */
export function readToolsKey(bytes: Uint8Array): ToolsKey {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  if (text.includes('-----BEGIN ')) return { kind: 'key', key: readPem(text) };
  // The size in front of a TPM2B is never the type of a TPMT: no public area is as short as 0x25 bytes.
  const sized = ((bytes[0] ?? 0) << 8) + (bytes[1] ?? 0) === bytes.length - 2;
  return { kind: 'public area', publicArea: decode(sized ? tpm2bPublic : tpmtPublic, bytes) };
}

function readPem(text: string): KeyObject {
  // OpenSSL would make a public key of a private one: whoever hands that out wants to hear of it.
  if (!text.includes('-----BEGIN PUBLIC KEY-----')) throw new MalformedError('PEM', 0, 'holds no PUBLIC KEY');
  try {
    return createPublicKey({ key: text, format: 'pem' });
  } catch (cause) {
    const error = new MalformedError('PEM', 0, 'holds no public key that can be read');
    error.cause = cause;
    throw error;
  }
}

/**
 * The `-F serialized` form of PCR values is the memory of tpm2-tools 5 on its disk, little-endian: a TPML_PCR_SELECTION
 * with all its sixteen places, the number of TPML_DIGESTs, and these with all their eight places of 64 bytes.
 */
const BANK_PLACES = 16;
const BANK_BYTES = 8;
const SELECTION_BYTES = 4 + BANK_PLACES * BANK_BYTES;
const LIST_PLACES = 8;
const PLACE_BYTES = 2 + 64;
const LIST_BYTES = 4 + LIST_PLACES * PLACE_BYTES;

/**
 * The PCR values of `tpm2_quote -o`, in the order quoted, whether written with `-F serialized` or `-F values`.
 *
 * @param selection what the quote covers: bare values have no sizes of their own
 * @throws MalformedError
 */
export function readToolsPcrValues(bytes: Uint8Array, selection: TpmlPcrSelection): readonly Uint8Array[] {
  const sizes = selection.flatMap((bank) => {
    const digestBytes = hashAlgorithm(bank.hash)?.digestBytes ?? 0;
    return selectedPcrs(bank).map(() => digestBytes);
  });
  // The serialized form of as many values is always longer.
  if (bytes.length !== sizes.reduce((sum, size) => sum + size, 0)) return readSerialized(bytes);
  let offset = 0;
  return sizes.map((size) => {
    offset += size;
    return bytes.slice(offset - size, offset);
  });
}

function readSerialized(bytes: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fail = (offset: number, reason: string): never => {
    throw new MalformedError('PCR values', offset, reason);
  };
  const lists = (bytes.length - SELECTION_BYTES - 4) / LIST_BYTES;
  if (!Number.isInteger(lists) || lists < 1 || view.getUint32(SELECTION_BYTES, true) !== lists)
    fail(0, 'neither the values of the quoted PCRs (-F values) nor a file of tpm2-tools 5 (-F serialized)');
  const values: Uint8Array[] = [];
  for (let list = SELECTION_BYTES + 4; list < bytes.length; list += LIST_BYTES) {
    const count = view.getUint32(list, true);
    if (count > LIST_PLACES) fail(list, `${count} digests are over ${LIST_PLACES}`);
    for (let i = 0; i < count; i++) {
      const place = list + 4 + i * PLACE_BYTES;
      const size = view.getUint16(place, true);
      if (size > PLACE_BYTES - 2) fail(place, `a digest of ${size} bytes`);
      values.push(bytes.slice(place + 2, place + 2 + size));
    }
  }
  return values;
}

/** PCR values as `tpm2_checkquote -f` reads them: serialized. */
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

/** A public key as `tpm2_checkquote -u` reads it. */
export function writeToolsPem(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'spki' }).toString();
}
