/** Caches the CA certificates and signatures of accepted paths. */
import { hash } from 'node:crypto';
import { type Certificate, parseCertificate } from '../certificate.ts';

/** About 10 KiB each, with keys. A fleet has a few CAs for each make of TPM. */
const MOST_CERTIFICATES = 512;

/**
 * Remembers the CAs of accepted paths, and which CA signed which. All machines of a make send the same CAs, and these
 * are the most expensive to check. A certificate is found by the hash of its bytes, a signature by the hashes of both
 * certificates. The cache holds no rule, date or verdict: all other checks of a path still run.
 *
 * A cache belongs to one trust store. Only CAs below an anchor enter it. The CA unseen for the longest time is dropped.
 */
export class PathCache {
  readonly #most: number;
  /** By fingerprint: the certificate, and the fingerprints of the issuers whose signature on it was verified. */
  readonly #known: Map<string, { readonly certificate: Certificate; readonly signers: Set<string> }> = new Map();

  /** @param most certificates remembered at once */
  constructor(most: number = MOST_CERTIFICATES) {
    this.#most = most;
  }

  /**
   * The certificate of these bytes, from the cache or freshly parsed.
   *
   * @throws {MalformedCertificateError}
   */
  certificate(der: Uint8Array): Certificate {
    // tooth A62 [this.#known.get(hash('sha256', der, 'hex')) -> [...this.#known.values()].find((one) =>
    //   one.certificate.der.length === der.length)]: a certificate of the same length is taken for a known one
    return this.#known.get(hash('sha256', der, 'hex'))?.certificate ?? parseCertificate(der);
  }

  /** Whether the signature of `issuer` on `subject` was verified before. */
  isSigned(subject: Certificate, issuer: Certificate): boolean {
    // tooth A68 [this.#known.has(subject.fingerprint)]: a signature by one issuer holds for every issuer
    return this.#known.get(subject.fingerprint)?.signers.has(issuer.fingerprint) === true;
  }

  /**
   * Remembers the CAs of an accepted path, and their issuers.
   *
   * @param chain leaf first, anchor last
   */
  remember(chain: readonly Certificate[]): void {
    for (const [i, issuer] of chain.entries()) {
      const subject = chain[i - 1];
      // The leaf belongs to one machine: no other machine sends it.
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

/** A copy: the certificate's bytes are a view of a message, and would keep the whole message in memory. */
function detached(certificate: Certificate): Certificate {
  return parseCertificate(certificate.der.slice());
}
