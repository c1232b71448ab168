import { describe, expect, test } from 'vitest';
import { tpmsCapabilityData } from '../../../src/tpm/structures/capability.ts';
import { decode, encode } from '../../../src/tpm/structures/codec.ts';
import { TPM_ALG, TPM_PT } from '../../../src/tpm/structures/constants.ts';
import { tpm2bIdObject, tpmsIdObject } from '../../../src/tpm/structures/credential.ts';
import { unhex } from '../../support/vectors.ts';

/** Part 2, 10.10.2: the capability in 32 bits, then its list. */
test.each([
  {
    bytes: '00000001 00000002 81010001 81010016',
    value: { capability: 'handles' as const, data: [0x81010001, 0x81010016] },
  },
  {
    bytes: '00000006 00000001 00000105 49424d00',
    value: { capability: 'properties' as const, data: [{ property: TPM_PT.MANUFACTURER, value: 0x49424d00 }] },
  },
  {
    bytes: '00000005 00000002 0004 03 000000 000b 03 ffffff',
    value: {
      capability: 'pcrs' as const,
      data: [
        { hash: TPM_ALG.SHA1, pcrSelect: unhex('000000') },
        { hash: TPM_ALG.SHA256, pcrSelect: unhex('ffffff') },
      ],
    },
  },
])('$value.capability read and write as Part 2 says', ({ bytes, value }) => {
  expect(decode(tpmsCapabilityData, unhex(bytes))).toEqual(value);
  expect(encode(tpmsCapabilityData, value)).toEqual(unhex(bytes));
});

test.each([
  { what: 'a capability nobody asks for', bytes: '00000002 00000000', error: 'TPM_CAP' },
  { what: 'a vendor capability', bytes: '00000100 00000000', error: 'TPM_CAP' },
  { what: 'one whose number only ends like a known one', bytes: '00010001 00000000', error: 'not a capability' },
  { what: '255 handles', bytes: '00000001 000000ff', error: 'count 255 is over 254' },
  { what: '128 properties', bytes: '00000006 00000080', error: 'count 128 is over 127' },
])('$what is malformed', ({ bytes, error }) => {
  expect(() => decode(tpmsCapabilityData, unhex(bytes))).toThrow(error);
});

describe('TPM2B_ID_OBJECT', () => {
  const value = { integrityHmac: unhex('aabb'), encIdentity: unhex('010203') };
  test('gives the encrypted identity no size of its own', () => {
    expect(encode(tpm2bIdObject, value)).toEqual(unhex('0007 0002aabb 010203'));
    expect(decode(tpm2bIdObject, unhex('0007 0002aabb 010203'))).toEqual(value);
    expect(decode(tpmsIdObject, unhex('0002aabb 010203'))).toEqual(value);
  });

  test.each([
    { what: 'an HMAC longer than any digest', bytes: `0043 0041 ${'00'.repeat(65)}`, error: 'integrityHmac' },
    { what: 'an HMAC that reaches past its end', bytes: '0004 0003 aabb', error: 'needs 3 bytes, 2 are left' },
    { what: 'nothing in it', bytes: '0000', error: 'TPM2B_ID_OBJECT.integrityHmac' },
  ])('with $what is malformed', ({ bytes, error }) => {
    expect(() => decode(tpm2bIdObject, unhex(bytes))).toThrow(error);
  });
});
