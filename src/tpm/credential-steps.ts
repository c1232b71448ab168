/**
 * The computations of a credential: a seed that only the EK's TPM can open, and what is locked up with it (TPM 2.0
 * Library Part 1, 24 and appendices B.10.3, C.6.3). One whole step, done by node:crypto unless somebody hands over
 * another way. Pure: entropy is an argument.
 */
import { constants, createCipheriv, createECDH, createHmac, publicEncrypt } from 'node:crypto';
import { concat, padStart } from '../bytes/bytes.ts';
import type { EcNumbers, PublicKey } from '../public-key/public-key.ts';
import { kdfa, kdfe } from './kdf.ts';
import { curveNamed, type HashAlgorithm } from './structures/algorithms.ts';

/** What is locked up, and by which algorithms. */
export interface CredentialRecipe {
  /** The EK's nameAlg. */
  readonly hash: HashAlgorithm;
  /** The EK's block cipher, as node:crypto names it: `aes-128-cfb`. */
  readonly cipher: string;
  readonly keyBits: number;
  /** TPM2B_DIGEST of the secret. */
  readonly identity: Uint8Array;
  /** Name of the key that is to be activated. */
  readonly name: Uint8Array;
}

/** The parts of a credential. */
export interface SealedCredential {
  /** For an RSA key the encrypted seed; for an EC key the ephemeral point, x ‖ y at full width. */
  readonly seed: Uint8Array;
  readonly integrityHmac: Uint8Array;
  readonly encIdentity: Uint8Array;
}

/** What the verifier asks of endorsement keys. */
export interface CredentialSteps {
  /**
   * @param fresh random bytes that nobody else knows: for an RSA key a seed of the hash's size, for an EC key the
   * ephemeral scalar, in 1..n-1
   * @throws Error when the numbers are no key, or the scalar is none
   */
  seal(key: PublicKey, fresh: Uint8Array, recipe: CredentialRecipe): SealedCredential;
}

/** What the seed is for (Part 1, table of duplication and credential labels). */
const LABEL = 'IDENTITY';
/** The label goes into OAEP with its NUL (Part 1, B.4). */
const OAEP_LABEL: Uint8Array = Uint8Array.from(Buffer.from(`${LABEL}\0`, 'latin1'));

interface Seed {
  readonly value: Uint8Array;
  readonly sent: Uint8Array;
}

function rsaSeed({ imported: key }: PublicKey, value: Uint8Array, hash: HashAlgorithm): Seed {
  if (key === undefined) throw new RangeError('the EK modulus is not an RSA key');
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const sent = publicEncrypt({ key, padding, oaepHash: hash.name, oaepLabel: OAEP_LABEL }, value);
  return { value, sent: new Uint8Array(sent) };
}

function eccSeed(ek: EcNumbers, scalar: Uint8Array, hash: HashAlgorithm): Seed {
  const { openssl, coordinateBytes } = curveNamed(ek.curve);
  const ephemeral = createECDH(openssl);
  ephemeral.setPrivateKey(scalar);
  // Throws when the EK's point is not on the curve.
  const shared = ephemeral.computeSecret(concat(Uint8Array.of(4), ek.x, ek.y));
  const z = padStart(shared, coordinateBytes) ?? shared;
  const sent = new Uint8Array(ephemeral.getPublicKey()).slice(1);
  const value = kdfe(hash, z, LABEL, sent.subarray(0, coordinateBytes), ek.x, hash.digestBytes * 8);
  return { value, sent };
}

/** By node:crypto. */
export const NODE_CREDENTIALS: CredentialSteps = {
  seal: (key, fresh, { hash, cipher, keyBits, identity, name }) => {
    const seed = key.numbers.type === 'rsa' ? rsaSeed(key, fresh, hash) : eccSeed(key.numbers, fresh, hash);
    const empty = new Uint8Array();
    const symKey = kdfa(hash, seed.value, 'STORAGE', name, empty, keyBits);
    const encryptor = createCipheriv(cipher, symKey, new Uint8Array(16));
    const encIdentity = concat(encryptor.update(identity), encryptor.final());
    const hmacKey = kdfa(hash, seed.value, 'INTEGRITY', empty, empty, hash.digestBytes * 8);
    const integrityHmac = new Uint8Array(createHmac(hash.name, hmacKey).update(encIdentity).update(name).digest());
    return { seed: seed.sent, integrityHmac, encIdentity };
  },
};
