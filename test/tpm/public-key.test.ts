import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { hex } from '../../src/bytes/bytes.ts';
import {
  eccPoint,
  isOnCurve,
  keyAlgorithmName,
  publicAreaOf,
  publicKeyHash,
  publicKeyOf,
  rsaExponent,
  samePublicKey,
  spkiOf,
  spkiOfPublicArea,
} from '../../src/tpm/public-key.ts';
import { decode } from '../../src/tpm/structures/codec.ts';
import { TPM_ECC } from '../../src/tpm/structures/constants.ts';
import { type EccPublic, type RsaPublic, type TpmtPublic, tpmtPublic } from '../../src/tpm/structures/public.ts';
import { EK_TEMPLATES, type EkTemplateName } from '../../src/tpm/templates.ts';
import { unhex } from '../support/vectors.ts';

function template(name: EkTemplateName): TpmtPublic {
  const found = EK_TEMPLATES.find((each) => each.name === name);
  if (found === undefined) throw new Error(name);
  return found.publicArea;
}

const KEYS: readonly { name: EkTemplateName; algorithm: string; make: () => KeyObject }[] = [
  { name: 'L-1', algorithm: 'rsa-2048', make: () => generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey },
  { name: 'H-6', algorithm: 'rsa-3072', make: () => generateKeyPairSync('rsa', { modulusLength: 3072 }).publicKey },
  ...(
    [
      ['L-2', 'P-256'],
      ['H-3', 'P-384'],
      ['H-4', 'P-521'],
    ] as const
  ).map(([name, namedCurve]) => ({
    name,
    algorithm: `ecc-${namedCurve}`,
    make: () => generateKeyPairSync('ec', { namedCurve }).publicKey,
  })),
];

describe.each(KEYS)('$algorithm', ({ name, algorithm, make }) => {
  let key: KeyObject;
  beforeAll(() => {
    key = make();
  });

  test('goes from key to public area and back', () => {
    const publicArea = publicAreaOf(key, template(name));
    if (publicArea === undefined) throw new Error('the key fits the template');
    expect({ ...publicArea, unique: undefined }).toEqual({ ...template(name), unique: undefined });
    const back = publicKeyOf(publicArea);
    expect(back && hex(spkiOf(back))).toBe(key.export({ format: 'der', type: 'spki' }).toString('hex'));
    expect(spkiOfPublicArea(publicArea)).toEqual(spkiOf(key));
    expect(keyAlgorithmName(publicArea)).toBe(algorithm);
  });

  test('fits no template of another key', () => {
    const fits = EK_TEMPLATES.filter(({ publicArea }) => publicAreaOf(key, publicArea) !== undefined);
    expect(fits.map(({ publicArea }) => keyAlgorithmName(publicArea))).toEqual(fits.map(() => algorithm));
    expect(fits.map((each) => each.name)).toContain(name);
  });

  test('is named by the SHA-256 of its SubjectPublicKeyInfo, as openssl prints it', () => {
    const pem = key.export({ format: 'pem', type: 'spki' }).toString();
    const der = Buffer.from(pem.replace(/-----.*-----|\s/g, ''), 'base64');
    expect(publicKeyHash(key)).toBe(createHash('sha256').update(der).digest('hex'));
  });

  test('is the same key only as itself', () => {
    expect(samePublicKey(key, createPublicKey(key.export({ format: 'pem', type: 'spki' })))).toBe(true);
    expect(samePublicKey(key, make())).toBe(false);
  });
});

/** SEC 2, 2.4.2: the base point of P-256, and the point with a small x-coordinate that lies on the curve. */
const P = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const wide = (number: bigint, bytes = 32) => unhex(number.toString(16).padStart(bytes * 2, '0'));

function power(base: bigint, exponent: bigint): bigint {
  let [result, square] = [1n, base % P];
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}

/** The first x from 1 on whose point exists; P is 3 mod 4, so the root is one power. */
function smallPoint(): { x: bigint; y: bigint } {
  for (let x = 1n; ; x++) {
    const right = (((x ** 3n - 3n * x + B) % P) + P) % P;
    const y = power(right, (P + 1n) / 4n);
    if ((y * y) % P === right) return { x, y };
  }
}

