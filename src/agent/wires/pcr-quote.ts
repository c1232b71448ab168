/** Takes a quote together with the PCR values that it covers. */
import { createHash } from 'node:crypto';
import { equalBytes } from '../../bytes/bytes.ts';
import type { TpmCommands } from '../../tpm/device/commands.ts';
import { ESYS_TR, type KeyHandle } from '../../tpm/device/handles.ts';
import { hashAlgorithm } from '../../tpm/structures/algorithms.ts';
import { tpmsAttest } from '../../tpm/structures/attest.ts';
import { tpmsCapabilityData } from '../../tpm/structures/capability.ts';
import { decode, encode } from '../../tpm/structures/codec.ts';
import { TPM_ALG, TPM_CAP } from '../../tpm/structures/constants.ts';
import { pcrSelection, selectedPcrs, type TpmsPcrSelection, tpmlPcrSelection } from '../../tpm/structures/pcr.ts';
import { tpmtPublic } from '../../tpm/structures/public.ts';

const MAX_QUOTES = 3;

/**
 * The quote and the PCR values do not agree, because PCRs change all the time, or the TPM does not answer the values.
 */
export class PcrError extends Error {
  override readonly name: string = 'PcrError';
  readonly code: 'ERR_PCR' = 'ERR_PCR' as const;
}

export interface QuotedPcrs {
  /** TPMS_ATTEST. */
  readonly quoted: Uint8Array;
  /** TPMT_SIGNATURE. */
  readonly signature: Uint8Array;
  /** Ascending by index. */
  readonly values: readonly Uint8Array[];
}

export interface QuoteRequest {
  readonly ak: KeyHandle;
  /** TPM_ALG_ID of the hash in the AK's scheme. */
  readonly hash: number;
  readonly qualifyingData: Uint8Array;
  readonly selection: TpmsPcrSelection;
}

/**
 * Quotes until the quote and the values agree, three times at most: PCRs may be extended between two commands.
 *
 * @param known values of an earlier quote. If they still fit the new quote, the PCRs need not be read.
 * @throws PcrError
 */
export async function quotePcrs(
  run: TpmCommands,
  request: QuoteRequest,
  known: readonly Uint8Array[] | undefined,
): Promise<QuotedPcrs> {
  const pcrSelect = encode(tpmlPcrSelection, [request.selection]);
  let values = known ?? (await readPcrs(run, request.selection));
  for (let quotes = 0; quotes < MAX_QUOTES; quotes++) {
    const { quoted, signature } = await run.quote({
      signHandle: request.ak,
      qualifyingData: request.qualifyingData,
      pcrSelect,
      sessions: [ESYS_TR.PASSWORD],
    });
    const digest = quotedDigest(quoted);
    if (equalBytes(digestOf(request.hash, values), digest)) return { quoted, signature, values };
    values = await readPcrs(run, request.selection);
    if (equalBytes(digestOf(request.hash, values), digest)) return { quoted, signature, values };
  }
  throw new PcrError(
    `the PCRs changed during each of ${MAX_QUOTES} quotes; remove the PCR that changes from pcrs on the server`,
  );
}

/** TPM_ALG_ID of each allocated PCR bank. */
export async function allocatedBanks(run: TpmCommands): Promise<readonly number[]> {
  const query = { capability: TPM_CAP.PCRS, property: 0, propertyCount: 1 };
  const answer = decode(tpmsCapabilityData, (await run.getCapability(query)).capabilityData);
  // The TPM lists an unallocated bank with an empty selection.
  return answer.capability === 'pcrs'
    ? answer.data.filter((bank) => selectedPcrs(bank).length > 0).map((b) => b.hash)
    : [];
}

/** The hash in the AK's signature scheme. The TPM uses it for the PCR digest, too (TPM 2.0 Library Part 3, 18.4). */
export function signingHash(akPublic: Uint8Array): number {
  const publicArea = decode(tpmtPublic, akPublic);
  const scheme = publicArea.type === 'symCipher' ? undefined : publicArea.parameters.scheme;
  return scheme?.hashAlg ?? TPM_ALG.SHA256;
}

/** Reads in several commands, because a TPM answers at most eight PCRs. */
async function readPcrs(run: TpmCommands, selection: TpmsPcrSelection): Promise<readonly Uint8Array[]> {
  const values = new Map<number, Uint8Array>();
  const wanted = selectedPcrs(selection);
  for (let missing = wanted; missing.length > 0; missing = wanted.filter((index) => !values.has(index))) {
    const pcrSelectionIn = encode(tpmlPcrSelection, [pcrSelection(selection.hash, missing)]);
    const { pcrSelectionOut, pcrValues } = await run.pcrRead({ pcrSelectionIn });
    const read = decode(tpmlPcrSelection, pcrSelectionOut)
      .filter(({ hash }) => hash === selection.hash)
      .flatMap(selectedPcrs)
      .filter((index) => missing.includes(index));
    // tooth bus [read.length === 0 -> false]: the agent loops forever on PCRs that the TPM does not answer
    if (read.length === 0 || read.length !== pcrValues.length) {
      throw new PcrError(`the TPM does not answer PCR ${missing.join(', ')} of the requested bank`);
    }
    for (const [position, index] of read.entries()) values.set(index, pcrValues[position] ?? new Uint8Array());
  }
  return wanted.map((index) => values.get(index) ?? new Uint8Array());
}

function quotedDigest(quoted: Uint8Array): Uint8Array {
  const attest = decode(tpmsAttest, quoted);
  if (attest.type !== 'quote') throw new PcrError(`the TPM answered a ${attest.type} instead of a quote`);
  return attest.attested.pcrDigest;
}

function digestOf(algorithm: number, values: readonly Uint8Array[]): Uint8Array {
  const hash = createHash(hashAlgorithm(algorithm)?.name ?? 'sha256');
  for (const value of values) hash.update(value);
  return Uint8Array.from(hash.digest());
}
