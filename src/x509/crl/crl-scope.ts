/** What the extensions of a revocation list make of it: the whole of its issuer's, a part, or somebody else's. */
import { Buffer } from 'node:buffer';
import { DerReader, TAG } from '../der.ts';
import type { Extension } from '../extensions.ts';
import { MalformedCertificateError } from '../malformed-certificate.ts';
import { type Name, readName } from '../name.ts';
import { CRL_ENTRY_EXTENSION, CRL_EXTENSION, EXTENSION } from '../object-identifiers.ts';

const PROCESSED: ReadonlySet<string> = new Set(Object.values(CRL_EXTENSION));
const PROCESSED_IN_ENTRY: ReadonlySet<string> = new Set(Object.values(CRL_ENTRY_EXTENSION));

/** Whose certificates a list is about. */
export interface CrlScope {
  /** Of other issuers' certificates, too: an entry says whose (RFC 5280 §5.2.5, §5.3.3). */
  readonly indirect: boolean;
  /** Where it is to be had, each name as `generalNames` has it; undefined where the list does not say. */
  readonly distributionPoint: readonly string[] | undefined;
  /** What makes less of it than the whole of its issuer's; undefined for a complete list. */
  readonly limit: string | undefined;
  /** The same for certificates that name it; undefined for a list that is the whole of its distribution point. */
  readonly limitForNamers: string | undefined;
  /** Its entries are no certificates of keys. */
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

/** What the extensions make of the list other than a complete one of its issuer (RFC 5280 §5.2). */
export function unusableBy(extensions: ReadonlyMap<string, Extension>, { limit }: CrlScope): string | undefined {
  return misunderstood(extensions, limit);
}

/** The same for a list that is asked about certificates which name it as theirs. */
export function unusableForNamers(
  extensions: ReadonlyMap<string, Extension>,
  { limitForNamers }: CrlScope,
): string | undefined {
  return misunderstood(extensions, limitForNamers);
}

function misunderstood(extensions: ReadonlyMap<string, Extension>, limit: string | undefined): string | undefined {
  if (extensions.has(CRL_EXTENSION.deltaCRLIndicator)) return 'is a delta CRL';
  const unknown = unknownCritical(extensions, PROCESSED);
  return limit ?? (unknown && `has the critical extension ${unknown}, which is not processed here`);
}

/** Entries may be of no certificates of keys, or mean what nobody here knows. */
export function speaksForOthers(extensions: ReadonlyMap<string, Extension>, { foreign }: CrlScope): boolean {
  return foreign || unknownCritical(extensions, PROCESSED) !== undefined;
}

export function unusableByEntry(extensions: ReadonlyMap<string, Extension>, indirect: boolean): string | undefined {
  // It speaks for this entry and those after it (RFC 5280 §5.3.3), and in an indirect list alone.
  if (extensions.has(CRL_ENTRY_EXTENSION.certificateIssuer) && !indirect) return 'has entries for another issuer';
  const unknown = unknownCritical(extensions, PROCESSED_IN_ENTRY);
  return unknown && `has an entry with the critical extension ${unknown}, which is not processed here`;
}

/**
 * Canonical name of the issuer whose certificate an entry of an indirect list revokes; undefined where the entry is for the
 * issuer of the one before it, the first for that of the list.
 *
 * @throws {MalformedCertificateError} for other than one name of a directory
 */
export function entryIssuer(extensions: ReadonlyMap<string, Extension>): string | undefined {
  const extension = extensions.get(CRL_ENTRY_EXTENSION.certificateIssuer);
  if (extension === undefined) return undefined;
  const outer = new DerReader(extension.value, 'certificateIssuer');
  const names = outer.enter(TAG.SEQUENCE, 'value');
  outer.finish();
  const [name, ...others] = generalNames(names);
  if (name === undefined || others.length > 0 || !name.startsWith(DIRECTORY_NAME))
    return names.fail('other than one directoryName');
  return name.slice(DIRECTORY_NAME.length);
}

/** Whether one of the certificate's distribution points names the list, and its issuer (RFC 5280 §6.3.3 (b)). */
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
  /** Its entries are no certificates of keys. */
  readonly foreign?: true;
}

const DISTRIBUTION_POINT = 0xa0;
const INDIRECT = 0x84;

/** IssuingDistributionPoint (RFC 5280 §5.2.5): its fields by tag, and what the list is with it. */
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
  // Most are BOOLEAN DEFAULT FALSE, of which DER writes none but TRUE; no content makes one count for less.
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
  /** For some reasons only. */
  readonly partial: boolean;
}

/** CRLDistributionPoints (RFC 5280 §4.2.1.13); none where they cannot be read: nothing is good for what they say. */
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

/** DistributionPointName: its full name; none for one that is relative to the issuer's, which nobody uses. */
function pointNames(name: DerReader): readonly string[] {
  const full = name.takeIf(0xa0, 'fullName');
  return full === undefined ? [] : generalNames(full.enter());
}

const DIRECTORY_NAME = 'directoryName:';

/** GeneralNames, each in a form in which equal ones are equal: names of a directory canonical, others as they stand. */
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
