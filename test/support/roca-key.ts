/** Makes RSA keys with the weakness of CVE-2017-15361: their primes are powers of 65537 modulo a primorial. */
import { checkPrimeSync, createPublicKey, randomBytes, randomInt } from 'node:crypto';
import type { KeyPair } from './pki.ts';
import { rsaPrivateKey } from './rsa-private-key.ts';

/** The primes that distinguish such keys: see src/x509/roca.ts. */
const PRIMES = [11n, 13n, 17n, 19n, 37n, 53n, 61n, 71n, 73n, 79n, 97n, 103n, 107n, 109n, 127n, 151n, 157n];
const PRODUCT = PRIMES.reduce((product, prime) => product * prime, 1n);
const PRIME_BITS = 1024n;

const keys = new Map<string, KeyPair>();

/** An RSA key of 2048 bits that is sound except for its fingerprint. Each label gets one key per process. */
export function rocaKeyPair(label: string): KeyPair {
  const known = keys.get(label);
  if (known !== undefined) return known;
  const privateKey = rsaPrivateKey(markedPrime(), markedPrime());
  const pair = { privateKey, publicKey: createPublicKey(privateKey.export({ format: 'pem', type: 'pkcs8' })) };
  keys.set(label, pair);
  return pair;
}

/** A prime with its two top bits set, so that the product of two has full length. */
function markedPrime(): bigint {
  const power = powerOf65537(randomInt(2 ** 32));
  const least = (3n << (PRIME_BITS - 2n)) / PRODUCT + 1n;
  const range = (1n << (PRIME_BITS - 2n)) / PRODUCT - 2n;
  for (;;) {
    const multiple = least + (BigInt(`0x${randomBytes(Number(PRIME_BITS) / 8).toString('hex')}`) % range);
    const candidate = multiple * PRODUCT + power;
    if ((candidate & 1n) === 1n && checkPrimeSync(candidate)) return candidate;
  }
}

function powerOf65537(exponent: number): bigint {
  let result = 1n;
  let square = 65_537n;
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = (result * square) % PRODUCT;
    square = (square * square) % PRODUCT;
  }
  return result;
}
