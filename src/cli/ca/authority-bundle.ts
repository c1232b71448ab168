/**
 * Reads CA certificates from a file in more formats than the server accepts: also PKCS#7, and base64 without PEM lines.
 */
import { octetsOfBase64File } from '../../x509/file/key-file.ts';
import { looksLikePkcs7, readPkcs7 } from '../../x509/file/pkcs7.ts';
import { type TrustStore, trustStoreFrom } from '../../x509/file/trust-store.ts';
import { MalformedCertificateError } from '../../x509/malformed-certificate.ts';

/** @param bytes without a byte order mark */
export function readAuthorityBundle(name: string, bytes: Uint8Array): TrustStore {
  const octets = octetsOfBase64File(bytes) ?? bytes;
  if (!looksLikePkcs7(octets)) return trustStoreFrom([{ name, bytes: octets }]);
  try {
    return trustStoreFrom(readPkcs7(octets).map((der, i) => ({ name: `${name}:[${i}]`, bytes: der })));
  } catch (error) {
    if (!(error instanceof MalformedCertificateError)) throw error;
    const { anchors } = trustStoreFrom([]);
    return { anchors, problems: [{ name, message: error.message }] };
  }
}
