/**
 * TPM2_MakeCredential without a TPM: it encrypts a secret to an EK. Only the TPM with that EK can decrypt it, and only
 * while an object with the given Name is loaded (TPM 2.0 Library Part 1, 24, B.10.3, C.6.3). Pure: the caller gives
 * entropy.
 */
import { constants, createCipheriv, createECDH, createHmac, type KeyObject, publicEncrypt } from 'node:crypto';
import { bigEndian, concat, padStart } from '../bytes/bytes.ts';
import { kdfa, kdfe } from './kdf.ts';
import { eccPoint, publicKeyOf } from './public-key.ts';
import { algorithmName, type Curve, curve, type HashAlgorithm, hashAlgorithm } from './structures/algorithms.ts';
import { tpm2bDigest, tpmsEccPoint } from './structures/buffers.ts';
import { encode } from './structures/codec.ts';
import { TPM_ALG } from './structures/constants.ts';
import { tpmsIdObject } from './structures/credential.ts';
import type { EccPublic, TpmtPublic } from './structures/public.ts';
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

/** The label of credential seeds (Part 1, table of duplication and credential labels). */
const LABEL = 'IDENTITY';
/** The label goes into OAEP with its NUL (Part 1, B.4). */
const OAEP_LABEL: Uint8Array = Uint8Array.from(Buffer.from(`${LABEL}\0`, 'latin1'));
const MAX_SCALAR_TRIES = 64;

/** node:crypto's name of each block cipher in CFB with full-block feedback. */
const CFB: Readonly<Record<string, string>> = {
  [`${TPM_ALG.AES}-128`]: 'aes-128-cfb',
  [`${TPM_ALG.AES}-192`]: 'aes-192-cfb',
  [`${TPM_ALG.AES}-256`]: 'aes-256-cfb',
  [`${TPM_ALG.SM4}-128`]: 'sm4-cfb',
};

interface Seed {
  readonly seed: Uint8Array;
  readonly encryptedSecret: Uint8Array;
}

function rsaSeed(key: KeyObject | undefined, hash: HashAlgorithm, entropy: Entropy): Seed {
  if (key === undefined) throw new RangeError('the EK modulus is not an RSA key');
  const seed = entropy(hash.digestBytes);
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const encrypted = publicEncrypt({ key, padding, oaepHash: hash.name, oaepLabel: OAEP_LABEL }, seed);
  return { seed, encryptedSecret: new Uint8Array(encrypted) };
}

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

function eccSeed(ek: EccPublic, hash: HashAlgorithm, entropy: Entropy): Seed {
  const group = curve(ek.parameters.curveId);
  const point = eccPoint(ek);
  if (group === undefined || point === undefined) throw new RangeError('the EK is not on a curve this product knows');
  const ephemeral = createECDH(group.openssl);
  ephemeral.setPrivateKey(ephemeralScalar(group, entropy));
  // Throws when the EK's point is not on the curve.
  const shared = ephemeral.computeSecret(concat(Uint8Array.of(4), point.x, point.y));
  const z = padStart(shared, group.coordinateBytes) ?? shared;
  const own = new Uint8Array(ephemeral.getPublicKey());
  const x = own.slice(1, 1 + group.coordinateBytes);
  const y = own.slice(1 + group.coordinateBytes);
  const seed = kdfe(hash, z, LABEL, x, point.x, hash.digestBytes * 8);
  return { seed, encryptedSecret: encode(tpmsEccPoint, { x, y }) };
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
 * @param key the EK where it is RSA and has been imported already
 * @throws RangeError when the EK cannot carry a credential or the secret is too long
 */
export function makeCredential(
  ek: TpmtPublic,
  name: Uint8Array,
  secret: Uint8Array,
  entropy: Entropy,
  key?: KeyObject,
): Credential {
  const hash = hashAlgorithm(ek.nameAlg);
  if (hash === undefined) throw new RangeError(`no credential with nameAlg ${algorithmName(ek.nameAlg)}`);
  if (secret.length > hash.digestBytes) throw new RangeError(`the secret is longer than ${hash.digestBytes} bytes`);
  if (ek.type !== 'rsa' && ek.type !== 'ecc') throw new RangeError(`a ${ek.type} object is no EK`);
  const { cipher, symmetric } = symmetricOf(ek);
  const { seed, encryptedSecret } =
    ek.type === 'rsa' ? rsaSeed(key ?? publicKeyOf(ek), hash, entropy) : eccSeed(ek, hash, entropy);

  const empty = new Uint8Array();
  const symKey = kdfa(hash, seed, 'STORAGE', name, empty, symmetric.keyBits);
  const encryptor = createCipheriv(cipher, symKey, new Uint8Array(16));
  const encIdentity = concat(encryptor.update(encode(tpm2bDigest, secret)), encryptor.final());
  const hmacKey = kdfa(hash, seed, 'INTEGRITY', empty, empty, hash.digestBytes * 8);
  const integrityHmac = new Uint8Array(createHmac(hash.name, hmacKey).update(encIdentity).update(name).digest());
  return { credentialBlob: encode(tpmsIdObject, { integrityHmac, encIdentity }), encryptedSecret };
}
