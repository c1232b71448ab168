import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { certificateAddresses } from '../../src/tpm/certificate-services.ts';
import { readVectors } from '../support/vectors.ts';

type Vector = { readonly name: string; readonly urls: readonly string[] } & (
  | { readonly n: string; readonly e: string }
  | { readonly curve: string; readonly x: string; readonly y: string }
);

const { vectors } = readVectors<{ readonly vectors: readonly Vector[] }>('certificate-addresses.json');
const INTEL = '494E5443';
const AMD = '414D4400';

function keyOf(vector: Vector): KeyObject {
  const text = (hexadecimal: string): string => Buffer.from(hexadecimal, 'hex').toString('base64url');
  const key =
    'n' in vector
      ? { kty: 'RSA', n: text(vector.n), e: text(vector.e) }
      : { kty: 'EC', crv: vector.curve, x: text(vector.x), y: text(vector.y) };
  return createPublicKey({ key, format: 'jwk' });
}

describe('the addresses of a key', () => {
  test.each(vectors)('are those computed a second time: $name', (vector) => {
    expect(certificateAddresses(keyOf(vector)).map(({ url }) => url)).toEqual(vector.urls);
  });

  test.each([
    ['rsa', 'https://ekop.intel.com/ekcertservice/WVEG2rRwkQ7m3RpXlUphgo6Y2HLxl18h6ZZkkOAdnBE%3D'],
    ['ecc', 'https://ekop.intel.com/ekcertservice/eXT1X6I9wqIMOXll9LoXf0adQelkeaBccmoYU8Kth8o%3D'],
  ])('are those from which Intel’s certificate was fetched (%s)', (kind, url) => {
    const [published] = vectors.filter(
      (vector) => vector.name.includes('published') && 'n' in vector === (kind === 'rsa'),
    );
    if (published === undefined) throw new Error('no published key');
    expect(certificateAddresses(keyOf(published), INTEL)).toEqual([{ service: 'Intel', url }]);
  });

  test('are those of the TPM’s manufacturer alone, and of another’s TPM there are none', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const services = (id?: string): readonly string[] =>
      certificateAddresses(publicKey, id).map(({ service }) => service);
    expect(services()).toEqual(['Intel', 'AMD']);
    expect(services(AMD)).toEqual(['AMD']);
    expect(services(AMD.toLowerCase())).toEqual(['AMD']);
    expect(services('49465800')).toEqual([]);
  });

  test('are none for a key that no endorsement key is', () => {
    expect(certificateAddresses(generateKeyPairSync('ed25519').publicKey)).toEqual([]);
    expect(certificateAddresses(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey)).toEqual([]);
  });
});