describe('ECC coordinates', () => {
  const small = smallPoint();
  const area = (x: Uint8Array, y: Uint8Array): EccPublic => ({ ...(template('L-2') as EccPublic), unique: { x, y } });
  const padded = area(wide(small.x), wide(small.y));

  test('that a TPM sent without their leading zeros mean the same key', () => {
    const stripped = area(wide(small.x, 1), wide(small.y));
    expect(eccPoint(stripped)).toEqual(padded.unique);
    const [a, b] = [publicKeyOf(padded), publicKeyOf(stripped)];
    expect(a && b && samePublicKey(a, b)).toBe(true);
    expect([padded, stripped].map(spkiOfPublicArea)).toEqual([a && spkiOf(a), a && spkiOf(a)]);
    expect([padded, stripped].map(isOnCurve)).toEqual([true, true]);
  });

  test('with zeros in front beyond the field mean the same key, anything else there none', () => {
    expect(eccPoint(area(wide(small.x, 33), wide(small.y)))).toEqual(padded.unique);
    const longer = area(wide(small.x, 33).with(0, 1), wide(small.y));
    expect(eccPoint(longer)).toBeUndefined();
    expect(publicKeyOf(longer)).toBeUndefined();
    expect(spkiOfPublicArea(longer)).toBeUndefined();
    expect(isOnCurve(longer)).toBe(false);
  });

  test.each([
    { what: 'off the curve', x: wide(small.x), y: wide(small.y ^ 1n) },
    { what: 'of the template: zeros', x: new Uint8Array(32), y: new Uint8Array(32) },
    { what: 'that are empty', x: unhex(''), y: unhex('') },
    { what: 'not reduced by the field prime', x: wide(small.x + P), y: wide(small.y) },
    { what: 'of the field prime', x: wide(P), y: wide(P) },
    { what: 'exchanged', x: wide(small.y), y: wide(small.x) },
  ])('$what are no key', ({ x, y }) => {
    expect(publicKeyOf(area(x, y))).toBeUndefined();
    expect(isOnCurve(area(x, y))).toBe(false);
    expect(publicKeyOf(padded)).toBeDefined();
  });

  test.each([TPM_ECC.BN_P256, TPM_ECC.SM2_P256, 0, 0xffff])('on curve %i are no key', (curveId) => {
    expect(publicKeyOf({ ...padded, parameters: { ...padded.parameters, curveId } })).toBeUndefined();
  });

  test('on another curve are another name', () => {
    const named = (curveId: number) => keyAlgorithmName({ ...padded, parameters: { ...padded.parameters, curveId } });
    expect([TPM_ECC.NIST_P256, TPM_ECC.SM2_P256, TPM_ECC.BN_P256].map(named)).toEqual([
      'ecc-P-256',
      'ecc-SM2',
      'ecc-0010',
    ]);
  });
});

describe('an RSA exponent', () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const area = publicAreaOf(publicKey, template('L-1')) as RsaPublic;
  const withExponent = (exponent: number): RsaPublic => ({ ...area, parameters: { ...area.parameters, exponent } });

  test('of 0 is 65537 and makes the same key', () => {
    expect([rsaExponent(withExponent(0)), rsaExponent(withExponent(65537))]).toEqual([65537, 65537]);
    const [a, b] = [publicKeyOf(withExponent(0)), publicKeyOf(withExponent(65537))];
    expect(a && b && samePublicKey(a, b)).toBe(true);
  });

  test.each([3, 17, 65539, 0xffffffff])('of %i is another key', (exponent) => {
    const [a, b] = [publicKeyOf(withExponent(0)), publicKeyOf(withExponent(exponent))];
    expect(a && b && samePublicKey(a, b)).toBe(false);
    expect(b?.asymmetricKeyDetails?.publicExponent).toBe(BigInt(exponent));
    expect(b && publicAreaOf(b, template('L-1'))).toBeUndefined();
    expect(spkiOfPublicArea(withExponent(exponent))).toEqual(b && spkiOf(b));
  });
});

test('objects that are no asymmetric keys have no key', () => {
  const symmetric = decode(tpmtPublic, unhex('0025 000b 00000000 0000 0006 0080 0043 0000'));
  const keyedHash = decode(tpmtPublic, unhex('0008 000b 00000000 0000 0010 0000'));
  for (const area of [symmetric, keyedHash]) {
    expect(publicKeyOf(area)).toBeUndefined();
    expect(spkiOfPublicArea(area)).toBeUndefined();
    expect(keyAlgorithmName(area)).toBe(area.type);
  }
});
