import { describe, expect, test } from 'vitest';
import { hasReservedBits, objectAttributeNames, TPMA_OBJECT } from '../../../src/tpm/structures/attributes.ts';
import { decode, encode } from '../../../src/tpm/structures/codec.ts';
import { TPM_ALG, TPM_ECC } from '../../../src/tpm/structures/constants.ts';
import { type TpmtPublic, tpm2bPublic, tpmtPublic } from '../../../src/tpm/structures/public.ts';
import { unhex } from '../../support/vectors.ts';

const AES128 = { algorithm: TPM_ALG.AES, keyBits: 128, mode: TPM_ALG.CFB };
const NO_SCHEME = { scheme: TPM_ALG.NULL };

/** Written out by hand from Part 2, 12.2.4: type, nameAlg, attributes, policy, parameters, unique. */
const ROWS: readonly { what: string; bytes: string; value: TpmtPublic }[] = [
  {
    what: 'an RSA storage key without a scheme',
    bytes: '0001 000b 000300b2 0002aaaa | 0006 0080 0043  0010  0800 00000000 | 0003c0ffee',
    value: {
      type: 'rsa',
      nameAlg: TPM_ALG.SHA256,
      objectAttributes: 0x000300b2,
      authPolicy: unhex('aaaa'),
      parameters: { symmetric: AES128, scheme: NO_SCHEME, keyBits: 2048, exponent: 0 },
      unique: unhex('c0ffee'),
    },
  },
  {
    what: 'an RSA signing key',
    bytes: '0001 000c 00050472 0000 | 0010  0016 000c  0c00 00010001 | 0000',
    value: {
      type: 'rsa',
      nameAlg: TPM_ALG.SHA384,
      objectAttributes: 0x00050472,
      authPolicy: unhex(''),
      parameters: {
        symmetric: null,
        scheme: { scheme: TPM_ALG.RSAPSS, hashAlg: TPM_ALG.SHA384 },
        keyBits: 3072,
        exponent: 65537,
      },
      unique: unhex(''),
    },
  },
  {
    what: 'an ECC signing key, one coordinate shorter than the other',
    bytes: '0023 000b 00050472 0000 | 0010  0018 000b  0003  0010 | 0002 0102 0001 03',
    value: {
      type: 'ecc',
      nameAlg: TPM_ALG.SHA256,
      objectAttributes: 0x00050472,
      authPolicy: unhex(''),
      parameters: {
        symmetric: null,
        scheme: { scheme: TPM_ALG.ECDSA, hashAlg: TPM_ALG.SHA256 },
        curveId: TPM_ECC.NIST_P256,
        kdf: NO_SCHEME,
      },
      unique: { x: unhex('0102'), y: unhex('03') },
    },
  },
  {
    what: 'an ECDAA key with its count, and a key derivation scheme',
    bytes: '0023 000b 00050472 0000 | 0010  001a 000b 0007  0010  0020 000c | 0000 0000',
    value: {
      type: 'ecc',
      nameAlg: TPM_ALG.SHA256,
      objectAttributes: 0x00050472,
      authPolicy: unhex(''),
      parameters: {
        symmetric: null,
        scheme: { scheme: TPM_ALG.ECDAA, hashAlg: TPM_ALG.SHA256, count: 7 },
        curveId: TPM_ECC.BN_P256,
        kdf: { scheme: TPM_ALG.KDF1_SP800_56A, hashAlg: TPM_ALG.SHA384 },
      },
      unique: { x: unhex(''), y: unhex('') },
    },
  },
  {
    what: 'a keyed-hash object: HMAC',
    bytes: '0008 000b 00040072 0000 | 0005 000b | 0001ee',
    value: {
      type: 'keyedHash',
      nameAlg: TPM_ALG.SHA256,
      objectAttributes: 0x00040072,
      authPolicy: unhex(''),
      parameters: { scheme: { scheme: TPM_ALG.HMAC, hashAlg: TPM_ALG.SHA256 } },
      unique: unhex('ee'),
    },
  },
  {
    what: 'a keyed-hash object: XOR with hash and key derivation',
    bytes: '0008 000b 00020072 0000 | 000a 000b 0022 | 0000',
    value: {
      type: 'keyedHash',
      nameAlg: TPM_ALG.SHA256,
      objectAttributes: 0x00020072,
      authPolicy: unhex(''),
      parameters: { scheme: { scheme: TPM_ALG.XOR, hashAlg: TPM_ALG.SHA256, count: TPM_ALG.KDF1_SP800_108 } },
      unique: unhex(''),
    },
  },
  {
    what: 'a symmetric cipher key',
    bytes: '0025 0012 00030072 0000 | 0013 0080 0043 | 0001 99',
    value: {
      type: 'symCipher',
      nameAlg: TPM_ALG.SM3_256,
      objectAttributes: 0x00030072,
      authPolicy: unhex(''),
      parameters: { symmetric: { algorithm: TPM_ALG.SM4, keyBits: 128, mode: TPM_ALG.CFB } },
      unique: unhex('99'),
    },
  },
];

