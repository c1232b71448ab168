/** Converts public keys between TPMT_PUBLIC, the KeyObject of `node:crypto` and SubjectPublicKeyInfo. Pure. */
import { createPublicKey, ECDH, hash, type KeyObject } from 'node:crypto';
import { concat, equalBytes, hex, padStart } from '../bytes/bytes.ts';
import { curve, curveByJwk } from './structures/algorithms.ts';
import type { EccPublic, RsaPublic, TpmtPublic } from './structures/public.ts';

const DEFAULT_EXPONENT = 65537;

/** SEQUENCE { rsaEncryption, NULL } (RFC 3279 2.3.1). */
const RSA_ENCRYPTION: Uint8Array = Uint8Array.from(Buffer.from('300d06092a864886f70d0101010500', 'hex'));
/** OBJECT IDENTIFIER id-ecPublicKey (RFC 5480 2.1.1). */
const EC_PUBLIC_KEY: Uint8Array = Uint8Array.from(Buffer.from('06072a8648ce3d0201', 'hex'));
/** In front of a BIT STRING of whole octets, and of an INTEGER whose top bit is set. */
const ZERO: Uint8Array = Uint8Array.of(0);
/** In front of a point's two coordinates (SEC 1, 2.3.3). */
const UNCOMPRESSED: Uint8Array = Uint8Array.of(4);

/** RSA exponent as used: the public area's 0 stands for 65537 (Part 2, 12.2.3.5). */
export function rsaExponent(publicArea: RsaPublic): number {
  return publicArea.parameters.exponent || DEFAULT_EXPONENT;
}

/** Coordinates at full field width; undefined for an unknown curve or a coordinate that is too long. */
export function eccPoint(publicArea: EccPublic): { readonly x: Uint8Array; readonly y: Uint8Array } | undefined {
  const width = curve(publicArea.parameters.curveId)?.coordinateBytes;
  if (width === undefined) return undefined;
  const x = padStart(publicArea.unique.x, width);
  const y = padStart(publicArea.unique.y, width);
  return x === undefined || y === undefined ? undefined : { x, y };
}

/**
 * Whether the point of an ECC key lies on its curve. On a NIST curve, of cofactor 1, it is a key then (SP 800-56A,
 * 5.6.2.3.4).
 */
export function isOnCurve(publicArea: EccPublic): boolean {
  const openssl = curve(publicArea.parameters.curveId)?.openssl;
  const point = eccPoint(publicArea);
  if (openssl === undefined || point === undefined) return false;
  try {
    // Takes a fifth of the time of an import, which also multiplies the point by the order of the curve.
    ECDH.convertKey(concat(UNCOMPRESSED, point.x, point.y), openssl);
    return true;
  } catch {
    return false;
  }
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}

const DEFAULT_EXPONENT_BYTES: Uint8Array = Uint8Array.of(1, 0, 1);

function exponentBytes(exponent: number): Uint8Array {
  if (exponent === DEFAULT_EXPONENT) return DEFAULT_EXPONENT_BYTES;
  const digits = exponent.toString(16);
  return Uint8Array.from(Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex'));
}

/**
 * The key of a public area, imported as JWK (30 times faster than by SPKI for RSA). Keys of the curves wider than P-256
 * go by SPKI, which leaves out a multiplication by the order of the curve (see `isOnCurve`) and takes a fifth of the
 * time. Undefined when it is no RSA or NIST-curve key, or its point is not on the curve.
 */
export function publicKeyOf(publicArea: TpmtPublic): KeyObject | undefined {
  try {
    if (publicArea.type === 'rsa') {
      const key = { kty: 'RSA', n: base64url(publicArea.unique), e: base64url(exponentBytes(rsaExponent(publicArea))) };
      return createPublicKey({ format: 'jwk', key });
    }
    if (publicArea.type !== 'ecc') return undefined;
    const crv = curve(publicArea.parameters.curveId)?.jwk;
    const point = eccPoint(publicArea);
    if (crv === undefined || point === undefined) return undefined;
    const spki = crv === 'P-256' ? undefined : spkiOfPublicArea(publicArea);
    if (spki !== undefined) return createPublicKey({ format: 'der', type: 'spki', key: Buffer.from(spki) });
    return createPublicKey({ format: 'jwk', key: { kty: 'EC', crv, x: base64url(point.x), y: base64url(point.y) } });
  } catch {
    // OpenSSL refuses the numbers (a point off the curve, an even modulus): not a key.
    return undefined;
  }
}

/** DER of an element (X.690 8.1) of less than 64 KiB. */
function element(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const content of contents) length += content.length;
  const octets = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return concat(Uint8Array.of(tag, ...octets), ...contents);
}

