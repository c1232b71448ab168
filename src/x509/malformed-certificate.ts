/**
 * The parser rejected the bytes: broken DER, a structure that RFC 5280 does not allow, or more content than any real
 * certificate holds. A well-formed certificate that is not trusted never causes this error.
 */
export class MalformedCertificateError extends Error {
  readonly code = 'ERR_MALFORMED_CERTIFICATE';
  /** The field in which parsing stopped, outermost first: `certificate.tbsCertificate.validity`. */
  readonly path: string;
  /** Where parsing stopped, in bytes (PEM: characters) from the start of its input. */
  readonly offset: number;

  constructor(path: string, offset: number, reason: string, options?: ErrorOptions) {
    super(`${path}: ${reason} (at offset ${offset})`, options);
    this.name = 'MalformedCertificateError';
    this.path = path;
    this.offset = offset;
  }
}
