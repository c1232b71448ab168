/** Reads the committed files of test/vectors. */
import { readFileSync } from 'node:fs';
import { fromHex } from '../../src/bytes/bytes.ts';

export function readVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8'));
}

/** The bytes of hexadecimal text. White space is ignored. */
export function unhex(text: string): Uint8Array {
  const bytes = fromHex(text.replace(/\s+/g, ''));
  if (bytes === undefined) throw new Error(`not hexadecimal: ${text.slice(0, 32)}`);
  return bytes;
}

/** A quote from scripts/swtpm/record-vectors. */
export interface SwtpmQuote {
  readonly name: string;
  /** TPMT_PUBLIC. All values except `name`, `parent` and `selection` are hexadecimal. */
  readonly akPublic: string;
  readonly akName: string;
  readonly parent: 'endorsement hierarchy' | 'endorsement key';
  readonly ekName?: string;
  /** In the syntax of tpm2_quote. */
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
    /** TPM2B_CREATION_DATA, and the TPMT_PUBLIC of the created key. */
    readonly creation: { readonly data: string; readonly public: string };
    readonly nv: { readonly index: string; readonly dataBytes: number; readonly name: string };
  };
}

export const swtpmAttestations: SwtpmAttestations = readVectors('swtpm-attestations.json');
