/** Refuses keys that are too weak to identify a machine (NIST SP 800-57 part 1, SP 800-56B 6.2, SP 800-186). Pure. */
import { NIST_CURVES } from '../bytes/nist-curves.ts';
import type { PublicKey } from '../public-key/public-key.ts';
import type { SignatureSteps } from '../public-key/signature-steps.ts';
import { eccPoint, isOnCurve, keyOf, rsaExponent } from '../tpm/public-key.ts';
import { curve } from '../tpm/structures/algorithms.ts';
import type { EccPublic, RsaPublic, TpmtPublic } from '../tpm/structures/public.ts';
import { hasRocaFingerprint } from '../x509/roca.ts';

const RSA_MIN_BITS = 2048;
/** A longer modulus would only cost the server more time. */
const RSA_MAX_BITS = 4096;
const EXPONENT = 65537;

const NO_KEY = 'its numbers are not a valid public key (a point off the curve)';

/** The usable key, or a sentence that says why there is none. */
export function usableKey(publicArea: TpmtPublic, steps: SignatureSteps): PublicKey | string {
  // tooth A24 [keyOrSentence(publicArea, steps)]: any key that can be imported will do
  return numericWeakness(publicArea) ?? keyOrSentence(publicArea, steps);
}

function keyOrSentence(publicArea: TpmtPublic, steps: SignatureSteps): PublicKey | string {
  const key = keyOf(publicArea);
  return key !== undefined && steps.isKey(key) ? key : NO_KEY;
}

/** The same sentence without importing the key. Undefined for a usable key. */
export function keyWeakness(publicArea: TpmtPublic): string | undefined {
  const weakness = numericWeakness(publicArea);
  return weakness === undefined && publicArea.type === 'ecc' && !isOnCurve(publicArea) ? NO_KEY : weakness;
}

/** Whether anybody can compute the private key of this RSA key from its public key (CVE-2017-15361). */
export function isRocaKey(publicArea: TpmtPublic): boolean {
  return publicArea.type === 'rsa' && hasRocaFingerprint(publicArea.unique);
}

function numericWeakness(publicArea: TpmtPublic): string | undefined {
  if (publicArea.type === 'rsa') return rsaWeakness(publicArea);
  if (publicArea.type === 'ecc') return eccWeakness(publicArea);
  return `a ${publicArea.type} object is not asymmetric`;
}

function rsaWeakness(key: RsaPublic): string | undefined {
  const { keyBits } = key.parameters;
  if (keyBits < RSA_MIN_BITS) return `RSA with ${keyBits} bits is below ${RSA_MIN_BITS}`;
  if (keyBits > RSA_MAX_BITS) return `RSA with ${keyBits} bits is above ${RSA_MAX_BITS}`;
  if (rsaExponent(key) !== EXPONENT) return `RSA exponent ${rsaExponent(key)} is not ${EXPONENT}`;
  if (key.unique.length * 8 !== keyBits) return `a modulus of ${key.unique.length} bytes is not one of ${keyBits} bits`;
  if (((key.unique[0] ?? 0) & 0x80) === 0) return 'the top bit of the modulus is zero';
  if (((key.unique.at(-1) ?? 0) & 1) === 0) return 'the modulus is even';
  return undefined;
}

function eccWeakness(key: EccPublic): string | undefined {
  const { curveId } = key.parameters;
  if (curve(curveId)?.jwk === undefined)
    return `curve 0x${curveId.toString(16)} is not one of ${NIST_CURVES.map(({ name }) => name).join(', ')}`;
  return eccPoint(key) === undefined ? 'a coordinate is longer than the field' : undefined;
}
