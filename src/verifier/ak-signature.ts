/** Verifies a TPM's signatures: whether a key made a TPMT_SIGNATURE. Pure. */
import { concat, padStart } from '../bytes/bytes.ts';
import { NIST_CURVES } from '../bytes/nist-curves.ts';
import type { PublicNumbers } from '../public-key/public-key.ts';
import { curveNamed, hashAlgorithm } from '../tpm/structures/algorithms.ts';
import type { EccSignature, TpmtSignature } from '../tpm/structures/signature.ts';
import type { AttestationKey } from './attestation-key.ts';

/** Whether `key` made `signature` over `data`. The caller checks that the signature's scheme is the key's. */
export function isSignature(
  { key, steps }: Pick<AttestationKey, 'key' | 'steps'>,
  data: Uint8Array,
  signature: TpmtSignature,
): boolean {
  const hash = 'hash' in signature ? hashAlgorithm(signature.hash)?.name : undefined;
  if (hash === undefined) return false;
  switch (signature.sigAlg) {
    case 'rsassa':
      return steps.verifies(key, { scheme: 'rsa-pkcs1', hash }, data, signature.sig);
    case 'rsapss':
      // TPMs differ in salt length (Part 1, B.7): any length is accepted, with the hash of the scheme.
      return steps.verifies(key, { scheme: 'rsa-pss', hash, saltBytes: 'any' }, data, signature.sig);
    case 'ecdsa': {
      const raw = rawEcdsa(key.numbers, signature);
      return raw !== undefined && steps.verifies(key, { scheme: 'ecdsa', hash, encoding: 'r-s' }, data, raw);
    }
    default:
      return false;
  }
}

/** r ‖ s at field width. Undefined if one of them is zero or longer than the field. */
function rawEcdsa(key: PublicNumbers, { signatureR, signatureS }: EccSignature): Uint8Array | undefined {
  const width = coordinateBytes(key);
  if (width === undefined || signatureR.length > width || signatureS.length > width) return undefined;
  if (magnitudeBytes(signatureR) === 0 || magnitudeBytes(signatureS) === 0) return undefined;
  const [r, s] = [padStart(signatureR, width), padStart(signatureS, width)];
  return r === undefined || s === undefined ? undefined : concat(r, s);
}

function coordinateBytes(key: PublicNumbers): number | undefined {
  return key.type === 'ec' ? curveNamed(key.curve).coordinateBytes : undefined;
}

/** The names of the RSA keys that TPMs have, by the size of their signatures in bytes. */
const RSA_SIZES: ReadonlyMap<number, string> = new Map(
  [128, 256, 384, 512].map((bytes) => [bytes, `RSA-${bytes * 8}`]),
);

/** Only one in 2^64 ECDSA numbers is this many octets shorter than the field. */
const MAX_MISSING_BYTES = 8;

/**
 * The key size or curve that makes signatures of this size, if it is not the key's own. Undefined if the size fits the
 * key, or fits no key of the algorithm.
 */
export function otherKeyOf(key: PublicNumbers, signature: TpmtSignature): string | undefined {
  if (signature.sigAlg === 'rsassa' || signature.sigAlg === 'rsapss') {
    const own = key.type === 'rsa' ? key.modulus.length : 0;
    return signature.sig.length === own ? undefined : RSA_SIZES.get(signature.sig.length);
  }
  if (signature.sigAlg !== 'ecdsa') return undefined;
  const sizes = [magnitudeBytes(signature.signatureR), magnitudeBytes(signature.signatureS)];
  const fits = (bytes: number): boolean => sizes.every((size) => size <= bytes && size > bytes - MAX_MISSING_BYTES);
  const other = NIST_CURVES.find((curve) => fits(curve.coordinateBytes));
  return other?.coordinateBytes === coordinateBytes(key) ? undefined : other?.name;
}

function magnitudeBytes(number: Uint8Array): number {
  const start = number.findIndex((octet) => octet !== 0);
  return start < 0 ? 0 : number.length - start;
}
