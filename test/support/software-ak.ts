/** Attestation keys and quotes made in software, for tests of the verifier. */
import {
  constants,
  createHash,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  type KeyPairKeyObjectResult,
  privateEncrypt,
  randomBytes,
  sign,
} from 'node:crypto';
import { concat } from '../../src/bytes/bytes.ts';
import { publicAreaOf, spkiOf } from '../../src/tpm/public-key.ts';
import { hashAlgorithm } from '../../src/tpm/structures/algorithms.ts';
import { type QuoteAttest, tpmsAttest } from '../../src/tpm/structures/attest.ts';
import { encode } from '../../src/tpm/structures/codec.ts';
import { TPM_ALG, TPM_ECC, TPM_RH } from '../../src/tpm/structures/constants.ts';
import { handleName, objectName, qualifiedName } from '../../src/tpm/structures/name.ts';
import { selectedPcrs, type TpmlPcrSelection } from '../../src/tpm/structures/pcr.ts';
import { type TpmtPublic, tpmtPublic } from '../../src/tpm/structures/public.ts';
import type { Scheme } from '../../src/tpm/structures/scheme.ts';
import { type EccSignature, type TpmtSignature, tpmtSignature } from '../../src/tpm/structures/signature.ts';
import { akTemplate } from '../../src/tpm/templates.ts';

/** A software key with the public area of an AK. It signs everything, unlike a TPM. */
export interface SoftwareAk {
  readonly publicArea: TpmtPublic;
  /** TPMT_PUBLIC. */
  readonly publicBytes: Uint8Array;
  readonly scheme: Scheme;
  readonly privateKey: KeyObject;
}

const CURVES: { readonly [name: string]: number } = {
  'P-256': TPM_ECC.NIST_P256,
  'P-384': TPM_ECC.NIST_P384,
  'P-521': TPM_ECC.NIST_P521,
};

export function eccAk(namedCurve: 'P-256' | 'P-384' | 'P-521' = 'P-256', hashAlg: number = TPM_ALG.SHA256): SoftwareAk {
  const template = akTemplate('ecc', 'test');
  if (template.type !== 'ecc') throw new Error('an ECC template');
  const scheme = { scheme: TPM_ALG.ECDSA, hashAlg };
  const parameters = { ...template.parameters, scheme, curveId: CURVES[namedCurve] ?? 0 };
  return softwareAk(generateKeyPairSync('ec', { namedCurve }), { ...template, parameters }, scheme);
}

export function rsaAk(
  scheme: number = TPM_ALG.RSASSA,
  hashAlg: number = TPM_ALG.SHA256,
  keyBits: number = 2048,
): SoftwareAk {
  const template = akTemplate('rsa', 'test');
  if (template.type !== 'rsa') throw new Error('an RSA template');
  const parameters = { ...template.parameters, scheme: { scheme, hashAlg }, keyBits };
  const pair = generateKeyPairSync('rsa', { modulusLength: keyBits });
  return softwareAk(pair, { ...template, parameters }, { scheme, hashAlg });
}

function softwareAk(pair: KeyPairKeyObjectResult, template: TpmtPublic, scheme: Scheme): SoftwareAk {
  const publicArea = publicAreaOf(pair.publicKey, template);
  if (publicArea === undefined) throw new Error('the key does not fit its template');
  return { publicArea, publicBytes: encode(tpmtPublic, publicArea), scheme, privateKey: pair.privateKey };
}

/** The quote that a TPM would make with this key over these values, in the endorsement hierarchy. */
export function quoteOf(
  ak: SoftwareAk,
  extraData: Uint8Array,
  pcrSelect: TpmlPcrSelection,
  values: readonly Uint8Array[],
): QuoteAttest {
  return {
    type: 'quote',
    qualifiedSigner: qualifiedName(handleName(TPM_RH.ENDORSEMENT), objectName(ak.publicArea)),
    extraData,
    clockInfo: { clock: 1000n, resetCount: 1, restartCount: 0, safe: true },
    firmwareVersion: 0x2019102300163636n,
    attested: { pcrSelect, pcrDigest: digest(ak.scheme.hashAlg ?? 0, ...values) },
  };
}

