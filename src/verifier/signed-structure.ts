/** What a TPM signs about itself: that the AK signed it, in its own form, and that it is of the kind it should be. Pure. */
import { constants, type KeyObject, verify } from 'node:crypto';
import { bigEndian, concat, padStart } from '../tpm/bytes.ts';
import { curveByJwk, hashAlgorithm } from '../tpm/structures/algorithms.ts';
import { type TpmsAttest, tpmsAttest } from '../tpm/structures/attest.ts';
import { decode } from '../tpm/structures/codec.ts';
import { TPM_GENERATED, TPM_ST } from '../tpm/structures/constants.ts';
import { MalformedError } from '../tpm/structures/malformed.ts';
import { type EccSignature, SIGNATURE_ALG, type TpmtSignature, tpmtSignature } from '../tpm/structures/signature.ts';
import { type AttestationKey, schemeName } from './attestation-key.ts';
import type { Findings } from './verdict.ts';

/** The kinds that count as evidence; findings about them have the kind in front. */
export type SignedKind = 'quote' | 'creation';

const TYPES: Readonly<Record<SignedKind, number>> = {
  quote: TPM_ST.ATTEST_QUOTE,
  creation: TPM_ST.ATTEST_CREATION,
};

/** The structure as decoded; undefined, with a finding, when it is of another kind or none. Nothing signed is verified. */
export function readSigned<K extends SignedKind>(
  kind: K,
  bytes: Uint8Array,
  findings: Findings,
): Extract<TpmsAttest, { readonly type: K }> | undefined {
  if (bytes.length >= 6) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // Looked at before decoding, so that the two classic forgeries get names of their own.
    if (view.getUint32(0) !== TPM_GENERATED) {
      findings.add(`${kind}.magic`, 'the signed bytes do not begin as every structure made by a TPM does');
      return undefined;
    }
    if (view.getUint16(4) !== TYPES[kind]) {
      findings.add(
        `${kind}.type`,
        `the signed structure has type 0x${view.getUint16(4).toString(16)}, not a ${kind}'s`,
      );
      return undefined;
    }
  }
  try {
    return decode(tpmsAttest, bytes) as Extract<TpmsAttest, { readonly type: K }>;
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    findings.add(`${kind}.malformed`, `the ${kind} is no TPMS_ATTEST: ${error.message}`);
    return undefined;
  }
}

/** @param signature TPMT_SIGNATURE */
export function verifySignature(
  kind: SignedKind,
  ak: AttestationKey,
  bytes: Uint8Array,
  signature: Uint8Array,
  findings: Findings,
): void {
  let decoded: TpmtSignature;
  try {
    decoded = decode(tpmtSignature, signature);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    findings.add(`${kind}.malformed`, `the signature is no TPMT_SIGNATURE: ${error.message}`);
    return;
  }
  const form = { scheme: SIGNATURE_ALG[decoded.sigAlg], ...('hash' in decoded ? { hashAlg: decoded.hash } : {}) };
  if (form.scheme !== ak.scheme.scheme || form.hashAlg !== ak.scheme.hashAlg)
    findings.add(`${kind}.scheme`, `the signature is ${schemeName(form)}, the key signs with ${schemeName(ak.scheme)}`);
  else if (!isValid(ak.key, bytes, decoded))
    findings.add(`${kind}.signature`, 'the attestation key did not make this signature');
}

/** Whether `signature` verifies in its form, which is the key's. */
function isValid(key: KeyObject, data: Uint8Array, signature: TpmtSignature): boolean {
  try {
    return verifies(key, data, signature);
  } catch {
    // OpenSSL throws at what it does not do at all, such as RSA over SM3.
    return false;
  }
}

function verifies(key: KeyObject, data: Uint8Array, signature: TpmtSignature): boolean {
  const hash = 'hash' in signature ? hashAlgorithm(signature.hash)?.name : undefined;
  if (hash === undefined) return false;
  const type = key.asymmetricKeyType;
  switch (signature.sigAlg) {
    case 'rsassa':
      return type === 'rsa' && verify(hash, data, { key, padding: constants.RSA_PKCS1_PADDING }, signature.sig);
    case 'rsapss': {
      // TPMs differ in salt length (Part 1, B.7): any length, but the hash of the scheme.
      const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_AUTO: saltLength } = constants;
      return type === 'rsa' && verify(hash, data, { key, padding, saltLength }, signature.sig);
    }
    case 'ecdsa': {
      const raw = rawEcdsa(key, signature);
      return raw !== undefined && verify(hash, data, { key, dsaEncoding: 'ieee-p1363' }, raw);
    }
    default:
      return false;
  }
}

/** r ‖ s at field width; undefined when one is zero or longer than the field. */
function rawEcdsa(key: KeyObject, { signatureR, signatureS }: EccSignature): Uint8Array | undefined {
  const width =
    key.asymmetricKeyType === 'ec' ? curveByJwk(key.export({ format: 'jwk' }).crv ?? '')?.coordinateBytes : undefined;
  if (width === undefined || signatureR.length > width || signatureS.length > width) return undefined;
  if (bigEndian(signatureR) === 0n || bigEndian(signatureS) === 0n) return undefined;
  const [r, s] = [padStart(signatureR, width), padStart(signatureS, width)];
  return r === undefined || s === undefined ? undefined : concat(r, s);
}
