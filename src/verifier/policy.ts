/** What the operator asks of a machine; everything a verification depends on besides the evidence and the time. Pure. */
import type { Wire } from '../evidence/wires.ts';
import { hashAlgorithmByName } from '../tpm/structures/algorithms.ts';
import { PCR_COUNT } from '../tpm/structures/pcr.ts';
import type { AnchorSet } from '../x509/trust-store.ts';

/** PCRs of one bank, ascending, at least one. */
export interface PcrRequirement {
  /** TPM_ALG_ID. */
  readonly hash: number;
  /** `sha256` */
  readonly bank: string;
  readonly indices: readonly number[];
}

export interface Policy {
  readonly trustDomain: string;
  /** Part of agent IDs. */
  readonly pluginName: string;
  /** Certificate mode: undefined when no CA is configured. */
  readonly anchors: AnchorSet | undefined;
  /** Hash mode: whether the operator listed this EK, by the lower-case hexadecimal SHA-256 of its SPKI. */
  readonly isListed: ((pubHash: string) => boolean) | undefined;
  /** In order of preference: the quote covers the first whose bank the TPM has allocated. */
  readonly pcrs: readonly PcrRequirement[];
  readonly ekAlgorithms: readonly ('rsa' | 'ecc')[];
  readonly allowSoftwareTpm: boolean;
  readonly allowExpiredEk: boolean;
  readonly allowSha1Bank: boolean;
  /** `spire-tpm-plugin` admits that wire beside our own. */
  readonly wire: Wire;
  /** Milliseconds a challenge may be answered. */
  readonly challengeTimeoutMs: number;
}

/** PCRs software can set back to zero at will (PC Client Platform TPM Profile, 4.6): they prove nothing. */
const RESETTABLE: readonly number[] = [16, 23];

/**
 * Reads `sha256:0-7,10`. Returns the requirement, or what is wrong with the text as one sentence.
 */
export function parsePcrs(text: string): PcrRequirement | string {
  const match = /^([a-z0-9]+):(\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)$/.exec(text);
  if (match === null) return `"${text.slice(0, 64)}" is not of the form "sha256:0-7" or "sha256:0,2,7"`;
  const [, bank = '', list = ''] = match;
  const algorithm = hashAlgorithmByName(bank);
  if (algorithm === undefined) return `"${bank}" is not a PCR bank; known are sha1, sha256, sha384, sha512, sm3`;
  const indices = new Set<number>();
  for (const part of list.split(',')) {
    const [first = Number.NaN, last = first] = part.split('-').map(Number);
    if (!(first <= last && last < PCR_COUNT)) return `"${part}" is not a PCR or range within 0-${PCR_COUNT - 1}`;
    for (let index = first; index <= last; index++) indices.add(index);
  }
  const resettable = RESETTABLE.filter((index) => indices.has(index));
  if (resettable.length > 0) return `PCR ${resettable.join(' and ')} can be reset by any software and proves nothing`;
  return { hash: algorithm.id, bank, indices: [...indices].sort((a, b) => a - b) };
}
