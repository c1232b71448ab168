/** gRPC status codes, and the errors that become the status of a failed call. */

/** The status codes of gRPC. */
export const STATUS = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

export type StatusCode = (typeof STATUS)[keyof typeof STATUS];

/**
 * The failure of a call, as its caller sees it. In an attestation, code and message reach the remote, unauthenticated
 * agent: the message must hold no secrets, paths or policy. The `cause` is only logged.
 */
export class StatusError extends Error {
  override readonly name: string = 'StatusError';
  readonly code: StatusCode;

  constructor(code: StatusCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** All that a peer learns of an attestation it caused to fail, besides the status code and the attestation's id. */
export const PEER_SENTENCE = {
  server: 'attestation refused; the reasons are in the log of the SPIRE server',
  agent: 'attestation failed; the reasons are in the log of the SPIRE agent',
} as const;

/** The peer caused one attestation to fail. The peer gets {@link PEER_SENTENCE}; the reason goes to the log. */
export class PeerError extends StatusError {
  override readonly name: string = 'PeerError';
  readonly reason: string;

  constructor(code: StatusCode, reason: string) {
    super(code, 'attestation failed');
    this.reason = reason;
  }
}

const MAX_MESSAGE_CHARS = 2048;

/** The status sent on the wire. A failed call never answers OK or UNKNOWN. UTF-8 cannot encode lone surrogates. */
export function wireStatus(error: StatusError): { readonly code: StatusCode; readonly details: string } {
  return {
    code: error.code === STATUS.OK || error.code === STATUS.UNKNOWN ? STATUS.INTERNAL : error.code,
    details: error.message.slice(0, MAX_MESSAGE_CHARS).replace(/[\p{Cc}\p{Cs}]/gu, ' '),
  };
}
