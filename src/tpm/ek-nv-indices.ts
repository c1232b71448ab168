/** The NV indices reserved for endorsement keys (EK Credential Profile 2.6, 2.2.1.5 and 2.2.2.4). Pure. */

interface IndexRange {
  readonly first: number;
  readonly last: number;
}

export const EK_INDICES: IndexRange = { first: 0x01c00000, last: 0x01c07fff };

/** The certificate chain: one blob, spread over as many of these indices as it needs (2.2.1.5.2). */
export const EK_CHAIN_INDICES: IndexRange = { first: 0x01c00100, last: 0x01c001ff };

/** The index of the EK certificate for each template. */
export const EK_CERTIFICATE_INDEX = {
  'L-1': 0x01c00002,
  'L-2': 0x01c0000a,
  'H-1': 0x01c00012,
  'H-2': 0x01c00014,
  'H-3': 0x01c00016,
  'H-4': 0x01c00018,
  'H-5': 0x01c0001a,
  'H-6': 0x01c0001c,
  'H-7': 0x01c0001e,
} as const;

/** The indices of the EK policies that H templates use, and the hash algorithm of each. */
export const EK_POLICY_INDICES: ReadonlyMap<number, string> = new Map([
  [0x01c07f01, 'SHA-256'],
  [0x01c07f02, 'SHA-384'],
  [0x01c07f03, 'SHA-512'],
  [0x01c07f04, 'SM3-256'],
]);

export function isChainIndex(index: number): boolean {
  return index >= EK_CHAIN_INDICES.first && index <= EK_CHAIN_INDICES.last;
}
