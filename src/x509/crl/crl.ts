/** Parses certificate revocation lists (CRLs) and looks up certificates in them, without verifying them. */
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { finished, type Pausable } from '../../bytes/pausable.ts';
import { type DerElement, DerReader, TAG } from '../der.ts';
import { type Extension, readAuthorityKeyIdentifier, readExtensions } from '../extensions.ts';
import { MalformedCertificateError } from '../malformed-certificate.ts';
import { isEmptyName, type Name, readName } from '../name.ts';
import { CRL_ENTRY_EXTENSION, CRL_EXTENSION } from '../object-identifiers.ts';
import { readSignatureAlgorithm, type SignatureAlgorithm } from '../signature-algorithm.ts';
import { readTime } from '../validity.ts';
import {
  type CrlScope,
  entryIssuer,
  scopeOf,
  speaksForOthers,
  unusableBy,
  unusableByEntry,
  unusableForNamers,
} from './crl-scope.ts';

/** The largest list accepted, in bytes. It has room for about 400,000 entries. */
export const MAX_CRL_BYTES: number = 16 * 1024 * 1024;

/** Entries parsed between two pauses. */
const ENTRIES_PER_STEP = 64;

/** The entry of a list for one certificate. */
export interface Revocation {
  readonly at: Date;
  /** The name of the CRLReason (RFC 5280 §5.3.1), or its number if it has no name. Undefined if no reason is given. */
  readonly reason: string | undefined;
}

/** A parsed certificate revocation list. Nothing in it has been verified. */
export interface CertificateRevocationList {
  /** The list's own bytes. Like all byte fields here, it is a view of the input. */
  readonly der: Uint8Array;
  /** The bytes that the signature covers. */
  readonly tbs: Uint8Array;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  readonly issuer: Name;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date | undefined;
  readonly authorityKeyId: Uint8Array | undefined;
  /** CRLNumber in lower-case hex. */
  readonly number: string | undefined;
  /** The number of entries of every kind. */
  readonly entries: number;
  /** Why a certificate that is not in the list may still be revoked, as one phrase. Undefined for a complete list. */
  readonly unusable: string | undefined;
  /** The same for certificates that name this list. Undefined if the list is complete for them. */
  readonly unusableForNamers: string | undefined;
  readonly scope: CrlScope;
  /** Whether a certificate that is in the list may still be valid: an entry may mean something else. */
  readonly speaksForOthers: boolean;
  /**
   * Looks up a certificate by the content of its serialNumber. Serial numbers are compared by value: shipped chips pad
   * theirs with zeros (00000001 equals 01). But 80 is negative and does not equal 0080.
   *
   * @param issuer canonical name of the certificate's issuer. Default: the issuer of the list
   */
  find(serial: Uint8Array, issuer?: string): Revocation | undefined;
  /** SHA-256 of the list in lower-case hex. */
  readonly fingerprint: string;
}

/** CRLReason (RFC 5280 §5.3.1). */
const REASONS: Readonly<Record<number, string>> = {
  0: 'unspecified',
  1: 'keyCompromise',
  2: 'cACompromise',
  3: 'affiliationChanged',
  4: 'superseded',
  5: 'cessationOfOperation',
  6: 'certificateHold',
  8: 'removeFromCRL',
  9: 'privilegeWithdrawn',
  10: 'aACompromise',
};

/**
 * Parses a CertificateList of version 1 or 2 (RFC 5280 §5.1) that fills the given bytes exactly. Time and memory grow
 * linearly with its length.
 *
 * The parser requires DER, with the same exceptions as for certificates. Nothing is re-encoded or copied: a later
 * change to the bytes changes the list.
 *
 * @throws {MalformedCertificateError} for all other input
 */
export function parseCrl(bytes: Uint8Array): CertificateRevocationList {
  return finished(readCrl(bytes));
}

