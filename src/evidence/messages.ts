/**
 * The evidence messages and their one accepted encoding. Pure.
 *
 * Protocol Buffers let one message be written in many ways and skip what a reader does not know. Here a message counts
 * only in the form this module writes it: so two readers can never see different messages in the same bytes.
 */
import { equalBytes } from '../bytes/bytes.ts';
import { MalformedError } from '../bytes/malformed.ts';
import { Challenge, ChallengeResponse, type Evidence, Payload } from './gen/tpm_attestor/v1/evidence.ts';
import { FIELD_LIMITS, MESSAGE_BYTES } from './limits.ts';

export type { Challenge, ChallengeResponse, Evidence, Payload };

/** The only version of the exchange so far. */
export const PROTOCOL_VERSION = 1;
/** Bytes of a server's nonce and of its secret. */
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
  checkLimits(name, decoded);
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

/** @throws MalformedError */
export function decodePayload(bytes: Uint8Array): Payload {
  return canonical('Payload', Payload, bytes, MESSAGE_BYTES.payload);
}

/** @throws MalformedError */
export function decodeChallenge(bytes: Uint8Array): Challenge {
  return canonical('Challenge', Challenge, bytes, MESSAGE_BYTES.challenge);
}

/** @throws MalformedError */
export function decodeResponse(bytes: Uint8Array): ChallengeResponse {
  return canonical('ChallengeResponse', ChallengeResponse, bytes, MESSAGE_BYTES.response);
}

export function encodePayload(payload: Payload): Uint8Array {
  return Payload.encode(payload).finish();
}

export function encodeChallenge(challenge: Challenge): Uint8Array {
  return Challenge.encode(challenge).finish();
}

export function encodeResponse(response: ChallengeResponse): Uint8Array {
  return ChallengeResponse.encode(response).finish();
}
