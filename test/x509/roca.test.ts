import { Buffer } from 'node:buffer';
import { checkPrimeSync, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { hasRocaFingerprint } from '../../src/x509/roca.ts';
import { corpusRows, describeCorpus } from '../support/corpus.ts';
import { type KeyAlgorithm, keyPair } from '../support/pki.ts';
import { unhex } from '../support/vectors.ts';

interface Row {
  readonly name: string;
  readonly bits: number;
  readonly modulus: string;
  readonly expected: 'positive' | 'negative';
}

describeCorpus('published moduli', () => {
  const rows = corpusRows<'vectors', Row>('vectors/roca.json', 'vectors');

  test('some are marked and some are not', () => {
    expect(new Set(rows.map(({ expected }) => expected))).toEqual(new Set(['positive', 'negative']));
  });

  test.each(rows)('$name of $bits bits: $expected', ({ modulus, expected }) => {
    expect(hasRocaFingerprint(unhex(modulus.length % 2 === 0 ? modulus : `0${modulus}`))).toBe(expected === 'positive');
  });
});

const primesUpTo = (limit: number): number[] =>
  Array.from({ length: limit + 1 }, (_, number) => number).filter(
    (number) => number > 1 && !Array.from({ length: number }, (_, d) => d).some((d) => d > 1 && number % d === 0),
  );
const product = (numbers: readonly number[]): bigint => numbers.reduce((all, one) => all * BigInt(one), 1n);

const bytesOf = (value: bigint): Uint8Array => {
  const hex = value.toString(16);
  return unhex(hex.length % 2 === 0 ? hex : `0${hex}`);
};
const random = (bits: number): bigint =>
  BigInt(`0x${randomBytes(Math.ceil(bits / 8)).toString('hex')}`) >> BigInt((8 - (bits % 8)) % 8);

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let square = base % modulus;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

/** The rule in its own words: N is a power of 65537 modulo every odd prime up to 167. */
function isMarkedBy(prime: number, value: bigint): boolean {
  const residue = Number(value % BigInt(prime));
  for (let i = 0, one = 1; i < prime; i++, one = (one * 65_537) % prime) if (one === residue) return true;
  return false;
}

const ODD_PRIMES = primesUpTo(167).slice(1);
const PRIMORIAL = product([2, ...ODD_PRIMES]);
const DISCRIMINATING = ODD_PRIMES.filter((prime) =>
  Array.from({ length: prime - 1 }, (_, i) => BigInt(i + 1)).some((residue) => !isMarkedBy(prime, residue)),
);

/** An odd number of exactly so many bits that is a power of 65537 modulo the product of the primes. */
function markedNumber(bits: number): bigint {
  const top = (1n << BigInt(bits - 1)) + random(bits - 2);
  return top - (top % PRIMORIAL) + PRIMORIAL + power(65_537n, random(64), PRIMORIAL);
}

/** A prime as the affected generator makes it: k * M + (65537^a mod M). */
function markedPrime(bits: number, primorial: bigint): bigint {
  const spare = bits - primorial.toString(2).length;
  for (;;) {
    const k = (1n << BigInt(spare)) | random(spare);
    const candidate = k * primorial + power(65_537n, random(64), primorial);
    if (checkPrimeSync(candidate)) return candidate;
  }
}

test('seventeen primes tell marked numbers from others', () => {
  expect(ODD_PRIMES).toHaveLength(38);
  expect(DISCRIMINATING).toEqual([11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157]);
});

// The generator takes the product of the first 39 primes for short keys, and of the first 126 from 1984 bits on.
test.each([
  [512, 167],
  [2048, 701],
])('finds a modulus of %i bits whose primes are of the affected form', (bits, last) => {
  const primorial = product(primesUpTo(last));
  const modulus = markedPrime(bits / 2, primorial) * markedPrime(bits / 2, primorial);
  expect(hasRocaFingerprint(bytesOf(modulus))).toBe(true);
});

describe.each([512, 1024, 1025, 2048, 2049, 2050, 3072, 4096])('of %i bits,', (bits) => {
  test('a marked number is found, with and without leading zeros', () => {
    for (let i = 0; i < 20; i++) {
      const number = markedNumber(bits);
      expect(number.toString(2)).toHaveLength(bits);
      expect(hasRocaFingerprint(bytesOf(number))).toBe(true);
      expect(hasRocaFingerprint(Buffer.concat([Buffer.alloc(3), bytesOf(number)]))).toBe(true);
    }
  });

  test.each(DISCRIMINATING)('a number that is marked but for %i is not found', (prime) => {
    const number = markedNumber(bits);
    // One step changes the residue modulo this prime only.
    const step = PRIMORIAL / BigInt(prime);
    const neighbours = Array.from({ length: prime }, (_, i) => number + BigInt(i) * step);
    for (const neighbour of neighbours) {
      expect(ODD_PRIMES.filter((other) => !isMarkedBy(other, neighbour) && other !== prime)).toEqual([]);
      expect(hasRocaFingerprint(bytesOf(neighbour))).toBe(isMarkedBy(prime, neighbour));
    }
    expect(neighbours.some((neighbour) => !isMarkedBy(prime, neighbour))).toBe(true);
  });

  test('random numbers are judged by the rule', () => {
    for (let i = 0; i < 50; i++) {
      const number = (1n << BigInt(bits - 1)) + random(bits - 1);
      expect(hasRocaFingerprint(bytesOf(number))).toBe(DISCRIMINATING.every((prime) => isMarkedBy(prime, number)));
    }
  });
});

test.each(['rsa1024', 'rsa2048', 'rsa3072', 'rsa4096'] as const)('does not find a new key of %s', (algorithm) => {
  expect(hasRocaFingerprint(modulusOf(algorithm))).toBe(false);
});

test('the product of a marked prime and one of OpenSSL is not found', () => {
  const sound = keyPair('rsa2048', 'roca').privateKey.export({ format: 'jwk' })['p'];
  const prime = BigInt(`0x${Buffer.from(sound ?? '', 'base64url').toString('hex')}`);
  const marked = markedPrime(1024, product(primesUpTo(701)));
  expect(hasRocaFingerprint(bytesOf(marked * marked))).toBe(true);
  expect(hasRocaFingerprint(bytesOf(marked * prime))).toBe(false);
});

test('no bytes and zero are no marked numbers', () => {
  expect(hasRocaFingerprint(new Uint8Array())).toBe(false);
  expect(hasRocaFingerprint(new Uint8Array(256))).toBe(false);
});

function modulusOf(algorithm: KeyAlgorithm): Uint8Array {
  const { n = '' } = keyPair(algorithm, 'roca').publicKey.export({ format: 'jwk' });
  return Buffer.from(n, 'base64url');
}
