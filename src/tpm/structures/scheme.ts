/**
 * Signing, encryption, key-derivation and symmetric schemes inside public areas (TPM 2.0 Library Part 2, 11.1.7, 11.2).
 */
import { unsupportedAlgorithm } from './algorithms.ts';
import type { Codec } from './codec.ts';
import { TPM_ALG } from './constants.ts';

/** TPMT_ASYM_SCHEME, TPMT_RSA_SCHEME, TPMT_ECC_SCHEME, TPMT_KDF_SCHEME: an algorithm and its parameters. */
export interface Scheme {
  readonly scheme: number;
  readonly hashAlg?: number;
  /** For ECDAA the commit count; for the keyed-hash scheme XOR the KDF. */
  readonly count?: number;
}

/** TPMT_SYM_DEF_OBJECT; `null` stands for TPM_ALG_NULL. */
export interface SymDefObject {
  readonly algorithm: number;
  readonly keyBits: number;
  readonly mode: number;
}

type Details = 'none' | 'hash' | 'hash and count';

function schemeCodec(name: string, allowed: ReadonlyMap<number, Details>): Codec<Scheme> {
  return {
    name,
    read: (r) => {
      const scheme = r.u16();
      const details = allowed.get(scheme);
      const algorithm = details === undefined ? unsupportedAlgorithm(scheme) : undefined;
      if (algorithm !== undefined) throw r.unsupported(algorithm);
      if (details === undefined) throw r.malformed(`0x${scheme.toString(16)} is not a scheme of ${name}`);
      if (details === 'none') return { scheme };
      const hashAlg = r.u16();
      if (details === 'hash') return { scheme, hashAlg };
      return { scheme, hashAlg, count: r.u16() };
    },
    write: (w, value) => {
      const details = allowed.get(value.scheme);
      if (details === undefined) throw new RangeError(`0x${value.scheme.toString(16)} is not a scheme of ${name}`);
      w.u16(value.scheme);
      if (details === 'none') return;
      if (value.hashAlg === undefined) throw new RangeError(`${name} 0x${value.scheme.toString(16)} needs hashAlg`);
      w.u16(value.hashAlg);
      if (details !== 'hash') w.u16(value.count ?? 0);
    },
  };
}

export const rsaScheme: Codec<Scheme> = schemeCodec(
  'TPMT_RSA_SCHEME',
  new Map<number, Details>([
    [TPM_ALG.NULL, 'none'],
    [TPM_ALG.RSAES, 'none'],
    [TPM_ALG.RSASSA, 'hash'],
    [TPM_ALG.RSAPSS, 'hash'],
    [TPM_ALG.OAEP, 'hash'],
  ]),
);

export const eccScheme: Codec<Scheme> = schemeCodec(
  'TPMT_ECC_SCHEME',
  new Map<number, Details>([
    [TPM_ALG.NULL, 'none'],
    [TPM_ALG.ECDSA, 'hash'],
    [TPM_ALG.SM2, 'hash'],
    [TPM_ALG.ECSCHNORR, 'hash'],
    [TPM_ALG.ECDH, 'hash'],
    [TPM_ALG.ECMQV, 'hash'],
    [TPM_ALG.ECDAA, 'hash and count'],
  ]),
);

export const kdfScheme: Codec<Scheme> = schemeCodec(
  'TPMT_KDF_SCHEME',
  new Map<number, Details>([
    [TPM_ALG.NULL, 'none'],
    [TPM_ALG.KDF1_SP800_56A, 'hash'],
    [TPM_ALG.KDF2, 'hash'],
    [TPM_ALG.KDF1_SP800_108, 'hash'],
  ]),
);

/** TPMT_KEYEDHASH_SCHEME (11.1.23). */
export const keyedHashScheme: Codec<Scheme> = schemeCodec(
  'TPMT_KEYEDHASH_SCHEME',
  new Map<number, Details>([
    [TPM_ALG.NULL, 'none'],
    [TPM_ALG.HMAC, 'hash'],
    [TPM_ALG.XOR, 'hash and count'],
  ]),
);

const BLOCK_CIPHERS: readonly number[] = [TPM_ALG.AES, TPM_ALG.SM4, TPM_ALG.CAMELLIA];

export const symDefObject: Codec<SymDefObject | null> = {
  name: 'TPMT_SYM_DEF_OBJECT',
  read: (r) => {
    const algorithm = r.u16();
    if (algorithm === TPM_ALG.NULL) return null;
    if (!BLOCK_CIPHERS.includes(algorithm)) throw r.malformed(`0x${algorithm.toString(16)} is not a block cipher`);
    return { algorithm, keyBits: r.u16(), mode: r.u16() };
  },
  write: (w, value) => {
    w.u16(value === null ? TPM_ALG.NULL : value.algorithm);
    if (value === null) return;
    w.u16(value.keyBits);
    w.u16(value.mode);
  },
};