/** @throws as `parseCrl` */
export function* readCrl(bytes: Uint8Array): Pausable<CertificateRevocationList> {
  if (bytes.length > MAX_CRL_BYTES) {
    throw new MalformedCertificateError('certificateList', 0, `${bytes.length} bytes, more than ${MAX_CRL_BYTES}`);
  }
  // Not a Buffer: each subarray of a Buffer is a Buffer.
  const input = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const outer = new DerReader(input, 'input');
  const element = outer.take(TAG.SEQUENCE, 'certificateList');
  outer.finish();
  const list = element.enter();
  const signed = list.take(TAG.SEQUENCE, 'tbsCertList');
  const algorithm = list.take(TAG.SEQUENCE, 'signatureAlgorithm');
  const signature = list.octetsOfBitString('signatureValue');
  list.finish();

  const tbs = signed.enter();
  const version = readVersion(tbs);
  const innerAlgorithm = tbs.take(TAG.SEQUENCE, 'signature');
  // The signature covers only the inner algorithm (RFC 5280 §5.1.1.2).
  if (Buffer.compare(innerAlgorithm.der, algorithm.der) !== 0) innerAlgorithm.fail('differs from signatureAlgorithm');
  const signatureAlgorithm = readSignatureAlgorithm(algorithm, ignoreOddity);
  const issuer = readName(tbs.take(TAG.SEQUENCE, 'issuer'), ignoreOddity);
  if (isEmptyName(issuer)) tbs.fail('an empty issuer');
  const thisUpdate = readTime(tbs.next('thisUpdate'), ignoreOddity);
  const hasNextUpdate = tbs.nextTag === TAG.UTC_TIME || tbs.nextTag === TAG.GENERALIZED_TIME;
  const nextUpdate = hasNextUpdate ? readTime(tbs.next('nextUpdate'), ignoreOddity) : undefined;
  const revoked = tbs.takeIf(TAG.SEQUENCE, 'revokedCertificates');
  const extensions = readListExtensions(tbs, version);
  tbs.finish();
  const scope = scopeOf(extensions);
  const entries = yield* readEntries(revoked, version, scope.indirect, issuer.canonical);
  // RFC 5280 §5.1.2.5 requires nextUpdate. Without it nobody can tell whether a newer list exists.
  const unusable = entries.unusable ?? (nextUpdate === undefined ? 'has no nextUpdate' : undefined);

  const keyId = extensions.get(CRL_EXTENSION.authorityKeyIdentifier);
  const number = extensions.get(CRL_EXTENSION.cRLNumber);
  let fingerprint: string | undefined;
  return {
    der: element.der,
    tbs: signed.der,
    signatureAlgorithm,
    signature,
    issuer,
    thisUpdate,
    nextUpdate,
    authorityKeyId: keyId === undefined ? undefined : readAuthorityKeyIdentifier(keyId.value),
    number: number === undefined ? undefined : readNumber(number.value),
    entries: entries.count,
    speaksForOthers: entries.speaksForOthers || speaksForOthers(extensions, scope),
    scope,
    unusable: unusableBy(extensions, scope) ?? unusable,
    unusableForNamers: unusableForNamers(extensions, scope) ?? unusable,
    find(serial: Uint8Array, of = issuer.canonical): Revocation | undefined {
      const offset = entries.offsets.get(entryKey(serial, of, issuer.canonical));
      if (offset === undefined) return undefined;
      const { at, reason } = readEntry(
        new DerReader(input, 'entry', offset).enter(TAG.SEQUENCE, 'value'),
        version,
        scope.indirect,
      );
      return { at, reason };
    },
    get fingerprint(): string {
      fingerprint ??= createHash('sha256').update(element.der).digest('hex');
      return fingerprint;
    },
  };
}

/** Oddities of a list are not reported: its issuer's certificates show the same ones. */
const ignoreOddity = (): void => {};

type Version = 1 | 2;

function readVersion(tbs: DerReader): Version {
  // A version 1 list has no version field.
  if (tbs.nextTag !== TAG.INTEGER) return 1;
  const content = tbs.integer('version');
  if (content.length !== 1 || content[0] !== 1) tbs.fail('not a version 2 list');
  return 2;
}

interface Entries {
  readonly count: number;
  /** The offset of each revoking entry, by its `entryKey`. A lookup parses the entry again. */
  readonly offsets: ReadonlyMap<string, number>;
  readonly unusable: string | undefined;
  readonly speaksForOthers: boolean;
}

