/** TPMT_SIGNATURE: a signature and its algorithm (TPM 2.0 Library Part 2, 11.3.4). */

import { hashAlgorithm, unsupportedAlgorithm } from './algorithms.ts';
import { tpm2bEccParameter, tpm2bPublicKeyRsa } from './buffers.ts';
import { type Codec, selector, struct, u16 } from './codec.ts';
import { TPM_ALG } from './constants.ts';

/** TPMS_SIGNATURE_RSA; `hash` is a TPM_ALG_ID. */
export interface RsaSignature {
  readonly sigAlg: 'rsassa' | 'rsapss';
  readonly hash: number;
  readonly sig: Uint8Array;
}

/** TPMS_SIGNATURE_ECC; `hash` is a TPM_ALG_ID, the numbers are big-endian. */
export interface EccSignature {
  readonly sigAlg: 'ecdsa' | 'ecdaa' | 'sm2' | 'ecschnorr';
  readonly hash: number;
  readonly signatureR: Uint8Array;
  readonly signatureS: Uint8Array;
}

/** TPMT_HA; `hash` is a TPM_ALG_ID. */
export interface HmacSignature {
  readonly sigAlg: 'hmac';
  readonly hash: number;
  readonly digest: Uint8Array;
}

/** TPMT_SIGNATURE (Part 2, 11.3.4); `sigAlg` says which form it has. */
export type TpmtSignature = RsaSignature | EccSignature | HmacSignature | { readonly sigAlg: 'null' };

/** TPM_ALG_ID of each form of signature. The scheme of the signing key must be the same number. */
export const SIGNATURE_ALG: Readonly<Record<TpmtSignature['sigAlg'], number>> = {
  rsassa: TPM_ALG.RSASSA,
  rsapss: TPM_ALG.RSAPSS,
  ecdsa: TPM_ALG.ECDSA,
  ecdaa: TPM_ALG.ECDAA,
  sm2: TPM_ALG.SM2,
  ecschnorr: TPM_ALG.ECSCHNORR,
  hmac: TPM_ALG.HMAC,
  null: TPM_ALG.NULL,
};

const sigAlg: Codec<TpmtSignature['sigAlg']> = selector('TPMI_ALG_SIG_SCHEME', SIGNATURE_ALG, unsupportedAlgorithm);

const rsa: Codec<Omit<RsaSignature, 'sigAlg'>> = struct('TPMS_SIGNATURE_RSA', { hash: u16, sig: tpm2bPublicKeyRsa });

const ecc: Codec<Omit<EccSignature, 'sigAlg'>> = struct('TPMS_SIGNATURE_ECC', {
  hash: u16,
  signatureR: tpm2bEccParameter,
  signatureS: tpm2bEccParameter,
});

/** TPMT_HA has no size field: the algorithm tells the size (10.3.2). */
const ha: Codec<Omit<HmacSignature, 'sigAlg'>> = {
  name: 'TPMT_HA',
  read: (r) => {
    const hash = r.u16();
    const algorithm = hashAlgorithm(hash);
    if (algorithm === undefined) throw r.malformed(`0x${hash.toString(16)} is not a known hash`);
    return { hash, digest: r.bytes(algorithm.digestBytes) };
  },
  write: (w, value) => {
    if (value.digest.length !== hashAlgorithm(value.hash)?.digestBytes)
      throw new RangeError(`${value.digest.length} bytes are not a digest of 0x${value.hash.toString(16)}`);
    w.u16(value.hash);
    w.bytes(value.digest);
  },
};

const nothing: Codec<object> = { name: 'TPMS_EMPTY', read: () => ({}), write: () => {} };

const bodies: Readonly<Record<TpmtSignature['sigAlg'], Codec<never>>> = {
  rsassa: rsa,
  rsapss: rsa,
  ecdsa: ecc,
  ecdaa: ecc,
  sm2: ecc,
  ecschnorr: ecc,
  hmac: ha,
  null: nothing,
} as Readonly<Record<TpmtSignature['sigAlg'], Codec<never>>>;

/** Throws UnsupportedError for an algorithm of the specification that this product does not read. */
export const tpmtSignature: Codec<TpmtSignature> = {
  name: 'TPMT_SIGNATURE',
  read: (r) => {
    const alg = r.within('sigAlg', sigAlg.read);
    return { sigAlg: alg, ...(r.within(alg, bodies[alg].read) as object) } as TpmtSignature;
  },
  write: (w, value) => {
    sigAlg.write(w, value.sigAlg);
    (bodies[value.sigAlg] as Codec<unknown>).write(w, value);
  },
};
