/** Reads the public keys of certificates (SubjectPublicKeyInfo), and refuses weak or invalid ones. */
import { Buffer } from 'node:buffer';
import { createPublicKey, ECDH, hash, type KeyObject } from 'node:crypto';
import { NIST_CURVES, type NistCurveName } from '../bytes/nist-curves.ts';
import { type DerElement, type DerReader, TAG } from './der.ts';

/** The identifiers of RSA keys (RFC 8017 appendix C), each with the use that it restricts the key to. */
const RSA_USES: Readonly<Record<string, RsaSubjectKey['use']>> = {
  '1.2.840.113549.1.1.1': 'any',
  '1.2.840.113549.1.1.7': 'oaep',
  '1.2.840.113549.1.1.10': 'pss',
};

const EC_PUBLIC_KEY = '1.2.840.10045.2.1';

/** SEQUENCE { rsaEncryption, NULL }, the only form of an RSA key's algorithm in RFC 3279 §2.3.1. */
const RSA_ENCRYPTION_NULL: Uint8Array = Uint8Array.of(
  ...[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00],
);

/** Accepted bit lengths of RSA moduli. A longer modulus would make a signature check too expensive. */
const RSA_BITS = { least: 2048, most: 8192 } as const;

/** An RSA key, with the use that its identifier restricts it to (RFC 8017, appendix C). */
export interface RsaSubjectKey {
  readonly type: 'rsa';
  readonly use: 'any' | 'oaep' | 'pss';
  readonly bits: number;
  /** Modulus and exponent are big-endian, without leading zero octets. */
  readonly modulus: Uint8Array;
  readonly exponent: Uint8Array;
}

/** A key on one of the three NIST curves (RFC 5480). */
export interface EcSubjectKey {
  readonly type: 'ec';
  readonly curve: NistCurveName;
  readonly bits: number;
  /** Both coordinates have the curve's full width. */
  readonly x: Uint8Array;
  readonly y: Uint8Array;
}

/** A key of an unsupported kind. A certificate may carry it, but the verifier trusts nothing signed by it. */
export interface OtherSubjectKey {
  readonly type: 'other';
  /** The dotted object identifier of the algorithm, or of the curve. */
  readonly algorithm: string;
}

/** The public key in a certificate. */
export type SubjectKey = RsaSubjectKey | EcSubjectKey | OtherSubjectKey;

/** SubjectPublicKeyInfo (RFC 5280 §4.1.2.7). */
export interface SubjectPublicKeyInfo {
  /** The encoding in the certificate. */
  readonly der: Uint8Array;
  /**
   * An encoding that depends on the key alone, so that its hash identifies the key: an RSA key gets the algorithm
   * rsaEncryption with NULL, which most software writes. All other keys are unchanged.
   */
  readonly plainDer: Uint8Array;
  readonly key: SubjectKey;
}

/** SHA-256 of `plainDer` in lower-case hex. It identifies the key of a machine or a CA, whatever its encoding. */
export function keyHash({ plainDer }: SubjectPublicKeyInfo): string {
  return hash('sha256', plainDer, 'hex');
}

export function readSubjectPublicKeyInfo(element: DerElement): SubjectPublicKeyInfo {
  const info = element.enter();
  const algorithm = info.take(TAG.SEQUENCE, 'algorithm');
  const bits = info.take(TAG.BIT_STRING, 'subjectPublicKey');
  info.finish();
  if (bits.content[0] !== 0) bits.fail('a public key that is not whole octets');
  const der = element.der;
  const parameters = algorithm.enter();
  const identifier = parameters.objectIdentifier('algorithm');
  const use = RSA_USES[identifier];
  if (use !== undefined) {
    const plain = use === 'any' && Buffer.compare(algorithm.der, RSA_ENCRYPTION_NULL) === 0;
    return { der, plainDer: plain ? der : plainRsa(bits.der), key: readRsaKey(bits, use) };
  }
  if (identifier !== EC_PUBLIC_KEY) return { der, plainDer: der, key: { type: 'other', algorithm: identifier } };
  return { der, plainDer: der, key: readEcKey(bits, parameters) };
}

function readRsaKey(bits: DerElement, use: RsaSubjectKey['use']): RsaSubjectKey {
  // The first octet of a BIT STRING counts unused bits. It is zero here, and the DER follows it.
  const outer = bits.enter(1);
  const key = outer.enter(TAG.SEQUENCE, 'RSAPublicKey');
  outer.finish();
  const modulus = unsigned(key, 'modulus');
  const exponent = unsigned(key, 'publicExponent');
  key.finish();
  return { type: 'rsa', use, bits: bitLength(modulus), modulus, exponent };
}

function unsigned(reader: DerReader, field: string): Uint8Array {
  const content = reader.integer(field);
  const [first = 0] = content;
  if (first >= 0x80) reader.fail(`a negative ${field}`);
  return first === 0 && content.length > 1 ? content.subarray(1) : content;
}

