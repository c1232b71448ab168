/** Normalizes text files: editors write a byte order mark, and PowerShell's `>` writes UTF-16. */
import { Buffer } from 'node:buffer';

/** Bytes without a mark count as UTF-16 if this many code units are ASCII. */
const LOOKED_AT = 16;

/**
 * Removes a byte order mark, and converts UTF-16 to UTF-8. Returns all other bytes unchanged: DER and the structures of
 * a TPM never begin like such text.
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

/** Returns the bytes unchanged if they are not UTF-16 text, such as an NV index full of 0xFF. */
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
