/** Text files as editors and shells write them: with a byte order mark, or in UTF-16 as PowerShell's `>` does. */
import { Buffer } from 'node:buffer';

/** Code units that must all be ASCII before bytes without a mark are taken for UTF-16. */
const LOOKED_AT = 16;

/**
 * The file without its byte order mark, and in UTF-8 where it is UTF-16. Anything else is returned as it is: DER, and what
 * a TPM writes, begin like none of these.
 */
export function unmarked(bytes: Uint8Array): Uint8Array {
  const [first, second, third] = bytes;
  if (first === 0xef && second === 0xbb && third === 0xbf) return bytes.subarray(3);
  if (first === 0xff && second === 0xfe) return fromUtf16(bytes.subarray(2), 'little');
  if (first === 0xfe && second === 0xff) return fromUtf16(bytes.subarray(2), 'big');
  if (first === 0 ? second !== 0 && isAsciiUtf16(bytes, 'big') : second === 0 && isAsciiUtf16(bytes, 'little'))
    return fromUtf16(bytes, first === 0 ? 'big' : 'little');
  return bytes;
}

type ByteOrder = 'little' | 'big';

/** What is no text in UTF-16 either, such as an index full of 0xFF, stays as it is. */
function fromUtf16(bytes: Uint8Array, order: ByteOrder): Uint8Array {
  if (!isAsciiUtf16(bytes, order)) return bytes;
  const units = Buffer.from(bytes.subarray(0, bytes.length & ~1));
  const text = (order === 'big' ? units.swap16() : units).toString('utf16le');
  return Uint8Array.from(Buffer.from(text, 'utf8'));
}

function isAsciiUtf16(bytes: Uint8Array, order: ByteOrder): boolean {
  const end = Math.min(bytes.length & ~1, 2 * LOOKED_AT);
  for (let i = 0; i < end; i += 2) {
    const [low = 0, high = 0] = order === 'little' ? [bytes[i], bytes[i + 1]] : [bytes[i + 1], bytes[i]];
    if (high !== 0 || !isTextOctet(low)) return false;
  }
  return end > 0;
}

/** Printable ASCII, tab, line feed or carriage return. */
export function isTextOctet(octet: number): boolean {
  return (octet >= 0x20 && octet < 0x7f) || octet === 0x09 || octet === 0x0a || octet === 0x0d;
}
