import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hex } from '../../src/bytes/bytes.ts';
import { commitment } from '../../src/evidence/binding.ts';
import { unhex } from '../support/vectors.ts';

const sha256 = (...parts: readonly (Uint8Array | string)[]) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const [PAYLOAD, CHALLENGE] = [unhex('0102'), unhex('0304')];

test('the commitment is the one written down in docs/wire.md', () => {
  const expected = sha256('tpm-attestor/quote/1', unhex('000b'), 'example.org', sha256(PAYLOAD), sha256(CHALLENGE));
  expect(hex(commitment('example.org', PAYLOAD, CHALLENGE))).toBe(expected.toString('hex'));
  expect(hex(commitment('example.org', PAYLOAD, CHALLENGE))).toBe(FIXED);
});
const FIXED = '4d13ca7dcf5f22db74ea67f77ffa86961a0c4bdec31eeabad8305a86690ff214';

describe('the commitment changes with', () => {
  const base = hex(commitment('example.org', PAYLOAD, CHALLENGE));
  test.each([
    { what: 'the trust domain', other: commitment('example.net', PAYLOAD, CHALLENGE) },
    { what: 'the letter case of the trust domain', other: commitment('Example.org', PAYLOAD, CHALLENGE) },
    { what: 'no trust domain', other: commitment('', PAYLOAD, CHALLENGE) },
    { what: 'a byte of the payload', other: commitment('example.org', unhex('0103'), CHALLENGE) },
    { what: 'a byte more in the payload', other: commitment('example.org', unhex('010200'), CHALLENGE) },
    { what: 'a byte of the challenge', other: commitment('example.org', PAYLOAD, unhex('0305')) },
    { what: 'payload and challenge exchanged', other: commitment('example.org', CHALLENGE, PAYLOAD) },
    {
      what: 'bytes moved from the payload to the challenge',
      other: commitment('example.org', unhex('01'), unhex('020304')),
    },
    {
      what: 'bytes moved from the trust domain to the payload',
      other: commitment('example.or', unhex('670102'), CHALLENGE),
    },
  ])('$what', ({ other }) => {
    expect(hex(other)).not.toBe(base);
  });
});

test('no two different inputs have the same commitment', () => {
  const inputs = fc.tuple(
    fc.string({ maxLength: 8 }),
    fc.uint8Array({ maxLength: 8 }),
    fc.uint8Array({ maxLength: 8 }),
  );
  fc.assert(
    fc.property(inputs, inputs, (a, b) => {
      const same = a[0] === b[0] && hex(a[1]) === hex(b[1]) && hex(a[2]) === hex(b[2]);
      expect(hex(commitment(...a)) === hex(commitment(...b))).toBe(same);
    }),
  );
});

test('the length in front of the trust domain is of its UTF-8 bytes, in two bytes', () => {
  const long = 'é'.repeat(127);
  const expected = sha256('tpm-attestor/quote/1', unhex('00fe'), long, sha256(PAYLOAD), sha256(CHALLENGE));
  expect(hex(commitment(long, PAYLOAD, CHALLENGE))).toBe(expected.toString('hex'));
  const longer = 'x'.repeat(0x0102);
  const two = sha256('tpm-attestor/quote/1', unhex('0102'), longer, sha256(PAYLOAD), sha256(CHALLENGE));
  expect(hex(commitment(longer, PAYLOAD, CHALLENGE))).toBe(two.toString('hex'));
});
