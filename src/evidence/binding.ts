/** The qualifying data of a quote: a digest over everything that the quote must bind. Pure. */
import { hash } from 'node:crypto';
import { concat } from '../bytes/bytes.ts';

const LABEL = new TextEncoder().encode('tpm-attestor/quote/1');

function sha256(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer');
}

/**
 * The qualifying data of an attestation's quote, 32 bytes. It is SHA-256 over:
 *
 * - the label, the length of the trust domain (u16), and the trust domain
 * - SHA-256 of the payload as sent, and SHA-256 of the challenge as received
 *
 * So a quote is valid for one challenge, one payload and one trust domain. The label keeps it apart from other quotes
 * by the same key.
 *
 * @param trustDomain the agent and the server each take it from their own configuration
 */
export function commitment(trustDomain: string, payload: Uint8Array, challenge: Uint8Array): Uint8Array {
  const domain = new TextEncoder().encode(trustDomain);
  const length = Uint8Array.of(domain.length >> 8, domain.length & 0xff);
  return new Uint8Array(sha256(concat(LABEL, length, domain, sha256(payload), sha256(challenge))));
}
