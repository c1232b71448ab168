/** TPMT_PUBLIC: the public area of an object, whose digest is its Name (TPM 2.0 Library Part 2, 12.2.4). */
import { unsupportedAlgorithm } from './algorithms.ts';
import { tpm2bDigest, tpm2bEccParameter, tpm2bPublicKeyRsa } from './buffers.ts';
import { type Codec, selector, struct, tpm2bOf, u16, u32 } from './codec.ts';
import { TPM_ALG } from './constants.ts';
import {
  eccScheme,
  kdfScheme,
  keyedHashScheme,
  rsaScheme,
  type Scheme,
  type SymDefObject,
  symDefObject,
} from './scheme.ts';

interface PublicHeader {
  readonly nameAlg: number;
  /** TPMA_OBJECT. */
  readonly objectAttributes: number;
  readonly authPolicy: Uint8Array;
}

/** Public area of an RSA key; its parameters are TPMS_RSA_PARMS. */
export interface RsaPublic extends PublicHeader {
  readonly type: 'rsa';
  readonly parameters: {
    readonly symmetric: SymDefObject | null;
    readonly scheme: Scheme;
    readonly keyBits: number;
    /** 0 stands for 65537. */
    readonly exponent: number;
  };
  /** The modulus, big-endian. */
  readonly unique: Uint8Array;
}

/** Public area of an ECC key; its parameters are TPMS_ECC_PARMS. */
export interface EccPublic extends PublicHeader {
  readonly type: 'ecc';
  readonly parameters: {
    readonly symmetric: SymDefObject | null;
    readonly scheme: Scheme;
    readonly curveId: number;
    readonly kdf: Scheme;
  };
  /** Some TPMs strip leading zeros: pad to the field size before use. */
  readonly unique: { readonly x: Uint8Array; readonly y: Uint8Array };
}

/** Public area of an HMAC key or a sealed object; its parameters are TPMS_KEYEDHASH_PARMS. */
export interface KeyedHashPublic extends PublicHeader {
  readonly type: 'keyedHash';
  readonly parameters: { readonly scheme: Scheme };
  readonly unique: Uint8Array;
}

/** Public area of a key for a block cipher; its parameters are TPMS_SYMCIPHER_PARMS. */
export interface SymCipherPublic extends PublicHeader {
  readonly type: 'symCipher';
  readonly parameters: { readonly symmetric: SymDefObject | null };
  readonly unique: Uint8Array;
}

/** TPMT_PUBLIC (Part 2, 12.2.4); `type` says which form it has. */
export type TpmtPublic = RsaPublic | EccPublic | KeyedHashPublic | SymCipherPublic;

const publicType = selector(
  'TPMI_ALG_PUBLIC',
  {
    rsa: TPM_ALG.RSA,
    ecc: TPM_ALG.ECC,
    keyedHash: TPM_ALG.KEYEDHASH,
    symCipher: TPM_ALG.SYMCIPHER,
  } as const,
  unsupportedAlgorithm,
);

const header: Codec<PublicHeader> = struct('TPMT_PUBLIC', {
  nameAlg: u16,
  objectAttributes: u32,
  authPolicy: tpm2bDigest,
});

const bodies: {
  readonly [T in TpmtPublic['type']]: Codec<Pick<Extract<TpmtPublic, { type: T }>, 'parameters' | 'unique'>>;
} = {
  rsa: struct('TPMT_PUBLIC', {
    parameters: struct('TPMS_RSA_PARMS', { symmetric: symDefObject, scheme: rsaScheme, keyBits: u16, exponent: u32 }),
    unique: tpm2bPublicKeyRsa,
  }),
  ecc: struct('TPMT_PUBLIC', {
    parameters: struct('TPMS_ECC_PARMS', { symmetric: symDefObject, scheme: eccScheme, curveId: u16, kdf: kdfScheme }),
    unique: struct('TPMS_ECC_POINT', { x: tpm2bEccParameter, y: tpm2bEccParameter }),
  }),
  keyedHash: struct('TPMT_PUBLIC', {
    parameters: struct('TPMS_KEYEDHASH_PARMS', { scheme: keyedHashScheme }),
    unique: tpm2bDigest,
  }),
  symCipher: struct('TPMT_PUBLIC', {
    parameters: struct('TPMS_SYMCIPHER_PARMS', { symmetric: symDefObject }),
    unique: tpm2bDigest,
  }),
};

/** Throws UnsupportedError for an algorithm of the specification that this product does not read. */
export const tpmtPublic: Codec<TpmtPublic> = {
  name: 'TPMT_PUBLIC',
  read: (r) => {
    const type = r.within('type', publicType.read);
    const { nameAlg, objectAttributes, authPolicy } = header.read(r);
    const { parameters, unique } = bodies[type].read(r);
    return { type, nameAlg, objectAttributes, authPolicy, parameters, unique } as TpmtPublic;
  },
  write: (w, value) => {
    publicType.write(w, value.type);
    header.write(w, value);
    (bodies[value.type] as Codec<Pick<TpmtPublic, 'parameters' | 'unique'>>).write(w, value);
  },
};

/** TPM2B_PUBLIC (12.2.5), the form in files of tpm2-tools. */
export const tpm2bPublic: Codec<TpmtPublic> = tpm2bOf('TPM2B_PUBLIC', tpmtPublic);
