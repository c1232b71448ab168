/** What the product knows of each hash and curve, once; everything else gets a resolved entry. */
import { TPM_ALG, TPM_ECC } from './constants.ts';

export interface HashAlgorithm {
  readonly id: number;
  /** Name in configuration, selectors and `node:crypto`. */
  readonly name: string;
  readonly digestBytes: number;
}

export interface Curve {
  readonly id: number;
  readonly name: string;
  /** RFC 7518 `crv`; absent where JWK has none. */
  readonly jwk: string | undefined;
  readonly openssl: string;
  /** DER (RFC 5480 2.1.1.1, RFC 8998 for SM2). */
  readonly objectIdentifier: Uint8Array;
  readonly coordinateBytes: number;
  readonly bits: number;
  /** Order of the base point (SEC 2; GB/T 32918.5 for SM2). */
  readonly order: bigint;
}

const HASHES: readonly HashAlgorithm[] = [
  { id: TPM_ALG.SHA1, name: 'sha1', digestBytes: 20 },
  { id: TPM_ALG.SHA256, name: 'sha256', digestBytes: 32 },
  { id: TPM_ALG.SHA384, name: 'sha384', digestBytes: 48 },
  { id: TPM_ALG.SHA512, name: 'sha512', digestBytes: 64 },
  { id: TPM_ALG.SM3_256, name: 'sm3', digestBytes: 32 },
];

const CURVES: readonly Curve[] = [
  {
    id: TPM_ECC.NIST_P256,
    name: 'P-256',
    jwk: 'P-256',
    openssl: 'prime256v1',
    objectIdentifier: Uint8Array.of(0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07),
    coordinateBytes: 32,
    bits: 256,
    order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  },
  {
    id: TPM_ECC.NIST_P384,
    name: 'P-384',
    jwk: 'P-384',
    openssl: 'secp384r1',
    objectIdentifier: Uint8Array.of(0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22),
    coordinateBytes: 48,
    bits: 384,
    order: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  },
  {
    id: TPM_ECC.NIST_P521,
    name: 'P-521',
    jwk: 'P-521',
    openssl: 'secp521r1',
    objectIdentifier: Uint8Array.of(0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23),
    coordinateBytes: 66,
    bits: 521,
    order:
      0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
  },
  {
    id: TPM_ECC.SM2_P256,
    name: 'SM2',
    jwk: undefined,
    openssl: 'SM2',
    objectIdentifier: Uint8Array.of(0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d),
    coordinateBytes: 32,
    bits: 256,
    order: 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n,
  },
];

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

/** Algorithms that a TPM may sign with, or have keys of, and that nothing here reads (Part 2, 6.3; version 1.85 for the last). */
const UNSUPPORTED: ReadonlySet<number> = new Set([
  TPM_ALG.EDDSA,
  TPM_ALG.HASH_EDDSA,
  TPM_ALG.LMS,
  TPM_ALG.XMSS,
  TPM_ALG.MLKEM,
  TPM_ALG.MLDSA,
  TPM_ALG.HASH_MLDSA,
]);

/** Its name; undefined for one that is read, and for a number that is no algorithm's. */
export function unsupportedAlgorithm(id: number): string | undefined {
  return UNSUPPORTED.has(id) ? algorithmName(id) : undefined;
}
