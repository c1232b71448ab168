import { createPublicKey, type KeyObject } from 'node:crypto';
import { NIST_CURVES, type NistCurveName } from '../../src/bytes/nist-curves.ts';
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

/** Numbers of any kind as steps take them, imported as JWK. Coordinates of another width are none, as in certificates. */
export function keyOfNumbers(numbers: PublicNumbers): PublicKey {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
  const width = numbers.type === 'ec' ? NIST_CURVES.find(({ name }) => name === numbers.curve)?.coordinateBytes : 0;
  return new LazyKey(numbers, () => {
    if (numbers.type === 'ec' && (numbers.x.length !== width || numbers.y.length !== width)) return undefined;
    try {
      const jwk =
        numbers.type === 'rsa'
          ? { kty: 'RSA', n: text(numbers.modulus), e: text(numbers.exponent) }
          : { kty: 'EC', crv: numbers.curve, x: text(numbers.x), y: text(numbers.y) };
      return createPublicKey({ format: 'jwk', key: jwk });
    } catch {
      return undefined;
    }
  });
}
