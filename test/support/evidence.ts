/** Random messages between agent and server. */
import fc, { type Arbitrary } from 'fast-check';
import type { Challenge, ChallengeResponse, LogPart, LogRequest, Payload } from '../../src/evidence/messages.ts';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const u32 = fc.integer({ min: 0, max: 0xffffffff });

/** Messages within the size limits. Their contents need not make sense. */
export const payloads: Arbitrary<Payload> = fc.record({
  versions: fc.array(u32, { maxLength: 16 }),
  trustDomain: fc.string({ maxLength: 60, unit: 'binary' }),
  ekPublic: bytes(400),
  ekCertificates: fc.array(bytes(1500), { maxLength: 10 }),
  akPublic: bytes(400),
  pcrBanks: fc.array(u32, { maxLength: 16 }),
});

export const challenges: Arbitrary<Challenge> = fc.record({
  version: u32,
  nonce: bytes(64),
  credentialBlob: bytes(132),
  encryptedSecret: bytes(512),
  pcrSelection: bytes(128),
  logs: fc.constant([]),
});

/** With boot logs, which version 1 has not. */
export const challengesWithLogs: Arbitrary<Challenge> = challenges.chain((challenge) =>
  fc.array(u32, { maxLength: 8 }).map((logs) => ({ ...challenge, version: Math.max(2, challenge.version), logs })),
);

export const responses: Arbitrary<ChallengeResponse> = fc.record({
  secret: bytes(64),
  quoted: bytes(600),
  signature: bytes(600),
  pcrValues: fc.array(bytes(64), { maxLength: 24 }),
});

export const logRequests: Arbitrary<LogRequest> = fc.record({ log: u32, offset: u32, maxBytes: u32 });

export const logParts: Arbitrary<LogPart> = fc.record({
  log: u32,
  offset: u32,
  total: u32,
  data: bytes(600),
  missing: fc.string({ maxLength: 4, unit: 'binary' }),
});
