/** How large each part of the evidence may be; checked before anything inside is looked at. Pure. */

/** Bytes of a whole message. A payload is the largest: a chain of ten certificates. */
export const MESSAGE_BYTES: { readonly [M in 'payload' | 'challenge' | 'response']: number } = {
  payload: 192 * 1024,
  challenge: 8 * 1024,
  response: 16 * 1024,
};

interface Limit {
  /** Bytes of the field, or of each element. */
  readonly bytes?: number;
  /** Elements of a repeated field. */
  readonly count?: number;
}

/**
 * DNS limits a trust domain to 255 bytes (SPIFFE ID 2.1); 24 PCRs is all a PC Client TPM has. A challenge goes to the TPM
 * in TPM2B_ID_OBJECT, of two SHA-512 digests at most, and TPM2B_ENCRYPTED_SECRET, of RSA-4096 (Part 2, 12.4 and 11.4).
 */
export const FIELD_LIMITS: Readonly<Record<string, Limit>> = {
  'Payload.versions': { count: 16 },
  'Payload.trustDomain': { bytes: 255 },
  'Payload.ekPublic': { bytes: 1024 },
  'Payload.ekCertificates': { count: 10, bytes: 16 * 1024 },
  'Payload.akPublic': { bytes: 1024 },
  'Payload.pcrBanks': { count: 16 },
  'Challenge.nonce': { bytes: 64 },
  'Challenge.credentialBlob': { bytes: 132 },
  'Challenge.encryptedSecret': { bytes: 512 },
  'Challenge.pcrSelection': { bytes: 128 },
  'ChallengeResponse.secret': { bytes: 64 },
  'ChallengeResponse.quoted': { bytes: 2048 },
  'ChallengeResponse.signature': { bytes: 1024 },
  'ChallengeResponse.pcrValues': { count: 24, bytes: 64 },
};
