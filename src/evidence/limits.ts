/** How large each part of the evidence may be; checked before anything inside is looked at. Pure. */

/** Bytes of the longest piece of a boot log. */
export const LOG_PART_BYTES: number = 128 * 1024;
/** Bytes of the other fields of a LogPart. */
export const LOG_PART_ENVELOPE = 64;

/** Bytes of a whole message. A payload is the largest: a chain of ten certificates. */
export const MESSAGE_BYTES: Readonly<Record<'payload' | 'challenge' | 'response' | 'logRequest' | 'logPart', number>> =
  {
    payload: 192 * 1024,
    challenge: 8 * 1024,
    response: 16 * 1024,
    logRequest: 32,
    logPart: LOG_PART_BYTES + LOG_PART_ENVELOPE,
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
  'Challenge.logs': { count: 8 },
  'ChallengeResponse.secret': { bytes: 64 },
  'ChallengeResponse.quoted': { bytes: 2048 },
  'ChallengeResponse.signature': { bytes: 1024 },
  'ChallengeResponse.pcrValues': { count: 24, bytes: 64 },
  'LogPart.data': { bytes: LOG_PART_BYTES },
  'LogPart.missing': { bytes: 16 },
};
