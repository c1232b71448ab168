/** Checks the certificates of a path against revocation lists (RFC 5280 §6.3). */
import type { Certificate } from '../certificate.ts';
import type { AnchorSet } from '../file/trust-store.ts';
import { intersection, only, type Period } from '../validity.ts';
import { describe, type PathProblem, signatureProblem } from './path-rules.ts';
import { type CrlSet, type RevocationStatus, revocationOf } from './revocation.ts';

/** How a policy treats revocation. */
export interface RevocationRule {
  readonly crls: CrlSet;
  /** Whether a certificate is refused if no list says that it is good. */
  readonly required: boolean;
}

interface Answer {
  /** The CAs above the certificate, its issuer first. */
  readonly above: readonly Certificate[];
  readonly status: RevocationStatus;
}

const ALWAYS: Period = { from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY };

/** Looks up the certificates of the paths of one search in revocation lists, and keeps the answers. */
export class RevocationCheck {
  readonly #rule: RevocationRule | undefined;
  readonly #now: Date;
  /** A list covers what one key issued, so a certificate has one answer for each path above it. */
  readonly #statuses: Map<Certificate, Answer[]> = new Map();
  #steady: Period = ALWAYS;

  readonly #anchors: AnchorSet;

  constructor(rule: RevocationRule | undefined, now: Date, anchors: AnchorSet) {
    this.#rule = rule;
    this.#now = now;
    this.#anchors = anchors;
  }

  /**
   * The one problem to report, or none: a revocation if there is one, otherwise the problem nearest to the leaf.
   *
   * @param chain leaf first, anchor last; its signatures must hold
   */
  problems(chain: readonly Certificate[]): readonly PathProblem[] {
    const whole = this.#extended(chain);
    const found = chain.slice(0, -1).flatMap((certificate, i) => this.#problemsOf(certificate, whole.slice(i + 1)));
    const told = found.find(({ code }) => code === 'revoked') ?? found[0];
    return told === undefined ? [] : [told];
  }

  #problemsOf(certificate: Certificate, above: readonly Certificate[]): readonly PathProblem[] {
    if (this.#rule === undefined || above.length === 0) return [];
    const status = this.#ask(certificate, above, this.#rule.crls);
    if (status.status === 'revoked') {
      const why = status.reason === undefined ? '' : ` (${status.reason})`;
      const message = `${describe(certificate)} was revoked at ${status.at.toISOString()}${why}`;
      return [{ code: 'revoked', message }];
    }
    if (status.status === 'good' || !this.#rule.required) return [];
    return [{ code: 'revocation_unknown', message: unknown(certificate, status.why) }];
  }

  /** All answers given so far stay the same throughout this period. */
  get steady(): Period {
    return this.#steady;
  }

  /** One sentence for each certificate of a chain whose revocation status is unknown. */
  openOf(chain: readonly Certificate[]): readonly string[] {
    const whole = this.#extended(chain);
    return chain.slice(0, -1).flatMap((certificate, i) => {
      const status = this.#answerOf(certificate, whole.slice(i + 1))?.status;
      return status?.status === 'unknown' ? [unknown(certificate, status.why)] : [];
    });
  }

  /**
   * Adds the issuers of the anchor that are anchors, too, if they have an indirect list: such a list also covers the
   * certificates in the path.
   */
  #extended(chain: readonly Certificate[]): readonly Certificate[] {
    const whole = [...chain];
    while (this.#rule !== undefined && whole.length < MAX_EXTENDED) {
      const top = whole.at(-1) as Certificate;
      const lists = this.#rule.crls.byIssuer.get(top.issuer.canonical) ?? [];
      if (!lists.some(({ scope }) => scope.indirect)) break;
      const issuer = issuerAmong(this.#anchors, top);
      if (issuer === undefined || whole.includes(issuer)) break;
      whole.push(issuer);
    }
    return whole;
  }

  #answerOf(certificate: Certificate, above: readonly Certificate[]): Answer | undefined {
    const known = this.#statuses.get(certificate) ?? [];
    return known.find((one) => one.above.length === above.length && one.above.every((ca, i) => ca === above[i]));
  }

  #ask(certificate: Certificate, above: readonly Certificate[], crls: CrlSet): RevocationStatus {
    const known = this.#answerOf(certificate, above);
    const [issuer, ...others] = above as readonly [Certificate, ...Certificate[]];
    const status = known?.status ?? revocationOf(certificate, issuer, crls, this.#now, others);
    if (known === undefined)
      this.#statuses.set(certificate, [...(this.#statuses.get(certificate) ?? []), { above, status }]);
    // Any other answer may change at once: a list may become current at any moment.
    this.#steady = intersection(this.#steady, status.status === 'good' ? status.steady : only(this.#now));
    return status;
  }
}

const MAX_EXTENDED = 10;

/** The most anchors of one name that are tried. */
const MAX_NAMESAKES = 16;

const issuers = new WeakMap<AnchorSet, Map<Certificate, Certificate | undefined>>();

/** The anchor that issued another anchor. The result is kept for each anchor set. */
function issuerAmong(anchors: AnchorSet, certificate: Certificate): Certificate | undefined {
  const known = issuers.get(anchors) ?? new Map<Certificate, Certificate | undefined>();
  issuers.set(anchors, known);
  if (!known.has(certificate)) {
    const named = (anchors.bySubject.get(certificate.issuer.canonical) ?? []).slice(0, MAX_NAMESAKES);
    const allowSha1 = { allowSha1: true };
    known.set(
      certificate,
      named.find((one) => one !== certificate && signatureProblem(certificate, one, allowSha1) === undefined),
    );
  }
  return known.get(certificate);
}

function unknown(certificate: Certificate, why: string): string {
  return `whether ${describe(certificate)} was revoked is not known: ${why}`;
}
