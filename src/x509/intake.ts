/** Extracts certificates from the contents of NV indices, without the headers and padding that TPM makers add. */
import { MAX_CERTIFICATE_BYTES } from './certificate.ts';
import { DerReader, TAG } from './der.ts';
import { MalformedCertificateError } from './malformed-certificate.ts';

/** The largest chain accepted from a TPM, in bytes, and the most certificates in it. */
export const MAX_CHAIN_BYTES = 65_536;
export const MAX_CHAIN_CERTIFICATES = 10;

/** TCG_PCCLIENT_STORED_CERT with certType "full". TPM 1.2 tools write this header before a certificate in NV. */
const STORED_CERTIFICATE = [0x10, 0x01, 0x00] as const;
const STORED_HEADER_BYTES = 5;
/** TCG_FULL_CERT, a tag that may follow the header. The length in the header includes it. */
const FULL_CERTIFICATE = [0x10, 0x02] as const;

/** The octets that fill an NV index after its certificate. */
const PADDING_OCTETS: readonly number[] = [0x00, 0x11, 0xff];

/** `PEM`: the index holds PEM text instead of DER. */
export type IntakeOddity = 'PEM' | 'TCG-header' | `${number}-trailing-bytes-${string}`;

/** A certificate extracted from an NV index. */
export interface Intake {
  /** The certificate alone, as a view of the input. Parse, hash and store these bytes. */
  readonly der: Uint8Array;
  readonly oddities: readonly IntakeOddity[];
}

/** The certificates of a chain, in DER. */
export interface ChainIntake {
  readonly certificates: readonly Uint8Array[];
  readonly oddities: readonly IntakeOddity[];
}

/**
 * Extracts the certificate from the contents of an NV index, without TCG header and padding. The padding must be one
 * repeated octet. Other bytes after the certificate are refused, not dropped.
 *
 * @throws {MalformedCertificateError}
 */
export function takeCertificate(bytes: Uint8Array): Intake {
  if (bytes.length > MAX_CERTIFICATE_BYTES) {
    throw new MalformedCertificateError('input', 0, `${bytes.length} bytes, more than ${MAX_CERTIFICATE_BYTES}`);
  }
  const oddities: IntakeOddity[] = [];
  const body = startsWith(bytes, 0, STORED_CERTIFICATE) ? storedCertificate(bytes) : { start: 0, end: bytes.length };
  if (body.start > 0) oddities.push('TCG-header');
  const end = endOfCertificate(bytes, body.start, body.end);
  const padding = readPadding(bytes, end);
  if (padding !== undefined) oddities.push(padding);
  return { der: bytes.subarray(body.start, end), oddities };
}

/**
 * Splits the certificate chain that a TPM stores in the NV indices from 0x01C00100.
 *
 * @param blob the contents of those indices, joined in ascending order. A blob of padding gives an empty chain
 *
 * @throws {MalformedCertificateError}
 */
export function takeChain(blob: Uint8Array): ChainIntake {
  if (blob.length > MAX_CHAIN_BYTES) {
    throw new MalformedCertificateError('chain', 0, `${blob.length} bytes, more than ${MAX_CHAIN_BYTES}`);
  }
  const certificates: Uint8Array[] = [];
  let position = 0;
  while (blob[position] === TAG.SEQUENCE) {
    if (certificates.length === MAX_CHAIN_CERTIFICATES) {
      throw new MalformedCertificateError('chain', position, `more than ${MAX_CHAIN_CERTIFICATES} certificates`);
    }
    const end = endOfCertificate(blob, position, blob.length);
    if (end - position > MAX_CERTIFICATE_BYTES) {
      throw new MalformedCertificateError('chain', position, `a certificate of ${end - position} bytes`);
    }
    certificates.push(blob.subarray(position, end));
    position = end;
  }
  const padding = readPadding(blob, position);
  return { certificates, oddities: padding === undefined ? [] : [padding] };
}

/** The text without the padding of its NV index. */
export function withoutPadding(text: Uint8Array): Uint8Array {
  return text.subarray(0, text.findLastIndex((octet) => !PADDING_OCTETS.includes(octet)) + 1);
}

function storedCertificate(bytes: Uint8Array): { start: number; end: number } {
  const length = (bytes[3] ?? 0) * 256 + (bytes[4] ?? 0);
  const end = STORED_HEADER_BYTES + length;
  if (end > bytes.length) {
    throw new MalformedCertificateError('input.header', 3, `claims ${length} bytes, ${bytes.length - 5} are left`);
  }
  const tagged = startsWith(bytes, STORED_HEADER_BYTES, FULL_CERTIFICATE);
  return { start: STORED_HEADER_BYTES + (tagged ? FULL_CERTIFICATE.length : 0), end };
}

function endOfCertificate(bytes: Uint8Array, start: number, end: number): number {
  const reader = new DerReader(bytes, 'input', start, end);
  return start + reader.take(TAG.SEQUENCE, 'certificate').der.length;
}

function readPadding(bytes: Uint8Array, start: number): IntakeOddity | undefined {
  const fill = bytes[start];
  if (fill === undefined) return undefined;
  const padding = bytes.subarray(start);
  if (!PADDING_OCTETS.includes(fill) || padding.some((octet) => octet !== fill)) {
    throw new MalformedCertificateError('input', start, `${padding.length} bytes after the certificate, not padding`);
  }
  return `${padding.length}-trailing-bytes-${fill.toString(16).padStart(2, '0')}`;
}

function startsWith(bytes: Uint8Array, at: number, prefix: readonly number[]): boolean {
  return prefix.every((octet, i) => bytes[at + i] === octet);
}
