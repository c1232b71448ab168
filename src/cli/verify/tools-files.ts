/** Reads the files of `tpm2_quote`, and recognizes other files that the user gave by mistake. */

import { MalformedError } from '../../bytes/malformed.ts';
import { readToolsSignature } from '../../evidence/tools-quote.ts';
import { decode } from '../../tpm/structures/codec.ts';
import { TPM_GENERATED } from '../../tpm/structures/constants.ts';
import { tpmtSignature } from '../../tpm/structures/signature.ts';
import { MAX_QUOTE_FILE_BYTES } from '../../verifier/tools-judgement.ts';
import { UsageError } from '../terminal/failure.ts';
import { nameOf, readBeginning } from '../terminal/files.ts';

export type QuoteFile = 'message' | 'signature' | 'pcr-values';

const WRITTEN_BY: Readonly<Record<QuoteFile, string>> = {
  message: 'tpm2_quote -m FILE',
  signature: 'tpm2_quote -s FILE, with -f tss or -f plain',
  'pcr-values': 'tpm2_quote -o FILE, with -F serialized, values or marshaled',
};

/**
 * Reads a file that the node wrote, up to one byte more than {@link MAX_QUOTE_FILE_BYTES}. Its contents are evidence,
 * and are judged in any case. Only a file of a known other kind counts as a mistake of the user.
 *
 * @throws UsageError if the file cannot be read, or is of a known other kind
 */
export function readQuoteFile(path: string, option: QuoteFile): Uint8Array {
  const bytes = readBeginning(path, MAX_QUOTE_FILE_BYTES + 1);
  const other = textKind(bytes) ?? binaryKind(bytes, option);
  if (other === undefined) return bytes;
  throw new UsageError(`--${option}: ${nameOf(path)} is ${other}; give the file of ${WRITTEN_BY[option]}`);
}

/** The beginnings of text files that are often in the same folder as the files of a quote. */
const TEXTS: readonly (readonly [RegExp, string])[] = [
  [/^-----BEGIN [A-Z0-9 ]+-----/, 'PEM'],
  [/^[{[]/, 'JSON'],
  [/^<[!?a-z]/i, 'HTML or XML'],
  [/^[a-z][\w -]*:(\s|$)/i, 'YAML, as tpm2-tools print it'],
];

function textKind(bytes: Uint8Array): string | undefined {
  const text = utf8(bytes)?.trimStart();
  return text === undefined ? undefined : TEXTS.find(([begins]) => begins.test(text))?.[1];
}

/** The bytes as text. Undefined if they are not UTF-8, or have control characters. */
function utf8(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return /[^\P{Cc}\t\r\n]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

const SAVED_CONTEXT = 0xbadcc0de;

function binaryKind(bytes: Uint8Array, option: QuoteFile): string | undefined {
  const first = bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  if (first === SAVED_CONTEXT) return 'a saved context of tpm2-tools';
  if (option !== 'message') return first === TPM_GENERATED ? 'the quote itself' : undefined;
  return isSignature(bytes) ? 'a signature' : undefined;
}

export function isSignature(bytes: Uint8Array): boolean {
  if (bytes[0] === 0x30) return !(readToolsSignature(bytes) instanceof Uint8Array);
  try {
    return decode(tpmtSignature, bytes).sigAlg !== 'null';
  } catch (error) {
    if (error instanceof MalformedError) return false;
    throw error;
  }
}
