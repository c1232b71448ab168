/** Reads PEM (RFC 7468) of certificates, revocation lists and keys. */
import { Buffer } from 'node:buffer';
import { fromBase64 } from '../../bytes/base64.ts';
import { concat } from '../../bytes/bytes.ts';
import { finished, type Pausable } from '../../bytes/pausable.ts';
import { MAX_CERTIFICATE_BYTES } from '../certificate.ts';
import { MAX_CRL_BYTES } from '../crl/crl.ts';
import { MalformedCertificateError } from '../malformed-certificate.ts';

/** Lines read between two pauses. */
const LINES_PER_STEP = 256;
/** Lines decoded between two pauses. */
const LINES_PER_DECODING = 8192;

/** The labels of supported blocks (RFC 7468 §5 to §9 and §13; RSA PUBLIC KEY is from PKCS#1). */
export type PemLabel = 'CERTIFICATE' | 'X509 CRL' | 'PKCS7' | 'CMS' | 'PUBLIC KEY' | 'RSA PUBLIC KEY';

/** The same limit as for a file of CA certificates. */
const MAX_BUNDLE_BYTES = 16 * 1024 * 1024;

const MAX_BYTES: Readonly<Record<PemLabel, number>> = {
  CERTIFICATE: MAX_CERTIFICATE_BYTES,
  'X509 CRL': MAX_CRL_BYTES,
  PKCS7: MAX_BUNDLE_BYTES,
  CMS: MAX_BUNDLE_BYTES,
  'PUBLIC KEY': MAX_CERTIFICATE_BYTES,
  'RSA PUBLIC KEY': MAX_CERTIFICATE_BYTES,
};

const BEGIN = '-----BEGIN ';
const LINE_FEED = 0x0a;
/** Longer than every label of RFC 7468. */
const MAX_LABEL_CHARS = 64;

/**
 * Whether the bytes are text with PEM in it. DER never counts as PEM, even if PEM text is inside it or follows it:
 * other programs show the DER certificate of such a file, so this one must not use another.
 */
export function looksLikePem(bytes: Uint8Array): boolean {
  const [first, second = 0] = bytes;
  // A SEQUENCE with a length of several octets. In UTF-8, such an octet never follows an ASCII character.
  if (first === 0x30 && second >= 0x80 && second <= 0x84) return false;
  return beginOf(view(bytes), 0) >= 0;
}

/** The offset of the next BEGIN at the start of a line. Negative if there is none. */
function beginOf(octets: Buffer, from: number): number {
  let at = octets.indexOf(BEGIN, from);
  while (at > 0 && octets[at - 1] !== LINE_FEED) at = octets.indexOf(BEGIN, at + BEGIN.length);
  return at;
}

/** The labels in a text, each once, in order. Empty if it has no PEM. */
export function pemLabels(bytes: Uint8Array): readonly string[] {
  if (!looksLikePem(bytes)) return [];
  const labels = new Set<string>();
  const octets = view(bytes);
  for (let at = beginOf(octets, 0); at >= 0; at = beginOf(octets, at + BEGIN.length)) {
    const line = octets.toString('latin1', at + BEGIN.length, at + BEGIN.length + MAX_LABEL_CHARS);
    const [, label] = /^([\x20-\x7e]*?)-----/.exec(line) ?? [];
    if (label !== undefined) labels.add(label);
  }
  return [...labels];
}

/** One block of a PEM text. */
export interface PemBlock {
  readonly label: PemLabel;
  readonly der: Uint8Array;
  /** The number of its first line, counted from 1. */
  readonly line: number;
}

/**
 * Reads all blocks of a text; other text may stand between them. It refuses a block with any other label: the operator
 * should learn of a private key in a folder of CA certificates.
 *
 * @throws {MalformedCertificateError} with the offset in characters
 */
export function readPem(
  bytes: Uint8Array,
  first: PemLabel = 'CERTIFICATE',
  ...others: readonly PemLabel[]
): readonly PemBlock[] {
  return finished(pemBlocks(bytes, first, ...others));
}

/** @throws as `readPem` */
export function* pemBlocks(
  bytes: Uint8Array,
  first: PemLabel,
  ...others: readonly PemLabel[]
): Pausable<readonly PemBlock[]> {
  const begins = new Map([first, ...others].map((label) => [`${BEGIN}${label}-----`, label]));
  const text = view(bytes).toString('latin1');
  const blocks: PemBlock[] = [];
  let open: { label: PemLabel; line: number; offset: number; lines: string[]; characters: number } | undefined;
  let line = 0;
  for (let offset = 0, next = 0; offset <= text.length; offset = next) {
    const lineEnd = text.indexOf('\n', offset);
    next = lineEnd < 0 ? text.length + 1 : lineEnd + 1;
    const raw = text.slice(offset, next - 1);
    line++;
    if (line % LINES_PER_STEP === 0) yield;
    const fail = (reason: string): never => {
      throw new MalformedCertificateError(`pem.line[${line}]`, offset, reason);
    };
    const content = raw.trimEnd();
    if (content.startsWith('-----')) {
      if (open === undefined) {
        const label = begins.get(content);
        if (label === undefined) fail(`expected "${[...begins.keys()].join('" or "')}", found "${shown(content)}"`);
        else open = { label, line, offset, lines: [], characters: 0 };
      } else {
        const end = `-----END ${open.label}-----`;
        if (content !== end) fail(`expected "${end}", found "${shown(content)}"`);
        const der = (yield* octetsOf(open.lines)) ?? fail('a block that is not base64');
        blocks.push({ label: open.label, der, line: open.line });
        open = undefined;
      }
    } else if (open !== undefined) {
      const base64 = content.trimStart();
      open.lines.push(base64);
      open.characters += base64.length;
      // Twice the size leaves room for base64 and for any line length.
      if (open.characters > MAX_BYTES[open.label] * 2) fail(`a block longer than any ${open.label}`);
    }
  }
  if (open !== undefined)
    throw new MalformedCertificateError(`pem.line[${open.line}]`, open.offset, 'a block without END line');
  return blocks;
}

/** Decodes all lines together, with pauses: a revocation list may have 250,000 lines. */
function* octetsOf(lines: readonly string[]): Pausable<Uint8Array | undefined> {
  const parts: Uint8Array[] = [];
  let rest = '';
  for (let first = 0; first < lines.length; first += LINES_PER_DECODING) {
    const text = rest + lines.slice(first, first + LINES_PER_DECODING).join('');
    const isLast = first + LINES_PER_DECODING >= lines.length;
    const whole = isLast ? text : text.slice(0, text.length - (text.length % 4));
    rest = text.slice(whole.length);
    const octets = base64Octets(whole);
    // Padding is allowed only at the end of the text.
    if (octets === undefined || (!isLast && whole.endsWith('='))) return undefined;
    parts.push(octets);
    if (!isLast) yield;
  }
  return parts.length < 2 ? parts[0] : concat(...parts);
}

/** Decodes base64 without white space. Undefined if the text is empty or not base64. */
export function base64Octets(text: string): Uint8Array | undefined {
  return text === '' ? undefined : fromBase64(text);
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function shown(line: string): string {
  return line.slice(0, 64).replace(/[^\x20-\x7e]/g, '?');
}
