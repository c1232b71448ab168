/** What the extensions of a revocation list make of it: the whole of its issuer's, a part, or somebody else's. */
import { DerReader, TAG } from './der.ts';
import type { Extension } from './extensions.ts';
import { CRL_ENTRY_EXTENSION, CRL_EXTENSION } from './object-identifiers.ts';

const PROCESSED: ReadonlySet<string> = new Set(Object.values(CRL_EXTENSION));
const PROCESSED_IN_ENTRY: ReadonlySet<string> = new Set([CRL_ENTRY_EXTENSION.reasonCode]);

/** What the extensions make of the list other than a complete one of its issuer (RFC 5280 §5.2). */
export function unusableBy(extensions: ReadonlyMap<string, Extension>): string | undefined {
  if (extensions.has(CRL_EXTENSION.deltaCRLIndicator)) return 'is a delta CRL';
  const scope = extensions.get(CRL_EXTENSION.issuingDistributionPoint);
  const unknown = unknownCritical(extensions, PROCESSED);
  return (
    (scope === undefined ? undefined : limitsOf(scope.value).at(-1)?.limit) ??
    (unknown === undefined ? undefined : `has the critical extension ${unknown}, which is not processed here`)
  );
}

/** Entries may be of another issuer's certificates, or of none, or mean what nobody here knows. */
export function speaksForOthers(extensions: ReadonlyMap<string, Extension>): boolean {
  const scope = extensions.get(CRL_EXTENSION.issuingDistributionPoint);
  const limits = scope === undefined ? [] : limitsOf(scope.value);
  return limits.some(({ foreign }) => foreign === true) || unknownCritical(extensions, PROCESSED) !== undefined;
}

export function unusableByEntry(extensions: ReadonlyMap<string, Extension>): string | undefined {
  // It speaks for this entry and those after it (RFC 5280 §5.3.3).
  if (extensions.has(CRL_ENTRY_EXTENSION.certificateIssuer)) return 'has entries for another issuer';
  const unknown = unknownCritical(extensions, PROCESSED_IN_ENTRY);
  return unknown && `has an entry with the critical extension ${unknown}, which is not processed here`;
}

function unknownCritical(
  extensions: ReadonlyMap<string, Extension>,
  processed: ReadonlySet<string>,
): string | undefined {
  for (const { oid, critical } of extensions.values()) if (critical && !processed.has(oid)) return oid;
  return undefined;
}

interface Limit {
  readonly tag: number;
  readonly field: string;
  readonly limit: string;
  /** Its entries are of certificates that are not the issuer's, or no certificates of keys. */
  readonly foreign?: true;
}

/** IssuingDistributionPoint (RFC 5280 §5.2.5): its fields by tag, and what the list is with it. */
const LIMITS: readonly Limit[] = [
  { tag: 0xa0, field: 'distributionPoint', limit: 'is for one distribution point only' },
  { tag: 0x81, field: 'onlyContainsUserCerts', limit: 'is for end entities only' },
  { tag: 0x82, field: 'onlyContainsCACerts', limit: 'is for CAs only' },
  { tag: 0x83, field: 'onlySomeReasons', limit: 'is for some reasons only' },
  { tag: 0x84, field: 'indirectCRL', limit: 'is an indirect CRL', foreign: true },
  { tag: 0x85, field: 'onlyContainsAttributeCerts', limit: 'is for attribute certificates only', foreign: true },
];

function limitsOf(value: Uint8Array): readonly Limit[] {
  const outer = new DerReader(value, 'issuingDistributionPoint');
  const reader = outer.enter(TAG.SEQUENCE, 'value');
  outer.finish();
  // Most are BOOLEAN DEFAULT FALSE, of which DER writes none but TRUE; no content makes one count for less.
  const limits = LIMITS.filter(({ tag, field }) => reader.takeIf(tag, field) !== undefined);
  reader.finish();
  return limits;
}
