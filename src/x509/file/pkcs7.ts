/** Certificates in a PKCS#7 bundle (`.p7b`): SignedData of CMS (RFC 5652 §5), read for its certificates alone. */
import { Buffer } from 'node:buffer';
import { DerReader, TAG } from '../der.ts';
import { MalformedCertificateError } from '../malformed-certificate.ts';
import { type PemLabel, pemLabels, readPem } from './pem.ts';

const SIGNED_DATA = '1.2.840.113549.1.7.2';

/** The object identifier above as it stands in DER, a few octets from the start. */
const SIGNED_DATA_DER = Buffer.from('06092a864886f70d010702', 'hex');

/** More than any collection of TPM CAs has. */
const MAX_CERTIFICATES = 10_000;

export function looksLikePkcs7(bytes: Uint8Array): boolean {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 32));
  return (bytes[0] === TAG.SEQUENCE && start.includes(SIGNED_DATA_DER)) || armored(bytes) !== undefined;
}

/**
 * The certificates' own bytes, in the order found, unread; DER or one PEM block. Nothing is verified: a signature over
 * such a bundle would be of whoever made it.
 *
 * @throws {MalformedCertificateError} also for a form of certificate that is not X.509's.
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

/** Undefined for what is no PEM of this kind. */
function armored(bytes: Uint8Array): PemLabel | undefined {
  return pemLabels(bytes).find((label) => label === 'PKCS7' || label === 'CMS') as PemLabel | undefined;
}

function decodeBlock(bytes: Uint8Array, label: PemLabel): Uint8Array {
  const [block, second] = readPem(bytes, label);
  if (block === undefined || second !== undefined)
    throw new MalformedCertificateError('pkcs7', 0, 'more blocks than one');
  return block.der;
}
