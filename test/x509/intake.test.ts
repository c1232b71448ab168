import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { takeCertificate, takeChain } from '../../src/x509/intake.ts';
import { MalformedCertificateError } from '../../src/x509/malformed-certificate.ts';
import { mintEkChain } from '../support/pki.ts';

const chain = mintEkChain();
const leaf = chain.leaf.der;
const join = (...parts: readonly (Uint8Array | number[])[]): Uint8Array =>
  new Uint8Array(Buffer.concat(parts.map((part) => Uint8Array.from(part))));
const length = (bytes: number): number[] => [bytes >> 8, bytes & 0xff];
const fill = (octet: number, count: number): Uint8Array => new Uint8Array(count).fill(octet);

test.each([
  ['a certificate alone', leaf, []],
  ['padding of 431 times ff', join(leaf, fill(0xff, 431)), ['431-trailing-bytes-ff']],
  ['padding of 192 times 11', join(leaf, fill(0x11, 192)), ['192-trailing-bytes-11']],
  ['padding of one zero', join(leaf, [0]), ['1-trailing-bytes-00']],
  ['the TCG header of five bytes', join([0x10, 1, 0], length(leaf.length), leaf), ['TCG-header']],
  ['the TCG header of seven bytes', join([0x10, 1, 0], length(leaf.length + 2), [0x10, 2], leaf), ['TCG-header']],
  [
    'a TCG header and padding',
    join([0x10, 1, 0], length(leaf.length), leaf, fill(0xff, 9)),
    ['TCG-header', '9-trailing-bytes-ff'],
  ],
])('takes %s, and keeps the certificate’s own bytes', (_, bytes, oddities) => {
  const taken = takeCertificate(bytes);
  expect(taken.oddities).toEqual(oddities);
  expect(Buffer.from(taken.der)).toEqual(Buffer.from(leaf));
  expect(taken.der.buffer).toBe(bytes.buffer);
  expect(parseCertificate(taken.der).fingerprint).toBe(chain.leaf.certificate.fingerprint);
});

test.each([
  ['nothing', []],
  ['padding alone', fill(0xff, 64)],
  ['padding of mixed values', join(leaf, fill(0xff, 8), [0])],
  ['letters after the certificate', join(leaf, Buffer.from('AAAA'))],
  ['a second certificate after the first', join(leaf, leaf)],
  ['a certificate cut off', leaf.subarray(0, -1)],
  ['a TCG header of a partial certificate', join([0x10, 1, 1], length(leaf.length), leaf)],
  ['a TCG header that claims too much', join([0x10, 1, 0], length(leaf.length + 1), leaf)],
  ['a TCG header that claims too little', join([0x10, 1, 0], length(leaf.length - 1), leaf)],
  ['a TCG header cut off', [0x10, 1, 0]],
  ['a seven-byte header whose length leaves out its tag', join([0x10, 1, 0], length(leaf.length), [0x10, 2], leaf)],
  ['an indefinite length', [0x30, 0x80, 0, 0]],
  ['more than 16 KiB', join(leaf, fill(0xff, 16_384))],
])('rejects %s', (_, bytes) => {
  expect(() => takeCertificate(Uint8Array.from(bytes))).toThrow(MalformedCertificateError);
});

test('cuts up a chain that was spread over NV indices at any place', () => {
  const blob = join(chain.leaf.der, chain.intermediate.der, chain.root.der);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: blob.length }), (at) => {
      const { certificates, oddities } = takeChain(join(blob.subarray(0, at), blob.subarray(at), fill(0xff, 100)));
      expect(certificates.map((der) => Buffer.from(der).toString('hex'))).toEqual(
        [chain.leaf, chain.intermediate, chain.root].map(({ der }) => Buffer.from(der).toString('hex')),
      );
      expect(oddities).toEqual(['100-trailing-bytes-ff']);
    }),
    { numRuns: 20 },
  );
});

test('a chain may be empty or nothing but padding', () => {
  expect(takeChain(new Uint8Array()).certificates).toEqual([]);
  expect(takeChain(fill(0xff, 512)).certificates).toEqual([]);
});

const times = (count: number, bytes: Uint8Array): Uint8Array => join(...Array.from({ length: count }, () => bytes));

test('a chain has at most ten certificates, each of at most 16 KiB, in 64 KiB', () => {
  expect(takeChain(times(10, leaf)).certificates).toHaveLength(10);
  expect(() => takeChain(times(11, leaf))).toThrow('more than 10 certificates');
  expect(() => takeChain(join(leaf, fill(0, 65_536)))).toThrow('more than 65536');
  const large = join([0x30, 0x82, 0x40, 0x00], fill(0, 0x4000));
  expect(() => takeChain(large)).toThrow('a certificate of 16388 bytes');
});

test('rejects a chain with something between or after its certificates', () => {
  expect(() => takeChain(join(leaf, [0], leaf))).toThrow(MalformedCertificateError);
  expect(() => takeChain(join(leaf, [0xff, 0xfe]))).toThrow(MalformedCertificateError);
  expect(() => takeChain(join(leaf, leaf.subarray(0, 100)))).toThrow(MalformedCertificateError);
});
