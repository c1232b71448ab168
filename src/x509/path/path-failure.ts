/** Chooses which failure to report when no path to an anchor holds. */
import { Buffer } from 'node:buffer';
import type { Certificate } from '../certificate.ts';
import { readIssuerAddresses } from '../extensions.ts';
import { MalformedCertificateError } from '../malformed-certificate.ts';
import { formatName } from '../name.ts';
import type { MissingIssuer } from './path.ts';
import { describe, type PathProblem } from './path-rules.ts';

export interface PathFailure {
  readonly problems: readonly PathProblem[];
  /** Leaf first, up to the last signature that was checked and holds. */
  readonly path: readonly Certificate[];
  readonly missingIssuer?: MissingIssuer;
}

/**
 * How far a failed path came: first whether it reached an anchor, then its length, then how specific the failure is.
 */
type Progress = readonly [reachedAnchor: 0 | 1, links: number, weight: 0 | 1];

/** Keeps the failure of the path that came furthest. Among equals, the first stays. */
export class FurthestFailure {
  #failure: PathFailure = { problems: [], path: [] };
  #progress: Progress | undefined;

  get failure(): PathFailure {
    return this.#failure;
  }

  note(progress: Progress, failure: PathFailure): void {
    if (!this.#isFurther(progress)) return;
    this.#progress = progress;
    this.#failure = failure;
  }

  /** Notes that a path of `links` certificates ends because the issuer of its last one is unknown. */
  noteMissing(subject: Certificate, links: number, path: readonly Certificate[]): void {
    const progress: Progress = [0, links, 0];
    if (!this.#isFurther(progress)) return;
    const name = formatName(subject.issuer);
    const keyId = subject.authorityKeyId;
    const key = keyId === undefined ? '' : ` with key id ${Buffer.from(keyId).toString('hex')}`;
    const message = `no CA certificate "${name}"${key} is known, the issuer of ${describe(subject)}`;
    const missingIssuer = { name, keyId, addresses: issuerAddresses(subject) };
    this.note(progress, { problems: [{ code: 'unknown_issuer', message }], path, missingIssuer });
  }

  #isFurther(a: Progress): boolean {
    const b = this.#progress;
    return b === undefined || (a[0] - b[0] || a[1] - b[1] || a[2] - b[2]) > 0;
  }
}

function issuerAddresses(certificate: Certificate): readonly string[] {
  try {
    return readIssuerAddresses(certificate.extensions);
  } catch (error) {
    if (error instanceof MalformedCertificateError) return [];
    throw error;
  }
}