/** INTEGER of an unsigned number. */
function unsigned(magnitude: Uint8Array): Uint8Array {
  const start = magnitude.findIndex((byte) => byte !== 0);
  const shortest = start < 0 ? ZERO : magnitude.subarray(start);
  return (shortest[0] ?? 0) < 0x80 ? element(0x02, shortest) : element(0x02, ZERO, shortest);
}

/** The SubjectPublicKeyInfo of a public area, made without importing its key; undefined when it has none. */
export function spkiOfPublicArea(publicArea: TpmtPublic): Uint8Array | undefined {
  if (publicArea.type === 'rsa') {
    const key = element(0x30, unsigned(publicArea.unique), unsigned(exponentBytes(rsaExponent(publicArea))));
    return element(0x30, RSA_ENCRYPTION, element(0x03, ZERO, key));
  }
  if (publicArea.type !== 'ecc') return undefined;
  const namedCurve = curve(publicArea.parameters.curveId)?.objectIdentifier;
  const point = eccPoint(publicArea);
  if (namedCurve === undefined || point === undefined) return undefined;
  const algorithm = element(0x30, EC_PUBLIC_KEY, namedCurve);
  return element(0x30, algorithm, element(0x03, ZERO, UNCOMPRESSED, point.x, point.y));
}

/** SubjectPublicKeyInfo, DER (RFC 5280 4.1.2.7); rsaEncryption with NULL parameters, or a named curve. */
export function spkiOf(key: KeyObject): Uint8Array {
  return Uint8Array.from(key.export({ format: 'der', type: 'spki' }));
}

/** Lower-case hexadecimal SHA-256 of the SPKI: the machine's name in agent IDs, selectors and allow-lists. */
export function publicKeyHash(key: KeyObject): string {
  return spkiHash(spkiOf(key));
}

/** Lower-case hexadecimal SHA-256 of a SubjectPublicKeyInfo in DER: the `pub_hash` of a machine. */
export function spkiHash(spki: Uint8Array): string {
  return hash('sha256', spki, 'hex');
}

/** True when both are the same RSA or EC public key, whatever their encodings were. */
export function samePublicKey(a: KeyObject, b: KeyObject): boolean {
  return equalBytes(spkiOf(a), spkiOf(b));
}

/** `rsa-2048`, `ecc-P-256`: how logs and reports name a key. */
export function keyAlgorithmName(publicArea: TpmtPublic): string {
  if (publicArea.type === 'rsa') return `rsa-${publicArea.parameters.keyBits}`;
  if (publicArea.type !== 'ecc') return publicArea.type;
  const { curveId } = publicArea.parameters;
  return `ecc-${curve(curveId)?.name ?? hex(Uint8Array.from([curveId >> 8, curveId & 0xff]))}`;
}

/**
 * Makes a public area from a public key and a template. The key gives type, size and `unique`; the template gives the
 * attributes, the name algorithm, the policy and the schemes. Undefined when the key does not fit the template.
 */
export function publicAreaOf<T extends TpmtPublic>(key: KeyObject, template: T): TpmtPublic | undefined {
  const jwk = key.export({ format: 'jwk' });
  const decoded = (text: string | undefined): Uint8Array => Uint8Array.from(Buffer.from(text ?? '', 'base64url'));
  if (template.type === 'rsa' && jwk.kty === 'RSA') {
    const unique = decoded(jwk.n);
    const sameExponent = equalBytes(decoded(jwk.e), exponentBytes(rsaExponent(template)));
    return unique.length * 8 === template.parameters.keyBits && sameExponent ? { ...template, unique } : undefined;
  }
  if (template.type === 'ecc' && jwk.kty === 'EC') {
    if (curveByJwk(jwk.crv ?? '')?.id !== template.parameters.curveId) return undefined;
    return { ...template, unique: { x: decoded(jwk.x), y: decoded(jwk.y) } };
  }
  return undefined;
}
