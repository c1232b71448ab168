/** Recognizes files that the user gave as evidence by mistake, and names the right option for them. */
import { looksLikePcrValues } from '../../evidence/tools-pcr-values.ts';
import { readToolsMessage } from '../../evidence/tools-quote.ts';
import { kindSentence, strangerKind } from '../../x509/file/file-kind.ts';
import { unmarked } from '../../x509/file/file-text.ts';
import { isSignature, type QuoteFile } from './tools-files.ts';

interface Row {
  readonly what: string;
  readonly option: QuoteFile;
  readonly is: (bytes: Uint8Array) => boolean;
}

const QUOTE_FILES: readonly Row[] = [
  { what: 'a signature', option: 'signature', is: isSignature },
  { what: 'PCR values', option: 'pcr-values', is: looksLikePcrValues },
];

/**
 * A sentence that names a file of another kind. Undefined for everything that the node could have written as damaged
 * evidence: a file that is empty, too long, random, or text other than PEM.
 */
export function strangerInsteadOfEvidence(file: Uint8Array): string | undefined {
  const bytes = unmarked(file);
  // A node writes JSON, so the verdict must say what is wrong with it.
  if (/^\s*\{/.test(Buffer.from(bytes.subarray(0, 64)).toString('latin1'))) return undefined;
  const kind = strangerKind(readToolsMessage(bytes), 'evidence');
  if (kind !== undefined) return kindSentence(kind);
  const row = QUOTE_FILES.find(({ is }) => is(bytes));
  return (
    row && `it is ${row.what} of tpm2_quote. Give it as --${row.option}, with the other files of tpm2_quote and --nonce`
  );
}
