/** Verifies a quote: the AK's signature, the nonce, the selection of PCRs, and the PCR values. Pure. */
import { hash as digestOf } from 'node:crypto';
import { concat, equalBytes, hex } from '../bytes/bytes.ts';
import type { PlainSignature } from '../evidence/tools-quote.ts';
import { hashAlgorithm } from '../tpm/structures/algorithms.ts';
import type { QuoteAttest } from '../tpm/structures/attest.ts';
import { selectedPcrs, type TpmlPcrSelection } from '../tpm/structures/pcr.ts';
import type { Scheme } from '../tpm/structures/scheme.ts';
import type { AttestationKey } from './attestation-key.ts';
import { readSigned, verifySignature } from './signed-structure.ts';
import { Findings, type PcrValue } from './verdict.ts';

/** A received quote, before verification. */
export interface SignedQuote {
  /** The signed TPMS_ATTEST. */
  readonly quoted: Uint8Array;
  /** TPMT_SIGNATURE, or the bare numbers that tpm2-tools writes instead. */
  readonly signature: Uint8Array | PlainSignature;
  /**
   * In the order of the signed selection, ascending within a bank. The signed digest must match them. Undefined if the
   * caller could not read them and added a finding; such a quote is never verified.
   */
  readonly pcrValues: readonly Uint8Array[] | undefined;
}

/** The values that the quote must have. Undefined accepts any value. */
export interface QuoteExpectation {
  readonly extraData: Uint8Array | undefined;
  readonly pcrSelection: TpmlPcrSelection | undefined;
  readonly qualifiedSigner: Uint8Array | undefined;
}

declare const verified: unique symbol;

/** A quote without findings. Only `verifyQuote` makes it. */
export interface VerifiedQuote {
  readonly [verified]: true;
  readonly attest: QuoteAttest;
  readonly pcrs: readonly PcrValue[];
}

/**
 * Verifies a quote (Part 3, TPM2_Quote).
 *
 * @param findings every fault is added to it
 * @returns undefined if there was a fault, or if there are no PCR values
 */
export function verifyQuote(
  ak: AttestationKey,
  quote: SignedQuote,
  expected: QuoteExpectation,
  findings: Findings,
): VerifiedQuote | undefined {
  const before = findings.count;
  const form = verifySignature('quote', ak, quote.quoted, quote.signature, findings);
  const attest = readSigned('quote', quote.quoted, findings);
  if (attest === undefined) return undefined;
  const { extraData, pcrSelection, qualifiedSigner } = expected;
  if (extraData !== undefined && !equalBytes(attest.extraData, extraData))
    findings.add(
      'quote.commitment',
      `the quote commits to ${hex(attest.extraData)}, and the server expected ${hex(extraData)}`,
    );
  if (qualifiedSigner !== undefined && !equalBytes(attest.qualifiedSigner, qualifiedSigner))
    findings.add('quote.qualified_signer', 'the signer is not the attestation key in the endorsement hierarchy');
  if (!isSelection(attest.attested.pcrSelect, pcrSelection))
    findings.add(
      'quote.selection',
      `the quote covers ${selectionText(attest.attested.pcrSelect)}, ${
        pcrSelection === undefined
          ? 'at least one PCR of each bank, none twice, was'
          : `${selectionText(pcrSelection)} was`
      } asked for`,
    );
  const pcrs = quote.pcrValues === undefined ? undefined : judgeValues(form, attest, quote.pcrValues, findings);
  return findings.count === before && pcrs !== undefined ? ({ attest, pcrs } as VerifiedQuote) : undefined;
}

/** The qualifying data of a quote that is not verified. */
export function quotedExtraData(quoted: Uint8Array): Uint8Array | undefined {
  return readSigned('quote', quoted, new Findings())?.extraData;
}

/**
 * Whether the selection is the expected one. If none is expected: at least one bank, none twice, none without a PCR.
 */
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

/**
 * Assigns PCR values by their position in the *signed* selection, never by an unsigned label.
 *
 * @param form the scheme of the signature. If it is unknown, which is a finding of its own, the digest is not checked
 */
function judgeValues(
  form: Scheme | undefined,
  { attested }: QuoteAttest,
  values: readonly Uint8Array[],
  findings: Findings,
): readonly PcrValue[] | undefined {
  const slots = attested.pcrSelect.flatMap((selection) =>
    selectedPcrs(selection).map((index) => ({ algorithm: hashAlgorithm(selection.hash), index })),
  );
  const fits =
    slots.length === values.length && slots.every((slot, i) => values[i]?.length === slot.algorithm?.digestBytes);
  if (!fits) findings.add('quote.pcr_values', `there are ${values.length} PCR values for ${slots.length} quoted PCRs`);
  // Part 3, 18.4.1: the digest uses the hash of the signing scheme, whatever the bank's.
  const digestHash = hashAlgorithm(form?.hashAlg ?? 0)?.name;
  if (digestHash === undefined) return undefined;
  const digest = digestOf(digestHash, concat(...values), 'buffer');
  if (!equalBytes(digest, attested.pcrDigest))
    findings.add('quote.pcr_digest', 'the PCR values are not the ones the TPM signed');
  if (!fits) return undefined;
  return slots.map(({ algorithm, index }, i) => ({
    bank: algorithm?.name ?? '',
    index,
    value: hex(values[i] ?? new Uint8Array()),
  }));
}
