/** TPM2_ActivateCredential in software, with the EK's private key (TPM 2.0 Library Part 1, 24). */
import {
  constants,
  createDecipheriv,
  createHmac,
  createPublicKey,
  diffieHellman,
  type KeyObject,
  privateDecrypt,
} from 'node:crypto';
import { equalBytes } from '../../src/bytes/bytes.ts';
import { kdfa, kdfe } from '../../src/tpm/kdf.ts';
import { eccPoint, publicKeyOf } from '../../src/tpm/public-key.ts';
import { type HashAlgorithm, hashAlgorithm } from '../../src/tpm/structures/algorithms.ts';
import { tpm2bDigest, tpmsEccPoint } from '../../src/tpm/structures/buffers.ts';
import { decode } from '../../src/tpm/structures/codec.ts';
import { tpmsIdObject } from '../../src/tpm/structures/credential.ts';
import type { TpmtPublic } from '../../src/tpm/structures/public.ts';

export interface EndorsementKey {
  readonly publicArea: TpmtPublic;
  readonly privateKey: KeyObject;
}

interface Credential {
  readonly credentialBlob: Uint8Array;
  readonly encryptedSecret: Uint8Array;
}

/** The secret. Undefined if a TPM would answer with an error: another key, another Name, a changed blob. */
export function openCredential(ek: EndorsementKey, name: Uint8Array, credential: Credential): Uint8Array | undefined {
  const hash = hashAlgorithm(ek.publicArea.nameAlg);
  const seed = hash === undefined ? undefined : seedOf(ek, hash, credential.encryptedSecret);
  if (hash === undefined || seed === undefined) return undefined;
  const { integrityHmac, encIdentity } = decode(tpmsIdObject, credential.credentialBlob);
  const none = new Uint8Array();
  const hmacKey = kdfa(hash, seed, 'INTEGRITY', none, none, hash.digestBytes * 8);
  const expected = createHmac(hash.name, hmacKey).update(encIdentity).update(name).digest();
  if (!equalBytes(expected, integrityHmac)) return undefined;
  const bits = symmetricBits(ek.publicArea);
  const key = kdfa(hash, seed, 'STORAGE', name, none, bits);
  const decipher = createDecipheriv(`aes-${bits}-cfb`, key, new Uint8Array(16));
  return decode(tpm2bDigest, Uint8Array.from(Buffer.concat([decipher.update(encIdentity), decipher.final()])));
}

function seedOf(ek: EndorsementKey, hash: HashAlgorithm, encryptedSecret: Uint8Array): Uint8Array | undefined {
  try {
    return ek.publicArea.type === 'rsa' ? rsaSeed(ek, hash, encryptedSecret) : eccSeed(ek, hash, encryptedSecret);
  } catch {
    return undefined;
  }
}

function rsaSeed({ privateKey }: EndorsementKey, hash: HashAlgorithm, encryptedSecret: Uint8Array): Uint8Array {
  const oaepLabel = Buffer.from('IDENTITY\0');
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  return privateDecrypt({ key: privateKey, padding, oaepHash: hash.name, oaepLabel }, encryptedSecret);
}

function eccSeed(
  { publicArea, privateKey }: EndorsementKey,
  hash: HashAlgorithm,
  encryptedSecret: Uint8Array,
): Uint8Array | undefined {
  if (publicArea.type !== 'ecc') return undefined;
  const ephemeral = { ...publicArea, unique: decode(tpmsEccPoint, encryptedSecret) };
  const [own, other] = [eccPoint(publicArea), eccPoint(ephemeral)];
  const otherKey = publicKeyOf(ephemeral);
  if (own === undefined || other === undefined || otherKey === undefined) return undefined;
  const z = diffieHellman({ privateKey, publicKey: createPublicKey(otherKey.export({ format: 'pem', type: 'spki' })) });
  return kdfe(hash, z, 'IDENTITY', other.x, own.x, hash.digestBytes * 8);
}

function symmetricBits(publicArea: TpmtPublic): number {
  const symmetric = publicArea.type === 'rsa' || publicArea.type === 'ecc' ? publicArea.parameters.symmetric : null;
  return symmetric?.keyBits ?? 128;
}
