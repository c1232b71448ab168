/** Certificates in a PKCS#7 bundle (`.p7b`): SignedData of CMS (RFC 5652 §5), read for its certificates alone. */
import { Buffer } from 'node:buffer';
import { DerReader, TAG } from './der.ts';
import { MalformedCertificateError } from './malformed-certificate.ts';
import { base64Octets, looksLikePem } from './pem.ts';

const SIGNED_DATA = '1.2.840.113549.1.7.2';

/** The object identifier above as it stands in DER, a few octets from the start. */
const SIGNED_DATA_DER = Buffer.from('06092a864886f70d010702', 'hex');

const BEGIN = '-----BEGIN PKCS7-----';
const END = '-----END PKCS7-----';

/** More than any collection of TPM CAs has. */
const MAX_CERTIFICATES = 10_000;

export function looksLikePkcs7(bytes: Uint8Array): boolean {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 64));
  return (bytes[0] === TAG.SEQUENCE && start.subarray(0, 32).includes(SIGNED_DATA_DER)) || pemText(bytes) !== undefined;
}

/**
 * The certificates' own bytes, in the order found, unread; DER or one PEM block. Nothing is verified: a signature over
 * such a bundle would be of whoever made it.
 *
 * @throws {MalformedCertificateError} also for a form of certificate that is not X.509's.
 */
export function readPkcs7(bytes: Uint8Array): readonly Uint8Array[] {
  const text = pemText(bytes);
  const outer = new DerReader(text === undefined ? bytes : decodeBlock(text), 'pkcs7');
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
function pemText(bytes: Uint8Array): string | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return looksLikePem(bytes) && buffer.includes(BEGIN) ? buffer.toString('latin1') : undefined;
}

function decodeBlock(text: string): Uint8Array {
  const start = text.indexOf(BEGIN);
  const end = text.indexOf(END, start);
  const fail = (reason: string): never => {
    throw new MalformedCertificateError('pkcs7', start, reason);
  };
  if (end < 0) fail('is not ended');
  if (text.includes('-----BEGIN ', end)) fail('more blocks than one');
  const base64 = text.slice(start + BEGIN.length, end).replace(/\s+/g, '');
  return base64Octets(base64) ?? fail('a block that is not base64');
}