/** RFC 5280 §5.1.2.6 forbids an empty revokedCertificates. It is accepted: like an absent one, it revokes nothing. */
function* readEntries(
  revoked: DerElement | undefined,
  version: Version,
  indirect: boolean,
  listIssuer: string,
): Pausable<Entries> {
  const offsets = new Map<string, number>();
  let issuer = listIssuer;
  let unusable: string | undefined;
  let forOthers = false;
  let count = 0;
  for (const list = revoked?.enter(); list !== undefined && !list.atEnd; count++) {
    if (count % ENTRIES_PER_STEP === 0) yield;
    const element = list.take(TAG.SEQUENCE, `[${count}]`);
    const entry = readEntry(element.enter(), version, indirect);
    issuer = entry.issuer ?? issuer;
    unusable ??= entry.unusable;
    forOthers ||= entry.unusable !== undefined;
    // removeFromCRL lifts an entry of an earlier list, in delta CRLs only (RFC 5280 §5.3.1). It never lifts an entry of
    // the same list. If two entries revoke a certificate, the first one counts.
    if (entry.reason === 'removeFromCRL') continue;
    const key = entryKey(entry.serial, issuer, listIssuer);
    if (!offsets.has(key)) offsets.set(key, element.offset);
  }
  return { count, offsets, unusable, speaksForOthers: forOthers };
}

interface Entry extends Revocation {
  readonly serial: Uint8Array;
  /** Canonical name. Undefined if the entry has the issuer of the entry before it. */
  readonly issuer: string | undefined;
  readonly unusable: string | undefined;
}

function readEntry(entry: DerReader, version: Version, indirect: boolean): Entry {
  // No limit on the length: an impossible serial number must not make the whole list unreadable.
  const integer = entry.take(TAG.INTEGER, 'userCertificate');
  const serial = integer.content;
  if (serial.length === 0) integer.fail('an INTEGER without content');
  const at = readTime(entry.next('revocationDate'), ignoreOddity);
  if (entry.atEnd) return { serial, at, issuer: undefined, reason: undefined, unusable: undefined };
  if (version === 1) entry.fail('extensions in an entry of a version 1 list');
  const extensions = readExtensions(entry.enter(TAG.SEQUENCE, 'crlEntryExtensions'), ignoreOddity);
  entry.finish();
  const reason = extensions.get(CRL_ENTRY_EXTENSION.reasonCode);
  return {
    serial,
    at,
    issuer: indirect ? entryIssuer(extensions) : undefined,
    reason: reason === undefined ? undefined : readReason(reason.value),
    unusable: unusableByEntry(extensions, indirect),
  };
}

function readReason(value: Uint8Array): string {
  const reader = new DerReader(value, 'reasonCode');
  const element = reader.take(TAG.ENUMERATED, 'value');
  reader.finish();
  const [code] = element.content;
  if (code === undefined || element.content.length > 1) return element.fail('an ENUMERATED that is not one octet');
  return REASONS[code] ?? `${code}`;
}

function readListExtensions(tbs: DerReader, version: Version): ReadonlyMap<string, Extension> {
  const wrapper = tbs.takeIf(0xa0, 'crlExtensions')?.enter();
  if (wrapper === undefined) return new Map();
  if (version === 1) wrapper.fail('extensions in a version 1 list');
  const list = wrapper.enter(TAG.SEQUENCE, 'value');
  wrapper.finish();
  return readExtensions(list, ignoreOddity);
}

/** 20 by RFC 5280 §5.2.3, and one more for CAs that did not count the sign. */
const MAX_NUMBER_BYTES = 21;

function readNumber(value: Uint8Array): string {
  const reader = new DerReader(value, 'cRLNumber');
  const content = reader.integer('value');
  reader.finish();
  if ((content[0] ?? 0) >= 0x80) reader.fail('a negative number');
  if (content.length > MAX_NUMBER_BYTES) reader.fail(`a number of ${content.length} bytes`);
  return Buffer.from(content).toString('hex');
}

/** A serial number counts only with its issuer. The list's own issuer is left out: nearly all entries have it. */
function entryKey(serial: Uint8Array, issuer: string, listIssuer: string): string {
  return issuer === listIssuer ? serialKey(serial) : `${serialKey(serial)} of ${issuer}`;
}

/** Equal for INTEGER contents of equal value. */
function serialKey(content: Uint8Array): string {
  const sign = content[0];
  let start = 0;
  // A leading octet is padding if it only repeats the sign bit of the next octet (X.690 §8.3.2).
  if (sign === 0x00 || sign === 0xff) {
    while (start + 1 < content.length && content[start] === sign && (((content[start + 1] ?? 0) ^ sign) & 0x80) === 0) {
      start++;
    }
  }
  return Buffer.from(content.buffer, content.byteOffset + start, content.length - start).toString('latin1');
}
