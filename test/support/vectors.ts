import { readFileSync } from 'node:fs';
import { fromHex } from '../../src/bytes/bytes.ts';

/** A committed file of test/vectors. */
export function readVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8'));
}

/** Bytes of hexadecimal text; spaces and line ends are for the reader. */
export function unhex(text: string): Uint8Array {
  const bytes = fromHex(text.replace(/\s+/g, ''));
  if (bytes === undefined) throw new Error(`not hexadecimal: ${text.slice(0, 32)}`);
  return bytes;
}

/** What scripts/swtpm/record-vectors wrote. */
export interface SwtpmQuote {
  readonly name: string;
  /** TPMT_PUBLIC; all values but `name`, `parent` and `selection` are hexadecimal. */
  readonly akPublic: string;
  readonly akName: string;
  readonly parent: 'endorsement hierarchy' | 'endorsement key';
  readonly ekName?: string;
  /** In the words of tpm2_quote. */
  readonly selection: string;
  readonly nonce: string;
  readonly quoted: string;
  readonly signature: string;
  /** Concatenated. */
  readonly pcrValues: string;
}

export interface SwtpmAttestations {
  readonly source: string;
  readonly quotes: readonly SwtpmQuote[];
  readonly attestations: {
    readonly key: { readonly akPublic: string; readonly akName: string };
    readonly signed: readonly { readonly type: string; readonly attested: string; readonly signature: string }[];
    /** TPM2B_CREATION_DATA and the TPMT_PUBLIC of what was created. */
    readonly creation: { readonly data: string; readonly public: string };
    readonly nv: { readonly index: string; readonly dataBytes: number; readonly name: string };
  };
}

export const swtpmAttestations: SwtpmAttestations = readVectors('swtpm-attestations.json');
