/** Reads the certificates of a PKCS#7 bundle (`.p7b`), which is SignedData of CMS (RFC 5652 §5). */
import { Buffer } from 'node:buffer';
import { DerReader, TAG } from '../der.ts';
import { MalformedCertificateError } from '../malformed-certificate.ts';
import { type PemLabel, pemLabels, readPem } from './pem.ts';

const SIGNED_DATA = '1.2.840.113549.1.7.2';

/** SIGNED_DATA in DER. It stands a few octets from the start of a bundle. */
const SIGNED_DATA_DER = Buffer.from('06092a864886f70d010702', 'hex');

/** More certificates than any collection of TPM CAs has. */
const MAX_CERTIFICATES = 10_000;

export function looksLikePkcs7(bytes: Uint8Array): boolean {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 32));
  return (bytes[0] === TAG.SEQUENCE && start.includes(SIGNED_DATA_DER)) || armored(bytes) !== undefined;
}

/**
 * Returns the DER of each certificate in the bundle, in order, without parsing it. The bundle is DER or one PEM block.
 * Its signature is not verified: anybody can sign a bundle.
 *
 * @throws {MalformedCertificateError} also for a certificate that is not in the form of X.509
 */
export function readPkcs7(bytes: Uint8Array): readonly Uint8Array[] {
  const label = armored(bytes);
  const outer = new DerReader(label === undefined ? bytes : decodeBlock(bytes, label), 'pkcs7');
  const info = outer.enter(TAG.SEQUENCE, 'contentInfo');
  outer.finish();
  if (info.objectIdentifier('contentType') !== SIGNED_DATA) info.fail('not SignedData');
  const wrapper = info.enter(0xa0, 'content');
  info.finish();
  const signed = wrapper.enter(TAG.SEQUENCE, 'signedData');
  wrapper.finish();
  signed.integer('version');
  signed.take(TAG.SET, 'digestAlgorithms');
  signed.take(TAG.SEQUENCE, 'encapContentInfo');
  const list = signed.takeIf(0xa0, 'certificates')?.enter();
  signed.takeIf(0xa1, 'crls');
  signed.take(TAG.SET, 'signerInfos');
  signed.finish();
  const certificates: Uint8Array[] = [];
  while (list?.atEnd === false) {
    if (certificates.length === MAX_CERTIFICATES) list.fail(`more than ${MAX_CERTIFICATES} certificates`);
    certificates.push(list.take(TAG.SEQUENCE, `[${certificates.length}]`).der);
  }
  return certificates;
}

/** The label of a PEM bundle. Undefined if the bytes are not one. */
function armored(bytes: Uint8Array): PemLabel | undefined {
  return pemLabels(bytes).find((label) => label === 'PKCS7' || label === 'CMS') as PemLabel | undefined;
}

function decodeBlock(bytes: Uint8Array, label: PemLabel): Uint8Array {
  const [block, second] = readPem(bytes, label);
  if (block === undefined || second !== undefined)
    throw new MalformedCertificateError('pkcs7', 0, 'more than one block');
  return block.der;
}
