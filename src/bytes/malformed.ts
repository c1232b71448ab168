/**
 * The bytes are not a valid encoding of the expected structure.
 *
 * `path` names the field (`TPMS_ATTEST.quote.pcrDigest`), `offset` is the byte position in the decoded buffer.
 */
export class MalformedError extends Error {
  override readonly name: string = 'MalformedError';
  readonly code: 'ERR_MALFORMED' = 'ERR_MALFORMED' as const;
  readonly path: string;
  readonly offset: number;
  readonly reason: string;

  constructor(path: string, offset: number, reason: string) {
    super(`${path} at byte ${offset}: ${reason}`);
    this.path = path;
    this.offset = offset;
    this.reason = reason;
  }
}

/** The structure names an algorithm of the specification that this product does not read. */
export class UnsupportedError extends MalformedError {
  override readonly name: string = 'UnsupportedError';
  /** `TPM_ALG_EDDSA` */
  readonly algorithm: string;

  constructor(path: string, offset: number, algorithm: string) {
    super(path, offset, `${algorithm} is not supported`);
    this.algorithm = algorithm;
  }
}
