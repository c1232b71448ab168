/** The scope of a revocation list, from its extensions: which certificates of which issuers it covers. */
import { Buffer } from 'node:buffer';
import { DerReader, TAG } from '../der.ts';
import type { Extension } from '../extensions.ts';
import { MalformedCertificateError } from '../malformed-certificate.ts';
import { type Name, readName } from '../name.ts';
import { CRL_ENTRY_EXTENSION, CRL_EXTENSION, EXTENSION } from '../object-identifiers.ts';

const PROCESSED: ReadonlySet<string> = new Set(Object.values(CRL_EXTENSION));
const PROCESSED_IN_ENTRY: ReadonlySet<string> = new Set(Object.values(CRL_ENTRY_EXTENSION));

/** The certificates that a list covers. */
export interface CrlScope {
  /** Whether it also covers other issuers: an entry names the issuer (RFC 5280 §5.2.5, §5.3.3). */
  readonly indirect: boolean;
  /** The names of its distribution point, in the form of `generalNames`. Undefined if the list has none. */
  readonly distributionPoint: readonly string[] | undefined;
  /** Why it covers only a part of its issuer's certificates. Undefined for a complete list. */
  readonly limit: string | undefined;
  /**
   * Why it covers only a part of the certificates that name it. Undefined if it covers its whole distribution point.
   */
  readonly limitForNamers: string | undefined;
  /** Whether its entries are attribute certificates, not public key certificates. */
  readonly foreign: boolean;
}

const COMPLETE: CrlScope = {
  indirect: false,
  distributionPoint: undefined,
  limit: undefined,
  limitForNamers: undefined,
  foreign: false,
};

/** @throws {MalformedCertificateError} */
export function scopeOf(extensions: ReadonlyMap<string, Extension>): CrlScope {
  const scope = extensions.get(CRL_EXTENSION.issuingDistributionPoint);
  return scope === undefined ? COMPLETE : readScope(scope.value);
}

/**
 * Why the extensions make the list less than a complete list of its issuer (RFC 5280 §5.2). Undefined if they do not.
 */
export function unusableBy(extensions: ReadonlyMap<string, Extension>, { limit }: CrlScope): string | undefined {
  return misunderstood(extensions, limit);
}

/** The same, for certificates that name the list in a distribution point. */
export function unusableForNamers(
  extensions: ReadonlyMap<string, Extension>,
  { limitForNamers }: CrlScope,
): string | undefined {
  return misunderstood(extensions, limitForNamers);
}

function misunderstood(extensions: ReadonlyMap<string, Extension>, limit: string | undefined): string | undefined {
  if (extensions.has(CRL_EXTENSION.deltaCRLIndicator)) return 'is a delta CRL';
  const unknown = unknownCritical(extensions, PROCESSED);
  return limit ?? (unknown && `has the critical extension ${unknown}, which is not supported`);
}

/** Whether entries may not be public key certificates, or may have a meaning that this parser does not know. */
export function speaksForOthers(extensions: ReadonlyMap<string, Extension>, { foreign }: CrlScope): boolean {
  return foreign || unknownCritical(extensions, PROCESSED) !== undefined;
}

export function unusableByEntry(extensions: ReadonlyMap<string, Extension>, indirect: boolean): string | undefined {
  // It names the issuer of this entry and the following ones, only in an indirect list (RFC 5280 §5.3.3).
  if (extensions.has(CRL_ENTRY_EXTENSION.certificateIssuer) && !indirect) return 'has entries for another issuer';
  const unknown = unknownCritical(extensions, PROCESSED_IN_ENTRY);
  return unknown && `has an entry with the critical extension ${unknown}, which is not supported`;
}

/**
 * The canonical name of the issuer whose certificate an entry of an indirect list revokes. Undefined if the entry names
 * none: its issuer is then the issuer of the entry before it, and for the first entry the issuer of the list.
 *
 * @throws {MalformedCertificateError} if the entry does not name exactly one directoryName
 */
export function entryIssuer(extensions: ReadonlyMap<string, Extension>): string | undefined {
  const extension = extensions.get(CRL_ENTRY_EXTENSION.certificateIssuer);
  if (extension === undefined) return undefined;
  const outer = new DerReader(extension.value, 'certificateIssuer');
  const names = outer.enter(TAG.SEQUENCE, 'value');
  outer.finish();
  const [name, ...others] = generalNames(names);
  if (name === undefined || others.length > 0 || !name.startsWith(DIRECTORY_NAME))
    return names.fail('expected exactly one directoryName');
  return name.slice(DIRECTORY_NAME.length);
}

