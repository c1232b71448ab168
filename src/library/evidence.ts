/**
 * The messages between agent and server (docs/wire.md), and evidence files. Pure.
 *
 * Stable: the bytes of the messages and the form of evidence files. Names in TypeScript may change before 1.0.
 *
 * @module tpm-attestor/evidence
 */
export { commitment } from '../evidence/binding.ts';
export { evidenceFromJson, evidenceToJson } from '../evidence/json.ts';
export {
  type Challenge,
  type ChallengeResponse,
  decodeChallenge,
  decodePayload,
  decodeResponse,
  type Evidence,
  encodeChallenge,
  encodePayload,
  encodeResponse,
  NONCE_BYTES,
  type Payload,
  PROTOCOL_VERSIONS,
} from '../evidence/messages.ts';
export type { PlainSignature } from '../evidence/tools-quote.ts';
export type { Wire } from '../evidence/wires.ts';
