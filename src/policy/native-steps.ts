/**
 * Steps with public keys in C++ over the OpenSSL inside node, each in one call. Importing this file loads nothing. What
 * only odd keys need goes to node:crypto: RSA keys restricted to RSASSA-PSS, SM2, SM3, SM4.
 */
import { constants } from 'node:os';
import { type AddonChoice, AddonFile } from '../files/addon-file.ts';
import type { PublicKey } from '../public-key/public-key.ts';
import type { SignatureForm } from '../public-key/signature-steps.ts';
import type { CredentialRecipe, SealedCredential } from '../tpm/credential-steps.ts';
import { NODE_STEPS, type PublicKeySteps } from '../tpm/public-key-steps.ts';
import { curveNamed } from '../tpm/structures/algorithms.ts';

/** native/steps/steps.h. Algorithms go by their sizes. */
export interface StepsAddon {
  /** Version of the OpenSSL that it runs on. */
  readonly openssl: string;
  isOnCurve(curveBits: number, x: Uint8Array, y: Uint8Array): boolean;
  /** @param salt bytes of RSASSA-PSS, -2 for any number of them, -1 for PKCS #1 v1.5 */
  verifyRsa(
    modulus: Uint8Array,
    exponent: Uint8Array,
    hashBytes: number,
    salt: number,
    data: Uint8Array,
    signature: Uint8Array,
  ): boolean;
  verifyEcdsa(
    curveBits: number,
    x: Uint8Array,
    y: Uint8Array,
    hashBytes: number,
    isDer: boolean,
    data: Uint8Array,
    signature: Uint8Array,
  ): boolean;
  /** Encrypted seed ‖ integrityHmac ‖ encIdentity. @param unused 0 */
  rsaCredential(
    unused: number,
    modulus: Uint8Array,
    exponent: Uint8Array,
    hashBytes: number,
    seed: Uint8Array,
    keyBits: number,
    identity: Uint8Array,
    name: Uint8Array,
  ): Uint8Array | undefined;
  /** Ephemeral x ‖ y ‖ integrityHmac ‖ encIdentity. */
  eccCredential(
    curveBits: number,
    x: Uint8Array,
    y: Uint8Array,
    hashBytes: number,
    scalar: Uint8Array,
    keyBits: number,
    identity: Uint8Array,
    name: Uint8Array,
  ): Uint8Array | undefined;
}

const ADDON = new AddonFile({
  file: 'public_key_steps.node',
  name: 'public_key_steps',
  variable: 'TPM_ATTESTOR_STEPS_ADDON',
  // Not RTLD_DEEPBIND: it has no OpenSSL of its own and is to find node's.
  flags: () => constants.dlopen.RTLD_NOW,
  builtWith: 'build-essential, python3 and pkg-config',
  needs: 'It needs a node that exports the symbols of its OpenSSL 3, as the releases of Node.js do.',
});

/**
 * @throws AddonFileError when there is no addon that can be used; the message says what to do
 */
export function stepsAddon(choice: AddonChoice = {}): StepsAddon {
  // The one cast of the boundary; test/native/steps-surface.test.ts holds both sides to the same keys.
  return ADDON.load(choice).exports as StepsAddon;
}

let steps: PublicKeySteps | undefined;

/** @throws as stepsAddon */
export function nativeSteps(choice: AddonChoice = {}): PublicKeySteps {
  const addon = stepsAddon(choice);
  steps ??= {
    name: 'native',
    isKey: (key) => isKey(addon, key),
    verifies: (key, form, data, signature) => verifies(addon, key, form, data, signature),
    seal: (key, fresh, recipe) => seal(addon, key, fresh, recipe),
  };
  return steps;
}

const HASH_BYTES: Readonly<Record<string, number>> = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 };
const AES_CFB: readonly string[] = ['aes-128-cfb', 'aes-192-cfb', 'aes-256-cfb'];
const PKCS1 = -1;
const ANY_SALT = -2;

function isKey(addon: StepsAddon, key: PublicKey): boolean {
  const { numbers } = key;
  if (numbers.type === 'rsa' || numbers.curve === 'SM2') return NODE_STEPS.isKey(key);
  return addon.isOnCurve(curveNamed(numbers.curve).bits, numbers.x, numbers.y);
}

function verifies(
  addon: StepsAddon,
  key: PublicKey,
  form: SignatureForm,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { numbers } = key;
  const hashBytes = HASH_BYTES[form.hash];
  if (numbers.type === 'ec') {
    if (form.scheme !== 'ecdsa') return false;
    if (hashBytes === undefined || numbers.curve === 'SM2') return NODE_STEPS.verifies(key, form, data, signature);
    const { bits } = curveNamed(numbers.curve);
    return addon.verifyEcdsa(bits, numbers.x, numbers.y, hashBytes, form.encoding === undefined, data, signature);
  }
  if (form.scheme === 'ecdsa') return false;
  if (hashBytes === undefined || numbers.use === 'pss') return NODE_STEPS.verifies(key, form, data, signature);
  const salt = form.scheme === 'rsa-pkcs1' ? PKCS1 : form.saltBytes === 'any' ? ANY_SALT : form.saltBytes;
  return addon.verifyRsa(numbers.modulus, numbers.exponent, hashBytes, salt, data, signature);
}

function seal(addon: StepsAddon, key: PublicKey, fresh: Uint8Array, recipe: CredentialRecipe): SealedCredential {
  const { hash, cipher, keyBits, identity, name } = recipe;
  const { numbers } = key;
  const isSupported =
    HASH_BYTES[hash.name] !== undefined &&
    AES_CFB.includes(cipher) &&
    // The key of the cipher is one block of the KDF then.
    keyBits <= hash.digestBytes * 8 &&
    !(numbers.type === 'ec' && numbers.curve === 'SM2');
  if (!isSupported) return NODE_STEPS.seal(key, fresh, recipe);
  const { digestBytes } = hash;
  const sealed =
    numbers.type === 'rsa'
      ? addon.rsaCredential(0, numbers.modulus, numbers.exponent, digestBytes, fresh, keyBits, identity, name)
      : addon.eccCredential(
          curveNamed(numbers.curve).bits,
          numbers.x,
          numbers.y,
          digestBytes,
          fresh,
          keyBits,
          identity,
          name,
        );
  if (sealed === undefined) throw new RangeError('the EK is no public key, or the scalar is none of its curve');
  const atIdentity = sealed.length - identity.length;
  const atHmac = atIdentity - digestBytes;
  return {
    seed: sealed.subarray(0, atHmac),
    integrityHmac: sealed.subarray(atHmac, atIdentity),
    encIdentity: sealed.subarray(atIdentity),
  };
}
