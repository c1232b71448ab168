/** Reads the quote and the signature from the files of `tpm2_quote -m` and `-s`. Pure. */
import { DerReader, TAG } from '../x509/der.ts';
import { MalformedCertificateError } from '../x509/malformed-certificate.ts';

/** A signature written with `-f plain`: the numbers alone. They do not tell the scheme and the hash. */
export type PlainSignature =
  | { readonly plain: 'ecdsa'; readonly signatureR: Uint8Array; readonly signatureS: Uint8Array }
  | { readonly plain: 'rsa'; readonly sig: Uint8Array };

/** Sizes of RSA keys in TPMs. A TPMT_SIGNATURE with RSA is six bytes longer; one with ECDSA never has these sizes. */
const RSA_BYTES: readonly number[] = [128, 256, 384, 512];

/** The TPMS_ATTEST in the file; a size in front of it (TPM2B_ATTEST) is removed. */
export function readToolsMessage(bytes: Uint8Array): Uint8Array {
  const sized = bytes.length >= 2 && (((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)) === bytes.length - 2;
  // A TPMS_ATTEST begins with ff544347. Read as a size, ff54 is longer than any quote.
  return sized ? bytes.slice(2) : bytes;
}

/**
 * The numbers of a `-f plain` signature; otherwise the bytes unchanged, which should be a TPMT_SIGNATURE (`-f tss`).
 */
export function readToolsSignature(bytes: Uint8Array): Uint8Array | PlainSignature {
  if (RSA_BYTES.includes(bytes.length)) return { plain: 'rsa', sig: bytes };
  // A TPMT_SIGNATURE begins with 00.
  return bytes[0] === TAG.SEQUENCE ? (readEcdsa(bytes) ?? bytes) : bytes;
}

/** Reads an ECDSA-Sig-Value (RFC 3279 2.2.3); undefined when the bytes are none. */
function readEcdsa(bytes: Uint8Array): PlainSignature | undefined {
  try {
    const outer = new DerReader(bytes, 'signature');
    const numbers = outer.enter(TAG.SEQUENCE, 'ECDSA-Sig-Value');
    outer.finish();
    const [signatureR, signatureS] = [unsigned(numbers, 'r'), unsigned(numbers, 's')];
    numbers.finish();
    return { plain: 'ecdsa', signatureR, signatureS };
  } catch (error) {
    if (error instanceof MalformedCertificateError) return undefined;
    throw error;
  }
}

function unsigned(reader: DerReader, field: string): Uint8Array {
  const content = reader.integer(field);
  if ((content[0] ?? 0) >= 0x80) reader.fail('a negative number');
  return content[0] === 0 ? content.slice(1) : content.slice();
}
