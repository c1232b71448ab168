import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat } from '../../src/bytes/bytes.ts';
import { MalformedError } from '../../src/bytes/malformed.ts';
import { readToolsPcrValues, writeToolsPcrValues } from '../../src/evidence/tools-pcr-values.ts';
import { readToolsKey, writeToolsPem } from '../../src/evidence/tpm2-tools.ts';
import { encode } from '../../src/tpm/structures/codec.ts';
import { TPM_ALG } from '../../src/tpm/structures/constants.ts';
import { pcrSelection } from '../../src/tpm/structures/pcr.ts';
import { tpmtPublic } from '../../src/tpm/structures/public.ts';
import { akTemplate } from '../../src/tpm/templates.ts';

const BANKS = [
  { hash: TPM_ALG.SHA1, bytes: 20 },
  { hash: TPM_ALG.SHA256, bytes: 32 },
  { hash: TPM_ALG.SHA384, bytes: 48 },
] as const;

const quotes = fc
  .array(
    fc.record({
      bank: fc.constantFrom(...BANKS),
      indices: fc.uniqueArray(fc.integer({ min: 0, max: 23 }), { minLength: 1 }),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .chain((banks) => {
    const selection = banks.map(({ bank, indices }) => pcrSelection(bank.hash, indices));
    const sizes = banks.flatMap(({ bank, indices }) => indices.map(() => bank.bytes));
    const values = fc.tuple(...sizes.map((size) => fc.uint8Array({ minLength: size, maxLength: size })));
    return values.map((list) => ({ selection, values: list.map((value) => Uint8Array.from(value)) }));
  });

const ONE_BANK = [pcrSelection(TPM_ALG.SHA256, [0, 7])];
const TWO_VALUES = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];

describe('PCR values', () => {
  test('come back as written, serialized or bare', () => {
    fc.assert(
      fc.property(quotes, ({ selection, values }) => {
        expect(readToolsPcrValues(writeToolsPcrValues(selection, values), selection)).toEqual(values);
        expect(readToolsPcrValues(concat(...values), selection)).toEqual(values);
      }),
    );
  });

  test.each([
    ['cut short by a byte', (file: Uint8Array) => file.subarray(0, -1)],
    ['longer by a byte', (file: Uint8Array) => concat(file, new Uint8Array(1))],
    ['with another number of lists', (file: Uint8Array) => changed(file, 132, 2)],
    ['with nine digests in a list', (file: Uint8Array) => changed(file, 136, 9)],
    ['with a digest of 65 bytes', (file: Uint8Array) => changed(file, 140, 65)],
  ])('refuses a serialized file %s', (_, change) => {
    const file = writeToolsPcrValues(ONE_BANK, TWO_VALUES);
    expect(readToolsPcrValues(file, ONE_BANK)).toEqual(TWO_VALUES);
    expect(() => readToolsPcrValues(change(file), ONE_BANK)).toThrow(MalformedError);
  });

  test('refuses bare values of another number of PCRs', () => {
    expect(() => readToolsPcrValues(concat(...TWO_VALUES, TWO_VALUES[0] ?? new Uint8Array()), ONE_BANK)).toThrow(
      'neither the values of the quoted PCRs',
    );
  });

  test('of hostile bytes end in values or in a MalformedError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1300 }), (bytes) => {
        try {
          readToolsPcrValues(bytes, ONE_BANK);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedError);
        }
      }),
    );
  });
});

describe('keys', () => {
  const publicArea = encode(tpmtPublic, akTemplate('ecc', 'test'));
  const sized = concat(Uint8Array.of(publicArea.length >> 8, publicArea.length & 0xff), publicArea);

  test.each([
    ['TPM2B_PUBLIC', sized],
    ['TPMT_PUBLIC', publicArea],
  ])('are read from a %s, and not with a byte missing or too many', (_, bytes) => {
    expect(readToolsKey(bytes)).toEqual({ kind: 'public area', publicArea: akTemplate('ecc', 'test') });
    expect(() => readToolsKey(bytes.subarray(0, -1))).toThrow(MalformedError);
    expect(() => readToolsKey(concat(bytes, new Uint8Array(1)))).toThrow(MalformedError);
  });

  test('are read from PEM, and a private key is refused', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const read = readToolsKey(Buffer.from(writeToolsPem(publicKey)));
    expect(read.kind === 'key' && read.key.equals(publicKey)).toBe(true);
    const secret = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    expect(() => readToolsKey(Buffer.from(secret))).toThrow('instead of PUBLIC KEY');
    expect(() => readToolsKey(Buffer.from('-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n'))).toThrow(
      MalformedError,
    );
  });
});

function changed(bytes: Uint8Array, offset: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[offset] = value;
  return copy;
}
