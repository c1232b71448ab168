/** A quote: what the TPM says its PCRs were, and whether that is the answer to our question. Pure. */
import { constants, createHash, type KeyObject, verify } from 'node:crypto';
import { bigEndian, concat, equalBytes, hex, padStart } from '../tpm/bytes.ts';
import { curveByJwk, hashAlgorithm } from '../tpm/structures/algorithms.ts';
import { type QuoteAttest, tpmsAttest } from '../tpm/structures/attest.ts';
import { decode } from '../tpm/structures/codec.ts';
import { TPM_GENERATED, TPM_ST } from '../tpm/structures/constants.ts';
import { MalformedError } from '../tpm/structures/malformed.ts';
import { selectedPcrs, type TpmlPcrSelection } from '../tpm/structures/pcr.ts';
import { type EccSignature, SIGNATURE_ALG, type TpmtSignature, tpmtSignature } from '../tpm/structures/signature.ts';
import { type AttestationKey, schemeName } from './attestation-key.ts';
import { Findings, type PcrValue } from './verdict.ts';

export interface SignedQuote {
  /** TPMS_ATTEST as signed. */
  readonly quoted: Uint8Array;
  /** TPMT_SIGNATURE. */
  readonly signature: Uint8Array;
  /** In the order of the signed selection, ascending within a bank. Believed only as far as the digest covers them. */
  readonly pcrValues: readonly Uint8Array[];
}

/** What the quote must say; undefined leaves a part open. */
export interface QuoteExpectation {
  readonly extraData: Uint8Array | undefined;
  readonly pcrSelection: TpmlPcrSelection | undefined;
  readonly qualifiedSigner: Uint8Array | undefined;
}

/** Made by `verifyQuote` alone, from a quote without findings. */
export interface VerifiedQuote {
  readonly attest: QuoteAttest;
  readonly pcrs: readonly PcrValue[];
}

export function verifyQuote(
  ak: AttestationKey,
  quote: SignedQuote,
  expected: QuoteExpectation,
  findings: Findings,
): VerifiedQuote | undefined {
  const before = findings.list.length;
  verifySignature(ak, quote, findings);
  const attest = readAttest(quote.quoted, findings);
  if (attest === undefined) return undefined;
  const { extraData, pcrSelection, qualifiedSigner } = expected;
  if (extraData !== undefined && !equalBytes(attest.extraData, extraData))
    findings.add('quote.commitment', `the quote commits to ${hex(attest.extraData)}, expected was ${hex(extraData)}`);
  if (qualifiedSigner !== undefined && !equalBytes(attest.qualifiedSigner, qualifiedSigner))
    findings.add('quote.qualified_signer', 'the signer is not the attestation key under the endorsement hierarchy');
  if (!isSelection(attest.attested.pcrSelect, pcrSelection))
    findings.add(
      'quote.selection',
      `the quote covers ${selectionText(attest.attested.pcrSelect)}, ${
        pcrSelection === undefined
          ? 'at least one PCR of each bank, none twice, was'
          : `${selectionText(pcrSelection)} was`
      } asked for`,
    );
  const pcrs = judgeValues(ak, attest, quote.pcrValues, findings);
  return findings.list.length === before ? { attest, pcrs } : undefined;
}

function readAttest(quoted: Uint8Array, findings: Findings): QuoteAttest | undefined {
  if (quoted.length >= 6) {
    const view = new DataView(quoted.buffer, quoted.byteOffset, quoted.byteLength);
    // Looked at before decoding, so that the two classic forgeries get names of their own.
    if (view.getUint32(0) !== TPM_GENERATED) {
      findings.add('quote.magic', 'the signed bytes do not begin as every structure made by a TPM does');
      return undefined;
    }
    if (view.getUint16(4) !== TPM_ST.ATTEST_QUOTE) {
      findings.add('quote.type', `the signed structure has type 0x${view.getUint16(4).toString(16)}, not a quote's`);
      return undefined;
    }
  }
  try {
    return decode(tpmsAttest, quoted) as QuoteAttest;
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    findings.add('quote.malformed', `the quote is no TPMS_ATTEST: ${error.message}`);
    return undefined;
  }
}

