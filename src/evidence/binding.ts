/** What the quote's nonce commits to. Pure. */
import { hash } from 'node:crypto';
import { concat } from '../bytes/bytes.ts';

const LABEL = new TextEncoder().encode('tpm-attestor/quote/1');

function sha256(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer');
}

/**
 * The qualifying data of an attestation's quote, 32 bytes: SHA-256 over the label, the trust domain with its length (u16)
 * in front, SHA-256 of the payload as sent, SHA-256 of the challenge as received. So a quote answers one challenge, for
 * one payload, in one trust domain, and never stands for something else that the same key signed.
 *
 * @param trustDomain each side takes it from its own configuration
 */
export function commitment(trustDomain: string, payload: Uint8Array, challenge: Uint8Array): Uint8Array {
  const domain = new TextEncoder().encode(trustDomain);
  const length = Uint8Array.of(domain.length >> 8, domain.length & 0xff);
  return new Uint8Array(sha256(concat(LABEL, length, domain, sha256(payload), sha256(challenge))));
}
