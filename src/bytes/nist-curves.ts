/** The NIST curves (SP 800-186, 3.2.1): their sizes, and their names in X.509, JWK and OpenSSL. Pure. */

export type NistCurveName = 'P-256' | 'P-384' | 'P-521';

/** A curve and its sizes, in bits and bytes. */
export interface NistCurve {
  /** Also the `crv` of a JWK (RFC 7518, 6.2.1.1). */
  readonly name: NistCurveName;
  /** In dotted form (RFC 5480, 2.1.1.1). */
  readonly objectIdentifier: string;
  readonly openssl: string;
  readonly bits: number;
  readonly coordinateBytes: number;
  /** Order of the base point (SEC 2). */
  readonly order: bigint;
}

export const NIST_CURVES: readonly NistCurve[] = [
  {
    name: 'P-256',
    objectIdentifier: '1.2.840.10045.3.1.7',
    openssl: 'prime256v1',
    bits: 256,
    coordinateBytes: 32,
    order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  },
  {
    name: 'P-384',
    objectIdentifier: '1.3.132.0.34',
    openssl: 'secp384r1',
    bits: 384,
    coordinateBytes: 48,
    order: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  },
  {
    name: 'P-521',
    objectIdentifier: '1.3.132.0.35',
    openssl: 'secp521r1',
    bits: 521,
    coordinateBytes: 66,
    order:
      0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
  },
];

export function nistCurveByOpenssl(name: string): NistCurve | undefined {
  return NIST_CURVES.find(({ openssl }) => openssl === name);
}