/** The qualifying data the quote claims to have, before anything about it is verified. */
export function quotedExtraData(quoted: Uint8Array): Uint8Array | undefined {
  return readAttest(quoted, new Findings())?.extraData;
}

function verifySignature(ak: AttestationKey, { quoted, signature }: SignedQuote, findings: Findings): void {
  let decoded: TpmtSignature;
  try {
    decoded = decode(tpmtSignature, signature);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    findings.add('quote.malformed', `the signature is no TPMT_SIGNATURE: ${error.message}`);
    return;
  }
  const form = { scheme: SIGNATURE_ALG[decoded.sigAlg], ...('hash' in decoded ? { hashAlg: decoded.hash } : {}) };
  if (form.scheme !== ak.scheme.scheme || form.hashAlg !== ak.scheme.hashAlg)
    findings.add('quote.scheme', `the signature is ${schemeName(form)}, the key signs with ${schemeName(ak.scheme)}`);
  if (!isValid(ak.key, quoted, decoded))
    findings.add('quote.signature', 'the attestation key did not make this signature');
}

/** Whether `signature` verifies in the form it claims to have. */
function isValid(key: KeyObject, data: Uint8Array, signature: TpmtSignature): boolean {
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

/** Exactly what was asked for; where nothing was, at least one bank, none twice and none without a PCR. */
function isSelection(actual: TpmlPcrSelection, expected: TpmlPcrSelection | undefined): boolean {
  if (expected === undefined) {
    const banks = new Set(actual.map((selection) => selection.hash));
    return (
      actual.length > 0 &&
      banks.size === actual.length &&
      actual.every((selection) => selectedPcrs(selection).length > 0)
    );
  }
  return (
    actual.length === expected.length &&
    actual.every((selection, i) => {
      const wanted = expected[i];
      return wanted?.hash === selection.hash && equalBytes(wanted.pcrSelect, selection.pcrSelect);
    })
  );
}

function selectionText(selection: TpmlPcrSelection): string {
  const banks = selection.map((bank) => {
    const name = hashAlgorithm(bank.hash)?.name ?? `0x${bank.hash.toString(16)}`;
    return `${name}:${selectedPcrs(bank).join(',') || 'none'}`;
  });
  return banks.join('+') || 'nothing';
}

/** PCR values are believed by position in the *signed* selection, never by a label that came beside it. */
function judgeValues(
  ak: AttestationKey,
  { attested }: QuoteAttest,
  values: readonly Uint8Array[],
  findings: Findings,
): readonly PcrValue[] {
  const slots = attested.pcrSelect.flatMap((selection) =>
    selectedPcrs(selection).map((index) => ({ algorithm: hashAlgorithm(selection.hash), index })),
  );
  const fits =
    slots.length === values.length && slots.every((slot, i) => values[i]?.length === slot.algorithm?.digestBytes);
  if (!fits)
    findings.add('quote.pcr_values', `${values.length} PCR values do not fill the ${slots.length} quoted PCRs`);
  // Part 3, 18.4.1: the digest uses the hash of the signing scheme, whatever the bank's.
  const digestHash = hashAlgorithm(ak.scheme.hashAlg ?? 0)?.name;
  const digest =
    digestHash === undefined
      ? undefined
      : createHash(digestHash)
          .update(concat(...values))
          .digest();
  if (digest === undefined || !equalBytes(digest, attested.pcrDigest))
    findings.add('quote.pcr_digest', 'the PCR values are not the ones the TPM signed');
  if (!fits) return [];
  return slots.map(({ algorithm, index }, i) => ({
    bank: algorithm?.name ?? '',
    index,
    value: hex(values[i] ?? new Uint8Array()),
  }));
}
