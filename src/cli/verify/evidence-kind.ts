/** What is given by mistake as an evidence file, and the option that takes it. */
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
 * A sentence that names a file of another kind. Undefined for all that the node could have made of evidence: what is
 * empty, too long, of random bytes, or text of any kind but PEM.
 */
export function strangerInsteadOfEvidence(file: Uint8Array): string | undefined {
  const bytes = unmarked(file);
  // A node writes JSON. The verdict says what is wrong with it.
  if (/^\s*\{/.test(Buffer.from(bytes.subarray(0, 64)).toString('latin1'))) return undefined;
  const kind = strangerKind(readToolsMessage(bytes), 'evidence');
  if (kind !== undefined) return kindSentence(kind);
  const row = QUOTE_FILES.find(({ is }) => is(bytes));
  return (
    row && `it is ${row.what} of tpm2_quote. Give it as --${row.option}, with the other files of tpm2_quote and --nonce`
  );
}
