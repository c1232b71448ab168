/**
 * TPM2_MakeCredential without a TPM: it encrypts a secret to an EK. Only the TPM with that EK can decrypt it, and only
 * while an object with the given Name is loaded (TPM 2.0 Library Part 1, 24, B.10.3, C.6.3). Pure: the caller gives
 * entropy.
 */
import { bigEndian } from '../bytes/bytes.ts';
import type { PublicKey } from '../public-key/public-key.ts';
import { keyOf } from './public-key.ts';
import { NODE_STEPS, type PublicKeySteps } from './public-key-steps.ts';
import { algorithmName, type Curve, curveNamed, hashAlgorithm } from './structures/algorithms.ts';
import { tpm2bDigest, tpmsEccPoint } from './structures/buffers.ts';
import { encode } from './structures/codec.ts';
import { TPM_ALG } from './structures/constants.ts';
import { tpmsIdObject } from './structures/credential.ts';
import type { TpmtPublic } from './structures/public.ts';
import type { SymDefObject } from './structures/scheme.ts';

/** Returns that many fresh random bytes. */
export type Entropy = (bytes: number) => Uint8Array;

/** The two inputs of TPM2_ActivateCredential. */
export interface Credential {
  /** TPMS_ID_OBJECT: the TPM2B_ID_OBJECT of the command without its size. */
  readonly credentialBlob: Uint8Array;
  /** The TPM2B_ENCRYPTED_SECRET of the command without its size. */
  readonly encryptedSecret: Uint8Array;
}

const MAX_SCALAR_TRIES = 64;

/** node:crypto's name of each block cipher in CFB with full-block feedback. */
const CFB: Readonly<Record<string, string>> = {
  [`${TPM_ALG.AES}-128`]: 'aes-128-cfb',
  [`${TPM_ALG.AES}-192`]: 'aes-192-cfb',
  [`${TPM_ALG.AES}-256`]: 'aes-256-cfb',
  [`${TPM_ALG.SM4}-128`]: 'sm4-cfb',
};

/** A uniform scalar in 1..n-1 by rejection. */
function ephemeralScalar(group: Curve, entropy: Entropy): Uint8Array {
  const bytes = Math.ceil(group.bits / 8);
  for (let tries = 0; tries < MAX_SCALAR_TRIES; tries++) {
    const scalar = entropy(bytes).slice();
    scalar[0] = (scalar[0] ?? 0) & (0xff >> (bytes * 8 - group.bits));
    const value = bigEndian(scalar);
    if (value > 0n && value < group.order) return scalar;
  }
  throw new RangeError('the entropy source does not give usable scalars');
}

function symmetricOf(ek: TpmtPublic): { readonly cipher: string; readonly symmetric: SymDefObject } {
  const symmetric = ek.type === 'rsa' || ek.type === 'ecc' ? ek.parameters.symmetric : null;
  const cipher = symmetric === null ? undefined : CFB[`${symmetric.algorithm}-${symmetric.keyBits}`];
  if (symmetric === null || cipher === undefined || symmetric.mode !== TPM_ALG.CFB)
    throw new RangeError('the EK names no symmetric cipher in CFB that this product knows');
  return { cipher, symmetric };
}

/**
 * @param ek public area of the EK; its nameAlg and symmetric parameters rule the whole computation
 * @param name Name of the key to be activated
 * @param secret at most one digest of the EK's nameAlg
 * @param key the EK's, where somebody has it already
 * @throws RangeError when the EK cannot carry a credential or the secret is too long
 */
export function makeCredential(
  ek: TpmtPublic,
  name: Uint8Array,
  secret: Uint8Array,
  entropy: Entropy,
  key: PublicKey | undefined = keyOf(ek),
  steps: PublicKeySteps = NODE_STEPS,
): Credential {
  const hash = hashAlgorithm(ek.nameAlg);
  if (hash === undefined) throw new RangeError(`no credential with nameAlg ${algorithmName(ek.nameAlg)}`);
  if (secret.length > hash.digestBytes) throw new RangeError(`the secret is longer than ${hash.digestBytes} bytes`);
  if (ek.type !== 'rsa' && ek.type !== 'ecc') throw new RangeError(`a ${ek.type} object is no EK`);
  const { cipher, symmetric } = symmetricOf(ek);
  if (key === undefined) throw new RangeError('the EK is not on a curve this product knows');
  const { numbers } = key;
  const group = numbers.type === 'ec' ? curveNamed(numbers.curve) : undefined;
  const fresh = group === undefined ? entropy(hash.digestBytes) : ephemeralScalar(group, entropy);
  const identity = encode(tpm2bDigest, secret);
  const recipe = { hash, cipher, keyBits: symmetric.keyBits, identity, name };
  const { seed, integrityHmac, encIdentity } = steps.seal(key, fresh, recipe);
  return {
    credentialBlob: encode(tpmsIdObject, { integrityHmac, encIdentity }),
    encryptedSecret: group === undefined ? seed : encode(tpmsEccPoint, pointOf(seed, group)),
  };
}

function pointOf(xy: Uint8Array, { coordinateBytes }: Curve): { readonly x: Uint8Array; readonly y: Uint8Array } {
  return { x: xy.subarray(0, coordinateBytes), y: xy.subarray(coordinateBytes) };
}
