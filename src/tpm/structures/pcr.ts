/** TPML_PCR_SELECTION: which PCRs of which banks (TPM 2.0 Library Part 2, 10.6.2 and 10.9.7). */
import { type Codec, tpml } from './codec.ts';

/** TPMS_PCR_SELECTION (Part 2, 10.6.2): PCRs of one bank. */
export interface TpmsPcrSelection {
  /** TPM_ALG_ID of the bank. */
  readonly hash: number;
  /** PCR n is bit n % 8 of byte n / 8. */
  readonly pcrSelect: Uint8Array;
}

/** TPML_PCR_SELECTION (Part 2, 10.9.7): one entry for each bank. */
export type TpmlPcrSelection = readonly TpmsPcrSelection[];

/** PCRs of a PC Client TPM: 0 to 23. */
export const PCR_COUNT = 24;
const PCR_SELECT_BYTES = PCR_COUNT / 8;
const PCR_SELECT_MAX = 4;
const BANKS_MAX = 16;

const tpmsPcrSelection: Codec<TpmsPcrSelection> = {
  name: 'TPMS_PCR_SELECTION',
  read: (r) => {
    const hash = r.u16();
    const size = r.u8();
    if (size > PCR_SELECT_MAX) throw r.malformed(`sizeofSelect ${size} is over ${PCR_SELECT_MAX}`);
    return { hash, pcrSelect: r.bytes(size) };
  },
  write: (w, value) => {
    const { length } = value.pcrSelect;
    if (length > PCR_SELECT_MAX) throw new RangeError(`sizeofSelect ${length} is over ${PCR_SELECT_MAX}`);
    w.u16(value.hash);
    w.u8(length);
    w.bytes(value.pcrSelect);
  },
};

/** Accepts at most 16 banks with at most 32 PCRs each. */
export const tpmlPcrSelection: Codec<TpmlPcrSelection> = tpml('TPML_PCR_SELECTION', tpmsPcrSelection, BANKS_MAX);

/** The selection of one bank, in the three-byte form of PC Client TPMs. `indices` are 0..23. */
export function pcrSelection(hash: number, indices: readonly number[]): TpmsPcrSelection {
  const pcrSelect = new Uint8Array(PCR_SELECT_BYTES);
  for (const index of indices) {
    if (!Number.isInteger(index) || index < 0 || index >= PCR_COUNT) throw new RangeError(`PCR ${index} is not 0..23`);
    const byte = index >> 3;
    pcrSelect[byte] = (pcrSelect[byte] ?? 0) | (1 << (index & 7));
  }
  return { hash, pcrSelect };
}

/** The selected PCR indices, ascending. The TPM hashes their values into a quote in this order. */
export function selectedPcrs(selection: TpmsPcrSelection): readonly number[] {
  const indices: number[] = [];
  for (const [byte, bits] of selection.pcrSelect.entries())
    for (let bit = 0; bit < 8; bit++) if ((bits >> bit) & 1) indices.push(byte * 8 + bit);
  return indices;
}
