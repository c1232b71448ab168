/** An entry of PK, KEK, db or dbx, and what verified an image, in a form to compare. */
import { createHash } from 'node:crypto';
import { hex } from '../../bytes/bytes.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import { MalformedCertificateError } from '../../x509/malformed-certificate.ts';
import { formatName } from '../../x509/name.ts';
import type { SignatureEntry } from '../tcg/signature-list.ts';

/** `value` is the SHA-256 of a certificate (type `x509`), or the bytes of any other entry. */
export interface Signature {
  /** `x509`, `sha256`, …; the GUID of a type that is not known here. */
  readonly type: string;
  /** GUID; undefined where shim measured a certificate without one. */
  readonly owner: string | undefined;
  /** Lower-case hexadecimal. */
  readonly value: string;
  /** Of a certificate that can be read. For display: names are not unique. */
  readonly subject: string | undefined;
}

export function signatureOf({ type, owner, data }: SignatureEntry): Signature {
  if (type !== 'x509') return { type, owner, value: hex(data), subject: undefined };
  return certificateSignature(owner, data);
}

export function certificateSignature(owner: string | undefined, der: Uint8Array): Signature {
  const value = createHash('sha256').update(der).digest('hex');
  return { type: 'x509', owner, value, subject: subjectOf(der) };
}

function subjectOf(der: Uint8Array): string | undefined {
  try {
    return formatName(parseCertificate(der).subject);
  } catch (error) {
    if (error instanceof MalformedCertificateError) return undefined;
    throw error;
  }
}
