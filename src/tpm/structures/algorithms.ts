/** The table of hash algorithms and curves that this product knows: their identifiers, names and sizes. */
import { NIST_CURVES, type NistCurve, type NistCurveName } from '../../bytes/nist-curves.ts';
import { TPM_ALG, TPM_ECC } from './constants.ts';

/** A hash algorithm that this package computes. `id` is its TPM_ALG_ID (Part 2, 6.3). */
export interface HashAlgorithm {
  readonly id: number;
  /** Name in configuration, selectors and `node:crypto`. */
  readonly name: string;
  readonly digestBytes: number;
}

/** A curve, its sizes, and its names in TPMs, JWK and OpenSSL. */
export interface Curve extends Omit<NistCurve, 'name' | 'objectIdentifier'> {
  readonly id: number;
  readonly name: NistCurveName | 'SM2';
  /** RFC 7518 `crv`; undefined when JWK has no name for the curve. */
  readonly jwk: NistCurveName | undefined;
  /** DER. */
  readonly objectIdentifier: Uint8Array;
}

const HASHES: readonly HashAlgorithm[] = [
  { id: TPM_ALG.SHA1, name: 'sha1', digestBytes: 20 },
  { id: TPM_ALG.SHA256, name: 'sha256', digestBytes: 32 },
  { id: TPM_ALG.SHA384, name: 'sha384', digestBytes: 48 },
  { id: TPM_ALG.SHA512, name: 'sha512', digestBytes: 64 },
  { id: TPM_ALG.SM3_256, name: 'sm3', digestBytes: 32 },
];

const NIST_IDS: Readonly<Record<NistCurveName, number>> = {
  'P-256': TPM_ECC.NIST_P256,
  'P-384': TPM_ECC.NIST_P384,
  'P-521': TPM_ECC.NIST_P521,
};

const CURVES: readonly Curve[] = [
  ...NIST_CURVES.map((nist) => ({
    ...nist,
    id: NIST_IDS[nist.name],
    jwk: nist.name,
    objectIdentifier: derOf(nist.objectIdentifier),
  })),
  {
    id: TPM_ECC.SM2_P256,
    name: 'SM2',
    jwk: undefined,
    openssl: 'SM2',
    // RFC 8998.
    objectIdentifier: derOf('1.2.156.10197.1.301'),
    coordinateBytes: 32,
    bits: 256,
    // GB/T 32918.5.
    order: 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n,
  },
];

/** OBJECT IDENTIFIER (X.690 8.19) of less than 128 octets. */
function derOf(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const octets = [first * 40 + second, ...rest].flatMap(base128);
  return Uint8Array.of(0x06, octets.length, ...octets);
}

function base128(number: number): number[] {
  const octets = [number & 0x7f];
  for (let left = number >> 7; left > 0; left >>= 7) octets.unshift(0x80 | (left & 0x7f));
  return octets;
}

const HASH_BY_ID = new Map(HASHES.map((hash) => [hash.id, hash]));
const HASH_BY_NAME = new Map(HASHES.map((hash) => [hash.name, hash]));
const CURVE_BY_ID = new Map(CURVES.map((curve) => [curve.id, curve]));

export function hashAlgorithm(id: number): HashAlgorithm | undefined {
  return HASH_BY_ID.get(id);
}

export function hashAlgorithmByName(name: string): HashAlgorithm | undefined {
  return HASH_BY_NAME.get(name);
}

export function curve(id: number): Curve | undefined {
  return CURVE_BY_ID.get(id);
}

export function curveByOpenssl(openssl: string): Curve | undefined {
  return CURVES.find((entry) => entry.openssl === openssl);
}

export function curveByJwk(jwk: string): Curve | undefined {
  return CURVES.find((entry) => entry.jwk === jwk);
}

const ALGORITHM_NAMES = new Map<number, string>(Object.entries(TPM_ALG).map(([name, id]) => [id, name]));

/** `TPM_ALG_RSASSA`, or the number in hexadecimal. */
export function algorithmName(id: number): string {
  const name = ALGORITHM_NAMES.get(id);
  return name === undefined ? `0x${id.toString(16).padStart(4, '0')}` : `TPM_ALG_${name}`;
}

/** Key and signature algorithms of the specification that this product does not read (Part 2, 6.3; some since 1.85). */
const UNSUPPORTED: ReadonlySet<number> = new Set([
  TPM_ALG.EDDSA,
  TPM_ALG.HASH_EDDSA,
  TPM_ALG.LMS,
  TPM_ALG.XMSS,
  TPM_ALG.MLKEM,
  TPM_ALG.MLDSA,
  TPM_ALG.HASH_MLDSA,
]);

/** The name of an algorithm that this product does not read; undefined for any other number. */
export function unsupportedAlgorithm(id: number): string | undefined {
  return UNSUPPORTED.has(id) ? algorithmName(id) : undefined;
}
