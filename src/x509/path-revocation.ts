import type { Certificate } from './certificate.ts';
import { describe, type PathProblem } from './path-rules.ts';
import { type CrlSet, type RevocationStatus, revocationOf } from './revocation.ts';
import { intersection, only, type Period } from './validity.ts';

export interface RevocationRule {
  readonly crls: CrlSet;
  /** A certificate is refused of which no list tells whether it was revoked. */
  readonly required: boolean;
}

const ALWAYS: Period = { from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY };

/** Asks revocation lists about the links of the paths that one search found (RFC 5280 §6.3), and keeps what they said. */
export class RevocationCheck {
  readonly #rule: RevocationRule | undefined;
  readonly #now: Date;
  /** A list speaks of what one key issued: a certificate with two possible issuers is asked about twice. */
  readonly #statuses: Map<Certificate, Map<Certificate, RevocationStatus>> = new Map();
  #steady: Period = ALWAYS;

  constructor(rule: RevocationRule | undefined, now: Date) {
    this.#rule = rule;
    this.#now = now;
  }

  /** Of a chain whose signatures hold, leaf first, anchor last: what is nearest to the leaf, a revocation before all else. */
  problems(chain: readonly Certificate[]): readonly PathProblem[] {
    const found = chain.flatMap((certificate, i) => this.#problemsOf(certificate, chain[i + 1]));
    const told = found.find(({ code }) => code === 'revoked') ?? found[0];
    return told === undefined ? [] : [told];
  }

  #problemsOf(certificate: Certificate, issuer: Certificate | undefined): readonly PathProblem[] {
    if (this.#rule === undefined || issuer === undefined) return [];
    const status = this.#ask(certificate, issuer, this.#rule.crls);
    if (status.status === 'revoked') {
      const why = status.reason === undefined ? '' : ` (${status.reason})`;
      const message = `${describe(certificate)} was revoked at ${status.at.toISOString()}${why}`;
      return [{ code: 'revoked', message }];
    }
    if (status.status === 'good' || !this.#rule.required) return [];
    return [{ code: 'revocation_unknown', message: unknown(certificate, status.why) }];
  }

  /** Throughout this period all that was asked has the same answer. */
  get steady(): Period {
    return this.#steady;
  }

  /** Of which certificates of a chain it is not known whether they were revoked, one sentence each. */
  openOf(chain: readonly Certificate[]): readonly string[] {
    return chain.flatMap((certificate, i) => {
      const issuer = chain[i + 1];
      const status = issuer === undefined ? undefined : this.#statuses.get(certificate)?.get(issuer);
      return status?.status === 'unknown' ? [unknown(certificate, status.why)] : [];
    });
  }

  #ask(certificate: Certificate, issuer: Certificate, crls: CrlSet): RevocationStatus {
    const byIssuer = this.#statuses.get(certificate) ?? new Map<Certificate, RevocationStatus>();
    this.#statuses.set(certificate, byIssuer);
    const status = byIssuer.get(issuer) ?? revocationOf(certificate, issuer, crls, this.#now);
    byIssuer.set(issuer, status);
    // A list that is missing may come into its time at any moment.
    this.#steady = intersection(this.#steady, status.status === 'good' ? status.steady : only(this.#now));
    return status;
  }
}

function unknown(certificate: Certificate, why: string): string {
  return `whether ${describe(certificate)} was revoked is not known: ${why}`;
}
