import { describe, expect, test } from 'vitest';
import { decode, encode } from '../../../src/tpm/structures/codec.ts';
import { TPM_ALG } from '../../../src/tpm/structures/constants.ts';
import { pcrSelection, selectedPcrs, tpmlPcrSelection } from '../../../src/tpm/structures/pcr.ts';
import { unhex } from '../../support/vectors.ts';

const SHA256 = TPM_ALG.SHA256;

test.each([
  { indices: [], bytes: '000000' },
  { indices: [0, 1, 7, 10], bytes: '830400' },
  { indices: [0, 1, 2, 3, 4, 5, 6, 7], bytes: 'ff0000' },
  { indices: [8, 23], bytes: '000180' },
])('PCRs $indices are the bits $bytes, lowest bit first', ({ indices, bytes }) => {
  expect(pcrSelection(SHA256, indices)).toEqual({ hash: SHA256, pcrSelect: unhex(bytes) });
  expect(selectedPcrs({ hash: SHA256, pcrSelect: unhex(bytes) })).toEqual(indices);
});

test('order and repetition of indices do not matter', () => {
  expect(pcrSelection(SHA256, [10, 7, 7, 0, 1])).toEqual(pcrSelection(SHA256, [0, 1, 7, 10]));
});

test.each([-1, 24, 1.5, Number.NaN])('there is no PCR %s to select', (index) => {
  expect(() => pcrSelection(SHA256, [0, index])).toThrow(RangeError);
});

test('what a TPM sends may select past PCR 23, and is read as it is', () => {
  const [selection] = decode(tpmlPcrSelection, unhex('00000001 000b 04 01000080'));
  expect(selection && selectedPcrs(selection)).toEqual([0, 31]);
});

describe('TPML_PCR_SELECTION', () => {
  test.each([0, 1, 2, 3, 4])('reads a selection of %i bytes', (size) => {
    const bytes = unhex(`00000001 000b ${size.toString(16).padStart(2, '0')} ${'01'.repeat(size)}`);
    const value = decode(tpmlPcrSelection, bytes);
    expect(value).toEqual([{ hash: SHA256, pcrSelect: new Uint8Array(size).fill(1) }]);
    expect(encode(tpmlPcrSelection, value)).toEqual(bytes);
  });

  test('neither reads nor writes one of 5 bytes', () => {
    expect(() => decode(tpmlPcrSelection, unhex('00000001 000b 05 0101010101'))).toThrow('sizeofSelect 5 is over 4');
    expect(() => encode(tpmlPcrSelection, [{ hash: SHA256, pcrSelect: new Uint8Array(5) }])).toThrow(RangeError);
  });

  test('holds 16 banks and not one more', () => {
    const banks = Array.from({ length: 17 }, () => pcrSelection(SHA256, [0]));
    const most = encode(tpmlPcrSelection, banks.slice(1));
    expect(decode(tpmlPcrSelection, most)).toEqual(banks.slice(1));
    expect(() => encode(tpmlPcrSelection, banks)).toThrow(RangeError);
    const more = Uint8Array.from([...most, ...most.subarray(4, 10)]);
    more[3] = 17;
    expect(() => decode(tpmlPcrSelection, more)).toThrow('count 17 is over 16');
  });
});
