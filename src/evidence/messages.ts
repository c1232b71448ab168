/**
 * Encodes and decodes the evidence messages, and accepts one encoding of each. Pure.
 *
 * Protocol Buffers allow many encodings of one message, and a reader skips unknown fields. This module accepts a
 * message only in the form that it would write itself. So two readers can never see different messages in the same
 * bytes.
 */
import { equalBytes } from '../bytes/bytes.ts';
import { MalformedError } from '../bytes/malformed.ts';
import * as wire from './gen/tpm_attestor/v1/evidence.ts';
import { FIELD_LIMITS, MESSAGE_BYTES } from './limits.ts';

// Each generated name is a type and a codec; these interfaces are the types alone.

/** The agent's first message. It has the same form in all versions. */
export interface Payload extends wire.Payload {}

/** The server's answer to a payload. */
export interface Challenge extends wire.Challenge {}

/** The agent's answer to a challenge. */
export interface ChallengeResponse extends wire.ChallengeResponse {}

/** The server's question for one piece of a boot log. Since version 2. */
export interface LogRequest extends wire.LogRequest {}

/** The agent's answer to a log request. Since version 2. */
export interface LogPart extends wire.LogPart {}

/** The contents of an evidence file. Without a challenge, the quote's qualifying data is a nonce chosen elsewhere. */
export interface Evidence {
  readonly payload: Payload | undefined;
  readonly challenge: Challenge | undefined;
  readonly response: ChallengeResponse | undefined;
}

/** The versions of the exchange, ascending. Version 2 adds the boot logs. */
export const PROTOCOL_VERSIONS: readonly number[] = [1, 2];
/** The first version with boot logs. */
export const LOGS_VERSION = 2;
/** Bytes of the server's nonce, and of the secret in its credential. */
export const NONCE_BYTES = 32;

interface Message<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

function canonical<T extends object>(name: string, message: Message<T>, bytes: Uint8Array, maxBytes: number): T {
  if (bytes.length > maxBytes) throw new MalformedError(name, maxBytes, `${bytes.length} bytes are over ${maxBytes}`);
  let decoded: T;
  try {
    decoded = message.decode(bytes);
  } catch (cause) {
    const error = new MalformedError(name, 0, 'not a Protocol Buffers message');
    error.cause = cause;
    throw error;
  }
  // tooth A79: fields of any size and number are accepted
  checkLimits(name, decoded);
  // tooth A10, A11, A16, A18, A70, A72, A79: unknown, repeated and disordered fields are accepted
  if (!equalBytes(message.encode(decoded).finish(), bytes))
    throw new MalformedError(name, 0, 'not in its one accepted encoding (an unknown, repeated or disordered field)');
  return decoded;
}

const LIMITED = Object.entries(FIELD_LIMITS).map(([path, { count, bytes }]) => {
  const [owner, field] = path.split('.') as [string, string];
  return { owner, field, path, count, bytes };
});

/** @throws MalformedError for a field beyond its limit */
export function checkLimits(name: string, message: object): void {
  for (const { owner, field, path, count, bytes } of LIMITED) {
    if (owner !== name) continue;
    const value = (message as Readonly<Record<string, unknown>>)[field];
    const isList = Array.isArray(value);
    if (isList && count !== undefined && value.length > count)
      throw new MalformedError(path, 0, `${value.length} elements are over ${count}`);
    if (bytes === undefined) continue;
    for (const element of isList ? (value as unknown[]) : [value]) {
      const length = byteLength(element);
      if (length > bytes) throw new MalformedError(path, 0, `${length} bytes are over ${bytes}`);
    }
  }
}

function byteLength(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  return value instanceof Uint8Array ? value.length : 0;
}

/** @throws MalformedError when the bytes are not a payload in its one accepted encoding, or are over a limit */
export function decodePayload(bytes: Uint8Array): Payload {
  return canonical('Payload', wire.Payload, bytes, MESSAGE_BYTES.payload);
}

/** @throws MalformedError when the bytes are not a challenge in its one accepted encoding, or are over a limit */
export function decodeChallenge(bytes: Uint8Array): Challenge {
  const challenge = canonical('Challenge', wire.Challenge, bytes, MESSAGE_BYTES.challenge);
  if (challenge.version < LOGS_VERSION && challenge.logs.length > 0)
    throw new MalformedError('Challenge.logs', 0, `version ${challenge.version} has no boot logs`);
  return challenge;
}

/** @throws MalformedError when the bytes are not a response in its one accepted encoding, or are over a limit */
export function decodeResponse(bytes: Uint8Array): ChallengeResponse {
  return canonical('ChallengeResponse', wire.ChallengeResponse, bytes, MESSAGE_BYTES.response);
}

/** @throws MalformedError when the bytes are not a log request in its one accepted encoding */
export function decodeLogRequest(bytes: Uint8Array): LogRequest {
  return canonical('LogRequest', wire.LogRequest, bytes, MESSAGE_BYTES.logRequest);
}

/** @throws MalformedError when the bytes are not a part of a log in its one accepted encoding, or are over a limit */
export function decodeLogPart(bytes: Uint8Array): LogPart {
  return canonical('LogPart', wire.LogPart, bytes, MESSAGE_BYTES.logPart);
}

/** Encodes as docs/wire.md says; does not check the limits. */
export function encodePayload(payload: Payload): Uint8Array {
  return wire.Payload.encode(payload).finish();
}

/** Encodes as docs/wire.md says; does not check the limits. */
export function encodeChallenge(challenge: Challenge): Uint8Array {
  return wire.Challenge.encode(challenge).finish();
}

/** Encodes as docs/wire.md says; does not check the limits. */
export function encodeResponse(response: ChallengeResponse): Uint8Array {
  return wire.ChallengeResponse.encode(response).finish();
}

/** Encodes as docs/wire.md says; does not check the limits. */
export function encodeLogRequest(request: LogRequest): Uint8Array {
  return wire.LogRequest.encode(request).finish();
}

/** Encodes as docs/wire.md says; does not check the limits. */
export function encodeLogPart(part: LogPart): Uint8Array {
  return wire.LogPart.encode(part).finish();
}