export function digest(hash: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const algorithm = hashAlgorithm(hash);
  if (algorithm === undefined) throw new Error(`no hash 0x${hash.toString(16)}`);
  return Uint8Array.from(
    createHash(algorithm.name)
      .update(concat(...parts))
      .digest(),
  );
}

/** A different value of the right size for each selected PCR. */
export function valuesFor(selections: TpmlPcrSelection): readonly Uint8Array[] {
  return selections.flatMap((selection) =>
    selectedPcrs(selection).map((index) => digest(selection.hash, Uint8Array.of(index))),
  );
}

export interface Signing {
  /** The scheme of the signature. Default: the key's own scheme. */
  readonly scheme?: Scheme;
  /** For PSS. Default: the length of the digest. */
  readonly saltLength?: number;
}

/** TPMT_SIGNATURE as a value. */
export function signatureOf(
  ak: SoftwareAk,
  data: Uint8Array,
  { scheme = ak.scheme, saltLength }: Signing = {},
): TpmtSignature {
  const hash = scheme.hashAlg ?? 0;
  const name = hashAlgorithm(hash)?.name ?? '';
  const key = ak.privateKey;
  switch (scheme.scheme) {
    case TPM_ALG.RSASSA:
      return { sigAlg: 'rsassa', hash, sig: Uint8Array.from(sign(name, data, key)) };
    case TPM_ALG.RSAPSS: {
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      const salt = saltLength ?? constants.RSA_PSS_SALTLEN_DIGEST;
      return { sigAlg: 'rsapss', hash, sig: Uint8Array.from(sign(name, data, { key, padding, saltLength: salt })) };
    }
    case TPM_ALG.HMAC: {
      // The HMAC key is the public key, the only key a verifier has: a confused verifier might use it.
      const shared = spkiOf(createPublicKey(key));
      return { sigAlg: 'hmac', hash, digest: Uint8Array.from(createHmac(name, shared).update(data).digest()) };
    }
    default:
      return ecdsa(ak, data, hash);
  }
}

export function ecdsa(ak: SoftwareAk, data: Uint8Array, hash: number = ak.scheme.hashAlg ?? 0): EccSignature {
  const raw = sign(hashAlgorithm(hash)?.name ?? '', data, { key: ak.privateKey, dsaEncoding: 'ieee-p1363' });
  const width = raw.length / 2;
  return {
    sigAlg: 'ecdsa',
    hash,
    signatureR: Uint8Array.from(raw.subarray(0, width)),
    signatureS: Uint8Array.from(raw.subarray(width)),
  };
}

export function signedBytes(ak: SoftwareAk, data: Uint8Array, signing: Signing = {}): Uint8Array {
  return encode(tpmtSignature, signatureOf(ak, data, signing));
}

export function quoteBytes(quote: QuoteAttest): Uint8Array {
  return encode(tpmsAttest, quote);
}

/** RSASSA-PSS (RFC 8017 9.1.1) with different hashes for mask and message, which node:crypto cannot make. */
export function pssWithMaskHash(ak: SoftwareAk, data: Uint8Array, maskHash: number): TpmtSignature {
  const hash = ak.scheme.hashAlg ?? 0;
  const salt = randomBytes(32);
  const hashed = digest(hash, new Uint8Array(8), digest(hash, data), salt);
  const length = (ak.privateKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
  const db = concat(new Uint8Array(length - salt.length - hashed.length - 2), Uint8Array.of(1), salt);
  const mask: Uint8Array[] = [];
  for (let i = 0; concat(...mask).length < db.length; i++)
    mask.push(digest(maskHash, hashed, Uint8Array.of(0, 0, 0, i)));
  const masked = concat(...mask)
    .slice(0, db.length)
    .map((byte, i) => byte ^ (db[i] ?? 0));
  masked[0] = (masked[0] ?? 0) & 0x7f;
  const block = concat(masked, hashed, Uint8Array.of(0xbc));
  const sig = privateEncrypt({ key: ak.privateKey, padding: constants.RSA_NO_PADDING }, block);
  return { sigAlg: 'rsapss', hash, sig: Uint8Array.from(sig) };
}
