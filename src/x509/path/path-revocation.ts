import type { Certificate } from '../certificate.ts';
import type { AnchorSet } from '../file/trust-store.ts';
import { intersection, only, type Period } from '../validity.ts';
import { describe, type PathProblem, signatureProblem } from './path-rules.ts';
import { type CrlSet, type RevocationStatus, revocationOf } from './revocation.ts';

/** Which lists are asked. */
export interface RevocationRule {
  readonly crls: CrlSet;
  /** A certificate is refused of which no list tells whether it was revoked. */
  readonly required: boolean;
}

interface Answer {
  /** The CAs above the certificate, its issuer first. */
  readonly above: readonly Certificate[];
  readonly status: RevocationStatus;
}

const ALWAYS: Period = { from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY };

/** Asks revocation lists about the links of the paths that one search found (RFC 5280 §6.3), and keeps what they said. */
export class RevocationCheck {
  readonly #rule: RevocationRule | undefined;
  readonly #now: Date;
  /** A list speaks of what one key issued: a certificate with two possible paths above it is asked about twice. */
  readonly #statuses: Map<Certificate, Answer[]> = new Map();
  #steady: Period = ALWAYS;

  readonly #anchors: AnchorSet;

  constructor(rule: RevocationRule | undefined, now: Date, anchors: AnchorSet) {
    this.#rule = rule;
    this.#now = now;
    this.#anchors = anchors;
  }

  /** Of a chain whose signatures hold, leaf first, anchor last: what is nearest to the leaf, a revocation before all else. */
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

  /** Throughout this period all that was asked has the same answer. */
  get steady(): Period {
    return this.#steady;
  }

  /** Of which certificates of a chain it is not known whether they were revoked, one sentence each. */
  openOf(chain: readonly Certificate[]): readonly string[] {
    const whole = this.#extended(chain);
    return chain.slice(0, -1).flatMap((certificate, i) => {
      const status = this.#answerOf(certificate, whole.slice(i + 1))?.status;
      return status?.status === 'unknown' ? [unknown(certificate, status.why)] : [];
    });
  }

  /**
   * A path may end at an anchor whose own issuer is one as well. The lists of that one are for what stands in the path, too;
   * only those that have an indirect list are looked for.
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
    // A list that is missing may come into its time at any moment.
    this.#steady = intersection(this.#steady, status.status === 'good' ? status.steady : only(this.#now));
    return status;
  }
}

const MAX_EXTENDED = 10;

/** Most anchors of one name that are tried. */
const MAX_NAMESAKES = 16;

const issuers = new WeakMap<AnchorSet, Map<Certificate, Certificate | undefined>>();

/** The anchor that issued another one; found out once. */
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
