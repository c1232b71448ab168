import { describe, expect, test } from 'vitest';
import * as buffers from '../../../src/tpm/structures/buffers.ts';
import {
  decode,
  encode,
  rest,
  selector,
  struct,
  tpm2b,
  tpm2bOf,
  tpml,
  u8,
  u16,
  u32,
  u64,
  yesNo,
} from '../../../src/tpm/structures/codec.ts';
import { unhex } from '../../support/vectors.ts';

describe('integers', () => {
  test.each([
    { codec: u8, value: 0xfe, bytes: 'fe' },
    { codec: u16, value: 0x0102, bytes: '0102' },
    { codec: u32, value: 0xff544347, bytes: 'ff544347' },
  ])('$codec.name is big-endian', ({ codec, value, bytes }) => {
    expect(encode(codec, value)).toEqual(unhex(bytes));
    expect(decode(codec, unhex(bytes))).toBe(value);
  });

  test('UINT64 is a bigint', () => {
    expect(decode(u64, unhex('fedcba9876543210'))).toBe(0xfedcba9876543210n);
    expect(encode(u64, 0xfedcba9876543210n)).toEqual(unhex('fedcba9876543210'));
  });

  test.each([
    { codec: u8, max: 0xff },
    { codec: u16, max: 0xffff },
    { codec: u32, max: 0xffffffff },
  ])('$codec.name holds 0 to $max and whole numbers only', ({ codec, max }) => {
    expect(decode(codec, encode(codec, max))).toBe(max);
    for (const value of [max + 1, -1, 0.5, Number.NaN]) expect(() => encode(codec, value)).toThrow(RangeError);
  });

  test('UINT64 holds 64 bits', () => {
    expect(encode(u64, 2n ** 64n - 1n)).toEqual(new Uint8Array(8).fill(0xff));
    for (const value of [2n ** 64n, -1n]) expect(() => encode(u64, value)).toThrow(RangeError);
  });

  test('TPMI_YES_NO is 0 or 1', () => {
    expect([decode(yesNo, unhex('00')), decode(yesNo, unhex('01'))]).toEqual([false, true]);
    for (const byte of ['02', '80', 'ff']) {
      expect(() => decode(yesNo, unhex(byte))).toThrow('is neither 0 nor 1');
    }
  });
});

const SIZED = [
  { codec: buffers.tpm2bDigest, max: 64 },
  { codec: buffers.tpm2bAuth, max: 64 },
  { codec: buffers.tpm2bData, max: 66 },
  { codec: buffers.tpm2bName, max: 66 },
  { codec: buffers.tpm2bEccParameter, max: 66 },
  { codec: buffers.tpm2bSensitiveData, max: 256 },
  { codec: buffers.tpm2bPublicKeyRsa, max: 512 },
];
describe.each(SIZED)('$codec.name', ({ codec, max }) => {
  test(`holds ${max} bytes and not one more`, () => {
    const most = new Uint8Array(max).fill(7);
    const encoded = encode(codec, most);
    expect(encoded.length).toBe(2 + max);
    expect(decode(codec, encoded)).toEqual(most);

    const more = new Uint8Array(2 + max + 1);
    new DataView(more.buffer).setUint16(0, max + 1);
    expect(() => decode(codec, more)).toThrow(`size ${max + 1} is over ${max}`);
    expect(() => encode(codec, more.subarray(2))).toThrow(RangeError);
  });

  test('refuses a size of 65535 before it looks for the bytes', () => {
    expect(() => decode(codec, unhex('ffff'))).toThrow(`size 65535 is over ${max}`);
  });
});

describe('TPM2B of a structure', () => {
  const pair = tpm2bOf('TPM2B_PAIR', struct<{ a: number; b: number }>('PAIR', { a: u8, b: u16 }));
  test.each([
    { bytes: '0003 01 0203', value: { a: 1, b: 0x0203 } },
    { bytes: '0004 01 0203 00', error: '1 bytes left over' },
    { bytes: '0002 01 0203', error: 'TPM2B_PAIR.b at byte 3: needs 2 bytes, 1 are left' },
    { bytes: '0004 01 0203', error: 'needs 4 bytes, 3 are left' },
    { bytes: '0000', error: 'TPM2B_PAIR.a at byte 2: needs 1 bytes, 0 are left' },
  ])('of $bytes is what its size says', ({ bytes, value, error }) => {
    if (value !== undefined) expect(decode(pair, unhex(bytes))).toEqual(value);
    else expect(() => decode(pair, unhex(bytes))).toThrow(error);
  });

  test('does not wrap a structure that its size cannot tell', () => {
    const open = tpm2bOf('TPM2B_OPEN', rest);
    expect(encode(open, new Uint8Array(0xffff)).length).toBe(0x10001);
    expect(() => encode(open, new Uint8Array(0x10000))).toThrow(RangeError);
  });
});

test.each([u8, u16, u32])('$name is written whole wherever the buffer had to grow', (codec) => {
  const list = tpml('TPML', codec, 1000);
  const values = Array.from({ length: 1000 }, (_, i) => i % 251);
  expect(decode(list, encode(list, values))).toEqual(values);
});

describe('TPML', () => {
  const list = tpml('TPML_BYTE', u8, 3);
  test('holds its number of elements and not one more', () => {
    expect(decode(list, unhex('00000003 010203'))).toEqual([1, 2, 3]);
    expect(() => decode(list, unhex('00000004 01020304'))).toThrow('count 4 is over 3');
    expect(() => encode(list, [1, 2, 3, 4])).toThrow(RangeError);
  });

  test('compares the count before it makes room for the elements', () => {
    expect(() => decode(list, unhex('ffffffff'))).toThrow('count 4294967295 is over 3');
  });

  test('names the element that is wrong', () => {
    const sized = tpml('TPML_SIZED', tpm2b('TPM2B', 2), 3);
    expect(() => decode(sized, unhex('00000002 0001aa 0003bbbbbb'))).toThrow(
      'TPML_SIZED.[1] at byte 9: size 3 is over 2',
    );
  });
});

test('an error carries path, offset and reason', () => {
  const inner = struct<{ id: number; data: Uint8Array }>('INNER', { id: u16, data: tpm2b('TPM2B', 4) });
  const outer = struct<{ head: number; body: { id: number; data: Uint8Array } }>('OUTER', { head: u8, body: inner });
  expect(() => decode(outer, unhex('01 0002 0005 0000000000'))).toThrow(
    expect.objectContaining({
      name: 'MalformedError',
      code: 'ERR_MALFORMED',
      path: 'OUTER.body.data',
      offset: 5,
      reason: 'size 5 is over 4',
      message: 'OUTER.body.data at byte 5: size 5 is over 4',
    }),
  );
});

test('a selector reads the values it lists and no other', () => {
  const colour = selector('COLOUR', { red: 1, blue: 0x8018 });
  expect(decode(colour, unhex('8018'))).toBe('blue');
  for (const bytes of ['0000', '0002', '8019', '1880']) {
    expect(() => decode(colour, unhex(bytes))).toThrow(`0x${bytes} is not a COLOUR`);
  }
  expect(() => encode(colour, 'constructor' as never)).toThrow(RangeError);
});
