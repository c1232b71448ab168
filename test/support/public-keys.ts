import type { KeyObject } from 'node:crypto';
import type { NistCurveName } from '../../src/bytes/nist-curves.ts';
import { LazyKey, type PublicKey, type PublicNumbers } from '../../src/public-key/public-key.ts';

/** The numbers of an imported RSA or EC key. */
export function numbersOf(key: KeyObject): PublicNumbers {
  const { kty, n, e, crv, x, y } = key.export({ format: 'jwk' });
  const decoded = (text: string | undefined): Uint8Array => Uint8Array.from(Buffer.from(text ?? '', 'base64url'));
  return kty === 'RSA'
    ? { type: 'rsa', use: 'any', modulus: decoded(n), exponent: decoded(e) }
    : { type: 'ec', curve: crv as NistCurveName, x: decoded(x), y: decoded(y) };
}

/** An imported key as steps take it. */
export function publicKey(key: KeyObject): PublicKey {
  return new LazyKey(numbersOf(key), () => key);
}