function bitLength(magnitude: Uint8Array): number {
  return magnitude.length * 8 - (Math.clz32(magnitude[0] ?? 0) - 24);
}

function readEcKey(bits: DerElement, parameters: DerReader): EcSubjectKey | OtherSubjectKey {
  if (parameters.nextTag !== TAG.OBJECT_IDENTIFIER) return { type: 'other', algorithm: EC_PUBLIC_KEY };
  const identifier = parameters.objectIdentifier('namedCurve');
  parameters.finish();
  const known = NIST_CURVES.find(({ objectIdentifier }) => objectIdentifier === identifier);
  if (known === undefined) return { type: 'other', algorithm: identifier };
  const { name: curve, bits: keyBits, coordinateBytes } = known;
  const point = bits.content.subarray(1);
  // SEC 1 §2.3.3. A compressed point would need a square root, and no EK certificate uses one.
  if (point[0] !== 0x04 || point.length !== 1 + 2 * coordinateBytes) bits.fail(`not an uncompressed ${curve} point`);
  return {
    type: 'ec',
    curve,
    bits: keyBits,
    x: point.subarray(1, 1 + coordinateBytes),
    y: point.subarray(1 + coordinateBytes),
  };
}

function plainRsa(bitString: Uint8Array): Uint8Array {
  const length = RSA_ENCRYPTION_NULL.length + bitString.length;
  const header = length < 0x80 ? [0x30, length] : longHeader(length);
  const der = new Uint8Array(header.length + length);
  der.set(header);
  der.set(RSA_ENCRYPTION_NULL, header.length);
  der.set(bitString, header.length + RSA_ENCRYPTION_NULL.length);
  return der;
}

function longHeader(length: number): number[] {
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return [0x30, 0x80 | octets.length, ...octets];
}

/**
 * Imports the key. Undefined if its kind is not supported or it is invalid, such as a point off its curve.
 *
 * RSA and P-256 keys are imported as JWK: OpenSSL's decoding of the same SubjectPublicKeyInfo costs up to thirty times
 * as much. On the wider curves, decoding costs a fifth of the JWK, because it does not multiply the point by the order
 * of the curve. That check is not needed: every point of a NIST curve passes it, as the cofactor is 1 (SP 800-56A
 * §5.6.2.3.4).
 */
export function importPublicKey({ der, key }: SubjectPublicKeyInfo): KeyObject | undefined {
  try {
    switch (key.type) {
      case 'rsa':
        // A JWK cannot carry the parameters by which RSASSA-PSS restricts a key.
        if (key.use === 'pss') return decodeSpki(der);
        return createPublicKey({
          key: { kty: 'RSA', n: base64url(key.modulus), e: base64url(key.exponent) },
          format: 'jwk',
        });
      case 'ec':
        if (key.curve !== 'P-256') return decodeSpki(der);
        return createPublicKey({
          key: { kty: 'EC', crv: key.curve, x: base64url(key.x), y: base64url(key.y) },
          format: 'jwk',
        });
      case 'other':
        return undefined;
    }
  } catch {
    return undefined;
  }
}

function decodeSpki(der: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(der.buffer, der.byteOffset, der.byteLength), format: 'der', type: 'spki' });
}

/** Whether an EC key's point is on its curve. True for other keys. It costs a fifth of an import. */
export function isOnCurve(key: SubjectKey): boolean {
  if (key.type !== 'ec') return true;
  const openssl = NIST_CURVES.find(({ name }) => name === key.curve)?.openssl ?? '';
  try {
    ECDH.convertKey(Buffer.concat([Buffer.of(4), key.x, key.y]), openssl);
    return true;
  } catch {
    return false;
  }
}

/** Why this key must not be trusted, as a noun phrase. Undefined for a sound key. */
export function weakness(key: SubjectKey): string | undefined {
  if (key.type === 'ec') return undefined;
  if (key.type === 'other') return `a key of a kind that is not supported (${key.algorithm})`;
  if (key.bits < RSA_BITS.least) return `an RSA key of ${key.bits} bits; ${RSA_BITS.least} are required`;
  if (key.bits > RSA_BITS.most) return `an RSA key of ${key.bits} bits; more than ${RSA_BITS.most} are not checked`;
  if (((key.modulus.at(-1) ?? 0) & 1) === 0) return 'an RSA modulus that is even';
  return weakExponent(key.exponent);
}

/** FIPS 186-5 §A.1.1 requires an odd exponent above 2^16. A TPM's exponent has 32 bits (Part 2 §12.2.3.5). */
function weakExponent(exponent: Uint8Array): string | undefined {
  if (exponent.length > 4) return `an RSA exponent of ${exponent.length} bytes`;
  const value = exponent.reduce((sum, octet) => sum * 256 + octet, 0);
  return value > 65536 && value % 2 === 1 ? undefined : `the RSA exponent ${value}`;
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}