const bytesOf = (row: string) => unhex(row.replaceAll('|', ''));

describe.each(ROWS)('TPMT_PUBLIC of $what', ({ bytes, value }) => {
  test('reads and writes as Part 2 says', () => {
    expect(decode(tpmtPublic, bytesOf(bytes))).toEqual(value);
    expect(encode(tpmtPublic, value)).toEqual(bytesOf(bytes));
  });

  test('fills the TPM2B around it', () => {
    const area = bytesOf(bytes);
    const sized = Uint8Array.from([area.length >> 8, area.length & 0xff, ...area]);
    expect(decode(tpm2bPublic, sized)).toEqual(value);
    sized[1] = area.length + 1;
    expect(() => decode(tpm2bPublic, Uint8Array.from([...sized, 0]))).toThrow('1 bytes left over');
  });
});

describe('a selector outside its union is malformed and named', () => {
  test.each([
    { bytes: '0006 000b 00000000 0000', error: 'TPMT_PUBLIC.type at byte 2: 0x0006 is not a TPMI_ALG_PUBLIC' },
    { bytes: '0000 000b 00000000 0000', error: 'TPMT_PUBLIC.type at byte 2' },
    { bytes: '0001 000b 00000000 0000 0040', error: 'TPMT_PUBLIC.parameters.symmetric at byte 12: 0x40 is not' },
    // An RSA key with an ECC scheme, and the other way round.
    { bytes: '0001 000b 00000000 0000 0010 0018000b', error: 'parameters.scheme at byte 14: 0x18 is not a scheme of' },
    { bytes: '0023 000b 00000000 0000 0010 0014000b', error: 'parameters.scheme at byte 14: 0x14 is not a scheme of' },
    { bytes: '0023 000b 00000000 0000 0010 0010 0003 0018000b', error: 'TPMT_PUBLIC.parameters.kdf' },
    { bytes: '0008 000b 00000000 0000 0014000b', error: 'TPMT_PUBLIC.parameters.scheme' },
  ])('$error', ({ bytes, error }) => {
    expect(() => decode(tpmtPublic, unhex(bytes))).toThrow(error);
  });
});

test('a scheme that needs a hash is not written without one, nor one of another kind of key', () => {
  const [, rsa] = ROWS;
  if (rsa?.value.type !== 'rsa') throw new Error('the second row is an RSA key');
  const withScheme = (scheme: { scheme: number }): TpmtPublic =>
    rsa.value.type === 'rsa' ? { ...rsa.value, parameters: { ...rsa.value.parameters, scheme } } : rsa.value;
  expect(() => encode(tpmtPublic, withScheme({ scheme: TPM_ALG.RSAPSS }))).toThrow('needs hashAlg');
  expect(() => encode(tpmtPublic, withScheme({ scheme: TPM_ALG.ECDSA }))).toThrow(RangeError);
  expect(encode(tpmtPublic, withScheme({ scheme: TPM_ALG.RSAES })).length).toBe(22);
});

describe('TPMA_OBJECT', () => {
  test('names its bits by Part 2, 8.3', () => {
    expect(objectAttributeNames(0x00050472)).toEqual([
      'fixedTPM',
      'fixedParent',
      'sensitiveDataOrigin',
      'userWithAuth',
      'noDA',
      'restricted',
      'sign',
    ]);
    expect(objectAttributeNames(0)).toEqual([]);
    expect(objectAttributeNames(0xffffffff)).toEqual(Object.keys(TPMA_OBJECT));
  });

  test('every bit without a name is reserved', () => {
    const named = new Set<number>(Object.values(TPMA_OBJECT));
    for (let bit = 0; bit < 32; bit++) {
      const attributes = (1 << bit) >>> 0;
      expect(hasReservedBits(attributes), `bit ${bit}`).toBe(!named.has(attributes));
    }
  });
});
