/**
 * Bytes that are not a certificate this package reads: broken DER, a structure RFC 5280 does not allow, or more
 * of it than any real certificate holds. Whether a readable certificate is to be trusted is never said this way.
 */
export class MalformedCertificateError extends Error {
  readonly code = 'ERR_MALFORMED_CERTIFICATE';
  /** Field in which reading stopped, outermost first: `certificate.tbsCertificate.validity`. */
  readonly path: string;
  /** Where it stopped, in bytes (PEM: characters) from the start of the input that was being read. */
  readonly offset: number;

  constructor(path: string, offset: number, reason: string, options?: ErrorOptions) {
    super(`${path}: ${reason} (at offset ${offset})`, options);
    this.name = 'MalformedCertificateError';
    this.path = path;
    this.offset = offset;
  }
}
