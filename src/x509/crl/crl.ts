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

/** Largest list read, in bytes: room for some 400,000 entries. */
export const MAX_CRL_BYTES: number = 16 * 1024 * 1024;

/** Entries read between two pauses. */
const ENTRIES_PER_STEP = 64;

/** What a list says of one certificate. */
export interface Revocation {
  readonly at: Date;
  /** Name of the CRLReason (RFC 5280 §5.3.1), or its number when it has none; undefined when no reason is given. */
  readonly reason: string | undefined;
}

/** A certificate revocation list that has been read. Nothing it says has been verified. */
export interface CertificateRevocationList {
  /** The list's own bytes: a view of what was given, as all byte fields here are. */
  readonly der: Uint8Array;
  /** The bytes that were signed. */
  readonly tbs: Uint8Array;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  readonly issuer: Name;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date | undefined;
  readonly authorityKeyId: Uint8Array | undefined;
  /** CRLNumber in lower-case hex. */
  readonly number: string | undefined;
  /** How many there are, whatever they say. */
  readonly entries: number;
  /** Why nothing may be concluded from what is not in the list, in one phrase; undefined for one that is the whole. */
  readonly unusable: string | undefined;
  /** The same for a certificate that names an indirect list as its own; undefined for one that is the whole of those. */
  readonly unusableForNamers: string | undefined;
  readonly scope: CrlScope;
  /** Nothing may be concluded from what is in it either: nobody knows what an entry is for. */
  readonly speaksForOthers: boolean;
  /**
   * Looks up the content of a certificate's serialNumber, as it stands there. Numbers are compared by value: shipped
   * chips pad theirs with zeros (00000001 is 01), but 80 is negative and not 0080.
   *
   * @param issuer canonical name of the certificate's; that of the list where it is left out
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
 * Reads a CertificateList of version 1 or 2 (RFC 5280 §5.1) that takes up the given bytes exactly, in time and memory
 * that grow with its length alone.
 *
 * DER is required as for certificates, save for what CAs are seen to do in those. Nothing is re-encoded; later changes
 * to the bytes change the list.
 *
 * @throws {MalformedCertificateError} for anything else.
 */
export function parseCrl(bytes: Uint8Array): CertificateRevocationList {
  return finished(readCrl(bytes));
}

/** @throws as `parseCrl` */
export function* readCrl(bytes: Uint8Array): Pausable<CertificateRevocationList> {
  if (bytes.length > MAX_CRL_BYTES) {
    throw new MalformedCertificateError('certificateList', 0, `${bytes.length} bytes, ${MAX_CRL_BYTES} are read`);
  }
  // A Buffer would make every slice of it a Buffer.
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
  // Only the inner one is signed (RFC 5280 §5.1.1.2).
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
  // RFC 5280 §5.1.2.5 requires one; without it there is no telling whether the list is still the last word.
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

/** A list has no oddities of its own to tell: they are those of its issuer's certificates. */
const ignoreOddity = (): void => {};

type Version = 1 | 2;

function readVersion(tbs: DerReader): Version {
  // Version 1 is written by leaving it out.
  if (tbs.nextTag !== TAG.INTEGER) return 1;
  const content = tbs.integer('version');
  if (content.length !== 1 || content[0] !== 1) tbs.fail('not a version 2 list');
  return 2;
}

interface Entries {
  readonly count: number;
  /** Where the entry that revokes a certificate begins, by its `entryKey`. All else is read again when asked for. */
  readonly offsets: ReadonlyMap<string, number>;
  readonly unusable: string | undefined;
  readonly speaksForOthers: boolean;
}

/** RFC 5280 §5.1.2.6 wants no list rather than an empty one; both say that nothing is revoked. */
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
    // Lifts an entry of an earlier list (RFC 5280 §5.3.1): a thing for delta CRLs, and here never one for lifting
    // what the same list revokes. Of two entries that do revoke a certificate, the first is told.
    if (entry.reason === 'removeFromCRL') continue;
    const key = entryKey(entry.serial, issuer, listIssuer);
    if (!offsets.has(key)) offsets.set(key, element.offset);
  }
  return { count, offsets, unusable, speaksForOthers: forOthers };
}

interface Entry extends Revocation {
  readonly serial: Uint8Array;
  /** Canonical; undefined where it is that of the entry before. */
  readonly issuer: string | undefined;
  readonly unusable: string | undefined;
}

function readEntry(entry: DerReader, version: Version, indirect: boolean): Entry {
  // No limit to its length: a number that no certificate can have must not take the other entries with it.
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
  if (code === undefined || element.content.length > 1) return element.fail('an ENUMERATED of other than one octet');
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

/** RFC 5280 §5.2.3 has 20, and one more is for the sign. */
const MAX_NUMBER_BYTES = 21;

function readNumber(value: Uint8Array): string {
  const reader = new DerReader(value, 'cRLNumber');
  const content = reader.integer('value');
  reader.finish();
  if ((content[0] ?? 0) >= 0x80) reader.fail('a negative number');
  if (content.length > MAX_NUMBER_BYTES) reader.fail(`a number of ${content.length} bytes`);
  return Buffer.from(content).toString('hex');
}

/** Serial numbers mean nothing beside another issuer's name; that of the list is left out, as nearly all entries are its. */
function entryKey(serial: Uint8Array, issuer: string, listIssuer: string): string {
  return issuer === listIssuer ? serialKey(serial) : `${serialKey(serial)} of ${issuer}`;
}

/** Equal for content octets of INTEGERs that have the same value. */
function serialKey(content: Uint8Array): string {
  const sign = content[0];
  let start = 0;
  // An octet is padding where it is all sign, and the next one has that sign as well (X.690 §8.3.2).
  if (sign === 0x00 || sign === 0xff) {
    while (start + 1 < content.length && content[start] === sign && (((content[start + 1] ?? 0) ^ sign) & 0x80) === 0) {
      start++;
    }
  }
  return Buffer.from(content.buffer, content.byteOffset + start, content.length - start).toString('latin1');
}
