/** Largest size of each evidence message and field. The readers check it before they decode the contents. Pure. */

/** Bytes of the longest piece of a boot log. */
export const LOG_PART_BYTES: number = 128 * 1024;
/** Bytes of the other fields of a LogPart. */
export const LOG_PART_ENVELOPE = 64;

/** Bytes of a whole message. A payload is the largest, because it carries up to ten certificates. */
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
 * A trust domain has at most 255 bytes (SPIFFE ID 2.1). A PC Client TPM has 24 PCRs. TPM2B_ID_OBJECT holds at most two
 * SHA-512 digests, and TPM2B_ENCRYPTED_SECRET at most an RSA-4096 ciphertext (Part 2, 12.4 and 11.4).
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
