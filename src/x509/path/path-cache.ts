import { hash } from 'node:crypto';
import { type Certificate, parseCertificate } from '../certificate.ts';

/** Some 10 KiB each, keys included. A fleet meets a few CAs for each make of TPM. */
const MOST_CERTIFICATES = 512;

/**
 * Remembers the CAs of paths that were accepted, and that each was signed by the one above it: what every machine of a
 * make sends along again, and what costs most to look at. Certificates go by the hash of their bytes, signatures by those
 * of both ends; no rule, date or verdict is in it, so that whatever else may refuse a path still does.
 *
 * Belongs to one trust store. Nobody gets into it who does not reach an anchor; the longest unseen makes room.
 */
export class PathCache {
  readonly #most: number;
  /** By fingerprint: the certificate, and the fingerprints of those known to have signed it. */
  readonly #known: Map<string, { readonly certificate: Certificate; readonly signers: Set<string> }> = new Map();

  /** @param most certificates remembered at once */
  constructor(most: number = MOST_CERTIFICATES) {
    this.#most = most;
  }

  /**
   * The certificate of these bytes, read anew unless it is known.
   *
   * @throws {MalformedCertificateError}
   */
  certificate(der: Uint8Array): Certificate {
    // tooth A62 [this.#known.get(hash('sha256', der, 'hex')) -> [...this.#known.values()].find((one) =>
    //   one.certificate.der.length === der.length)]: a certificate of the same length is taken for a known one
    return this.#known.get(hash('sha256', der, 'hex'))?.certificate ?? parseCertificate(der);
  }

  /** Whether the signature on `subject` was verified with the key of `issuer` before. */
  isSigned(subject: Certificate, issuer: Certificate): boolean {
    // tooth A68 [this.#known.has(subject.fingerprint)]: a signature by one issuer holds for every issuer
    return this.#known.get(subject.fingerprint)?.signers.has(issuer.fingerprint) === true;
  }

  /**
   * Remembers the CAs of a path, and who signed them.
   *
   * @param chain that was accepted, leaf first, anchor last
   */
  remember(chain: readonly Certificate[]): void {
    for (const [i, issuer] of chain.entries()) {
      const subject = chain[i - 1];
      // A leaf is one machine's.
      if (i < 2 || subject === undefined) continue;
      const known = this.#known.get(subject.fingerprint) ?? { certificate: detached(subject), signers: new Set() };
      known.signers.add(issuer.fingerprint);
      this.#known.delete(subject.fingerprint);
      this.#known.set(subject.fingerprint, known);
    }
    for (const fingerprint of this.#known.keys()) {
      if (this.#known.size <= this.#most) break;
      this.#known.delete(fingerprint);
    }
  }

  get size(): number {
    return this.#known.size;
  }
}

/** Its bytes are a view of a whole message, which would be kept with it. */
function detached(certificate: Certificate): Certificate {
  return parseCertificate(certificate.der.slice());
}
