import { describe, expect, test } from 'vitest';
import { decode, encode } from '../../../src/tpm/structures/codec.ts';
import { TPM_ALG } from '../../../src/tpm/structures/constants.ts';
import { type TpmtSignature, tpmtSignature } from '../../../src/tpm/structures/signature.ts';
import { swtpmAttestations, unhex } from '../../support/vectors.ts';

const SHA256 = TPM_ALG.SHA256;
const [r, s, sig] = [unhex('0102'), unhex('03'), unhex('0a0b0c')];
const digest = new Uint8Array(32).fill(5);

/** Part 2, 11.3.4: the selector, then the hash, then what the scheme has. */
const ROWS: readonly { bytes: string; value: TpmtSignature }[] = [
  { bytes: '0014 000b 0003 0a0b0c', value: { sigAlg: 'rsassa', hash: SHA256, sig } },
  { bytes: '0016 000c 0003 0a0b0c', value: { sigAlg: 'rsapss', hash: TPM_ALG.SHA384, sig } },
  { bytes: '0018 000b 00020102 000103', value: { sigAlg: 'ecdsa', hash: SHA256, signatureR: r, signatureS: s } },
  { bytes: '001a 000b 00020102 000103', value: { sigAlg: 'ecdaa', hash: SHA256, signatureR: r, signatureS: s } },
  { bytes: '001b 0012 00020102 000103', value: { sigAlg: 'sm2', hash: 0x12, signatureR: r, signatureS: s } },
  { bytes: '001c 000b 00020102 000103', value: { sigAlg: 'ecschnorr', hash: SHA256, signatureR: r, signatureS: s } },
  { bytes: `0005 000b ${'05'.repeat(32)}`, value: { sigAlg: 'hmac', hash: SHA256, digest } },
  { bytes: '0010', value: { sigAlg: 'null' } },
];

test.each(ROWS)('TPMT_SIGNATURE of $value.sigAlg reads and writes as Part 2 says', ({ bytes, value }) => {
  expect(decode(tpmtSignature, unhex(bytes))).toEqual(value);
  expect(encode(tpmtSignature, value)).toEqual(unhex(bytes));
});

describe('is malformed', () => {
  test.each([
    { what: 'with a selector of no signature', bytes: '0017 000b 0000', error: 'TPMT_SIGNATURE.sigAlg at byte 2' },
    { what: 'with the selector of a hash', bytes: '000b', error: '0x000b is not a TPMI_ALG_SIG_SCHEME' },
    { what: 'as a null signature of six bytes', bytes: '0010 00000000', error: '4 bytes left over' },
    { what: 'with an RSA signature of 513 bytes', bytes: `0014 000b 0201 ${'00'.repeat(513)}`, error: 'is over 512' },
    { what: 'with an r of 67 bytes', bytes: `0018 000b 0043 ${'00'.repeat(67)} 0000`, error: 'signatureR' },
    { what: 'as an HMAC over a hash of unknown length', bytes: `0005 0027 ${'05'.repeat(32)}`, error: '0x27' },
    { what: 'as an HMAC one byte short', bytes: `0005 000b ${'05'.repeat(31)}`, error: 'needs 32 bytes, 31 are left' },
    { what: 'as an RSA signature without its hash', bytes: '0014', error: 'TPMT_SIGNATURE.rsassa.hash' },
  ])('$what', ({ bytes, error }) => {
    expect(() => decode(tpmtSignature, unhex(bytes))).toThrow(error);
  });
});

test('an HMAC is not written with a digest of another length', () => {
  expect(() => encode(tpmtSignature, { sigAlg: 'hmac', hash: SHA256, digest: digest.subarray(1) })).toThrow(RangeError);
  expect(() => encode(tpmtSignature, { sigAlg: 'hmac', hash: 0x27, digest })).toThrow(RangeError);
});

test.each(swtpmAttestations.quotes)('the signature of swtpm quote $name comes back byte for byte', ({ signature }) => {
  expect(encode(tpmtSignature, decode(tpmtSignature, unhex(signature)))).toEqual(unhex(signature));
});
