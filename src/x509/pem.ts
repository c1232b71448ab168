import { Buffer } from 'node:buffer';
import { MAX_CERTIFICATE_BYTES } from './certificate.ts';
import { MAX_CRL_BYTES } from './crl.ts';
import { MalformedCertificateError } from './malformed-certificate.ts';

/** Of the blocks that are read (RFC 7468 §5 and §6). */
export type PemLabel = 'CERTIFICATE' | 'X509 CRL';

const MAX_BYTES: Readonly<Record<PemLabel, number>> = { CERTIFICATE: MAX_CERTIFICATE_BYTES, 'X509 CRL': MAX_CRL_BYTES };

/**
 * Whether the bytes are text with PEM in it. DER is none, whatever it holds or has behind it: who looks at such a file with
 * another program is shown the certificate that it begins with, and must not be given another.
 */
export function looksLikePem(bytes: Uint8Array): boolean {
  const [first, second = 0] = bytes;
  // A SEQUENCE with a length of several octets; in no text does such an octet follow an ASCII character.
  if (first === 0x30 && second >= 0x80 && second <= 0x84) return false;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes('-----BEGIN ');
}

/** One block of a PEM text. */
export interface PemBlock {
  readonly der: Uint8Array;
  /** Of its first line, counted from 1. */
  readonly line: number;
}

/**
 * Reads a text of blocks with one label (RFC 7468), explanations between them allowed. A block with another label is
 * refused: a private key in a folder of CA certificates is a mistake that somebody should hear of.
 *
 * @throws {MalformedCertificateError} with the offset in characters.
 */
export function readPem(bytes: Uint8Array, label: PemLabel = 'CERTIFICATE'): readonly PemBlock[] {
  const begin = `-----BEGIN ${label}-----`;
  const end = `-----END ${label}-----`;
  // Base64 of the largest, with as many line ends as characters to a line allow.
  const maxCharacters = MAX_BYTES[label] * 2;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const blocks: PemBlock[] = [];
  let open: { line: number; offset: number; base64: string } | undefined;
  let offset = 0;
  let line = 0;
  for (const raw of text.split('\n')) {
    line++;
    const fail = (reason: string): never => {
      throw new MalformedCertificateError(`pem.line[${line}]`, offset, reason);
    };
    const content = raw.trimEnd();
    if (content.startsWith('-----')) {
      const expected = open === undefined ? begin : end;
      if (content !== expected) fail(`expected "${expected}", found "${boundaryText(content)}"`);
      if (open === undefined) open = { line, offset, base64: '' };
      else {
        blocks.push({ der: base64Octets(open.base64) ?? fail('a block that is not base64'), line: open.line });
        open = undefined;
      }
    } else if (open !== undefined) {
      open.base64 += content.trimStart();
      if (open.base64.length > maxCharacters) fail(`a block longer than any ${label}`);
    }
    offset += raw.length + 1;
  }
  if (open !== undefined) throw new MalformedCertificateError(`pem.line[${open.line}]`, open.offset, 'is not ended');
  return blocks;
}

/** The octets of a block's text without its white space; undefined where that is not base64. */
export function base64Octets(text: string): Uint8Array | undefined {
  const der = Buffer.from(text, 'base64');
  // Node skips over what is not base64; writing it back shows whether there was any.
  if (text === '' || der.toString('base64') !== text) return undefined;
  return new Uint8Array(der.buffer, der.byteOffset, der.byteLength);
}

function boundaryText(line: string): string {
  return line.slice(0, 64).replace(/[^\x20-\x7e]/g, '?');
}
