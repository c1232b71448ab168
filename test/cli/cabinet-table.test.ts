import { describe, expect, test } from 'vitest';
import { CabinetError, looksLikeCabinet, readCabinetTable } from '../../src/cli/ca/cabinet-table.ts';
import { writeCabinet } from '../support/cabinet-writer.ts';

const files = [
  { name: 'AMD\\RootCA\\a.crt', contents: Buffer.alloc(40_000, 1) },
  { name: 'version.txt', contents: Buffer.from('1') },
];
const MIB = 1024 * 1024;

test('the list of a cabinet has each name and size, with one kind of separator', () => {
  expect(looksLikeCabinet(writeCabinet(files))).toBe(true);
  expect(readCabinetTable(writeCabinet(files))).toEqual([
    { name: 'AMD/RootCA/a.crt', bytes: 40_000 },
    { name: 'version.txt', bytes: 1 },
  ]);
  expect(readCabinetTable(writeCabinet([]))).toEqual([]);
});

describe('refuses', () => {
  test.each([
    ['what is none', Buffer.alloc(40), 'not a cabinet'],
    ['a header that breaks off', writeCabinet(files).subarray(0, 35), 'not a cabinet'],
    ['a list that breaks off', writeCabinet(files).subarray(0, 60), 'breaks off at file 1 of 2'],
    [
      'a list of fewer than it says',
      writeCabinet(files.slice(1), { claimedFiles: 9_999, compression: 'none' }),
      'breaks off',
    ],
    ['more files than are read', writeCabinet(files, { claimedFiles: 10_001 }), '10001 files'],
    ['one part of several, by what is before', writeCabinet(files, { flags: 1 }), 'of a split cabinet'],
    ['one part of several, by what follows', writeCabinet(files, { flags: 2 }), 'of a split cabinet'],
    [
      'more bytes in all than are unpacked',
      writeCabinet([
        { name: 'a', contents: Buffer.of(1), claimedBytes: 64 * MIB },
        { name: 'b', contents: Buffer.of(1) },
      ]),
      'unpacks to more than 67108864 bytes',
    ],
    [
      'a name that is longer than names are',
      writeCabinet([{ name: 'n'.repeat(256), contents: Buffer.of(1) }]),
      'breaks off',
    ],
  ])('%s', (_, bytes, reason) => {
    expect(() => readCabinetTable(bytes)).toThrow(CabinetError);
    expect(() => readCabinetTable(bytes)).toThrow(reason);
  });

  test('none that is just within the limits', () => {
    const most = [{ name: 'a', contents: Buffer.of(1), claimedBytes: 64 * MIB }];
    expect(readCabinetTable(writeCabinet(most))).toHaveLength(1);
    expect(readCabinetTable(writeCabinet([{ name: 'n'.repeat(255), contents: Buffer.of(1) }]))).toHaveLength(1);
  });
});
