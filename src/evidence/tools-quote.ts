/** Quote and signature in the files of `tpm2_quote -m` and `-s`. Pure. */
import { DerReader, TAG } from '../x509/der.ts';
import { MalformedCertificateError } from '../x509/malformed-certificate.ts';

/** A signature of `-f plain`: numbers alone, which do not say with which scheme and hash they were made. */
export type PlainSignature =
  | { readonly plain: 'ecdsa'; readonly signatureR: Uint8Array; readonly signatureS: Uint8Array }
  | { readonly plain: 'rsa'; readonly sig: Uint8Array };

/** Sizes of RSA keys that TPMs have. A TPMT_SIGNATURE is six bytes longer, one over ECDSA never as long. */
const RSA_BYTES: readonly number[] = [128, 256, 384, 512];

/** TPMS_ATTEST, also where its size stands before it (TPM2B_ATTEST). */
export function readToolsMessage(bytes: Uint8Array): Uint8Array {
  const sized = bytes.length >= 2 && (((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)) === bytes.length - 2;
  // What a TPM signs begins with ff544347, and no quote is as long as ff54 would say.
  return sized ? bytes.slice(2) : bytes;
}

/** The numbers of a signature of `-f plain`; else the bytes, which should be a TPMT_SIGNATURE (`-f tss`). */
export function readToolsSignature(bytes: Uint8Array): Uint8Array | PlainSignature {
  if (RSA_BYTES.includes(bytes.length)) return { plain: 'rsa', sig: bytes };
  // A TPMT_SIGNATURE begins with 00.
  return bytes[0] === TAG.SEQUENCE ? (readEcdsa(bytes) ?? bytes) : bytes;
}

/** ECDSA-Sig-Value (RFC 3279 2.2.3). */
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