/** Whether one of the certificate's distribution points names the list and the list's issuer (RFC 5280 §6.3.3 (b)). */
export function isNamedBy(extensions: ReadonlyMap<string, Extension>, list: CrlScope, issuer: Name): boolean {
  return readDistributionPoints(extensions).some(
    ({ names, issuers, partial }) =>
      !partial &&
      issuers.includes(DIRECTORY_NAME + issuer.canonical) &&
      (list.distributionPoint === undefined || list.distributionPoint.some((name) => names.includes(name))),
  );
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
  /** See `CrlScope.foreign`. */
  readonly foreign?: true;
}

const DISTRIBUTION_POINT = 0xa0;
const INDIRECT = 0x84;

/** The fields of IssuingDistributionPoint (RFC 5280 §5.2.5), each with its effect on the list. */
const LIMITS: readonly Limit[] = [
  { tag: DISTRIBUTION_POINT, field: 'distributionPoint', limit: 'is for one distribution point only' },
  { tag: 0x81, field: 'onlyContainsUserCerts', limit: 'is for end entities only' },
  { tag: 0x82, field: 'onlyContainsCACerts', limit: 'is for CAs only' },
  { tag: 0x83, field: 'onlySomeReasons', limit: 'is for some reasons only' },
  { tag: INDIRECT, field: 'indirectCRL', limit: 'is an indirect CRL' },
  { tag: 0x85, field: 'onlyContainsAttributeCerts', limit: 'is for attribute certificates only', foreign: true },
];

function readScope(value: Uint8Array): CrlScope {
  const outer = new DerReader(value, 'issuingDistributionPoint');
  const reader = outer.enter(TAG.SEQUENCE, 'value');
  outer.finish();
  // Most fields are BOOLEAN DEFAULT FALSE. DER omits FALSE, so a field that is present counts as TRUE, whatever it
  // holds.
  const found = LIMITS.map((limit) => ({ limit, element: reader.takeIf(limit.tag, limit.field) }));
  reader.finish();
  const present = found.filter(({ element }) => element !== undefined);
  const point = present.find(({ limit }) => limit.tag === DISTRIBUTION_POINT)?.element;
  const limits = present.map(({ limit }) => limit);
  return {
    indirect: limits.some(({ tag }) => tag === INDIRECT),
    distributionPoint: point === undefined ? undefined : pointNames(point.enter()),
    limit: limits.at(-1)?.limit,
    limitForNamers: limits.findLast(({ tag }) => tag !== INDIRECT && tag !== DISTRIBUTION_POINT)?.limit,
    foreign: limits.some(({ foreign }) => foreign === true),
  };
}

interface DistributionPoint {
  readonly names: readonly string[];
  readonly issuers: readonly string[];
  /** Whether its lists cover only some reasons. */
  readonly partial: boolean;
}

/** CRLDistributionPoints (RFC 5280 §4.2.1.13). Empty if malformed: then no indirect list can say "not revoked". */
function readDistributionPoints(extensions: ReadonlyMap<string, Extension>): readonly DistributionPoint[] {
  const extension = extensions.get(EXTENSION.cRLDistributionPoints);
  if (extension === undefined) return [];
  try {
    const outer = new DerReader(extension.value, 'cRLDistributionPoints');
    const points = outer.enter(TAG.SEQUENCE, 'value');
    outer.finish();
    const found: DistributionPoint[] = [];
    while (!points.atEnd) {
      const point = points.enter(TAG.SEQUENCE, `[${found.length}]`);
      const name = point.takeIf(0xa0, 'distributionPoint');
      const partial = point.takeIf(0x81, 'reasons') !== undefined;
      const issuer = point.takeIf(0xa2, 'cRLIssuer');
      point.finish();
      const names = name === undefined ? [] : pointNames(name.enter());
      found.push({ names, issuers: issuer === undefined ? [] : generalNames(issuer.enter()), partial });
    }
    return found;
  } catch (error) {
    if (error instanceof MalformedCertificateError) return [];
    throw error;
  }
}

/** The full names of a DistributionPointName. Empty for a name relative to the issuer; nobody uses that form. */
function pointNames(name: DerReader): readonly string[] {
  const full = name.takeIf(0xa0, 'fullName');
  return full === undefined ? [] : generalNames(full.enter());
}

const DIRECTORY_NAME = 'directoryName:';

/** GeneralNames as comparable strings: directory names in canonical form, all others by their DER. */
function generalNames(reader: DerReader): readonly string[] {
  const names: string[] = [];
  while (!reader.atEnd) {
    const general = reader.next(`[${names.length}]`);
    if (general.tag !== 0xa4) names.push(Buffer.from(general.der).toString('hex'));
    else {
      const wrapper = general.enter();
      names.push(DIRECTORY_NAME + readName(wrapper.take(TAG.SEQUENCE, 'directoryName'), () => {}).canonical);
      wrapper.finish();
    }
  }
  return names;
}
