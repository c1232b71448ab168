/** Reads the extensions of certificates and revocation lists (RFC 5280 §4.2). */
import { DerReader, TAG } from './der.ts';
import { ACCESS_CA_ISSUERS, EXTENSION } from './object-identifiers.ts';

/** One extension (RFC 5280 §4.2). */
export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  /** The content of extnValue: DER of the extension's own type. */
  readonly value: Uint8Array;
}

/** Whether the subject is a CA (RFC 5280 §4.2.1.9). */
export interface BasicConstraints {
  readonly ca: boolean;
  /** The most CA certificates, not counting self-issued ones, that may follow. Undefined for no limit. */
  readonly pathLength: number | undefined;
}

/** Named bits of KeyUsage, in bit order (RFC 5280 §4.2.1.3). */
export const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;

/** One of `KEY_USAGES`. */
export type KeyUsage = (typeof KEY_USAGES)[number];

/** Oddities of extensions. */
export type ExtensionOddity =
  | 'critical-FALSE-encoded'
  | 'cA-FALSE-encoded'
  | 'keyUsage-trailing-zero-bits'
  | 'keyUsage-noncritical';

export type OnOddity = (oddity: ExtensionOddity) => void;

/** The most extensions accepted. Certificates in the field have up to nine. */
const MAX_EXTENSIONS = 32;

/** The most key purposes, and the most access descriptions, read. Certificates in the field have up to four of each. */
const MAX_LISTED = 32;

/** Reads Extensions ::= SEQUENCE SIZE (1..MAX) OF Extension. No extension may occur twice. */
export function readExtensions(reader: DerReader, onOddity: OnOddity): ReadonlyMap<string, Extension> {
  const extensions = new Map<string, Extension>();
  if (reader.atEnd) reader.fail('an empty list of extensions');
  for (let i = 0; !reader.atEnd; i++) {
    // tooth certificates: a certificate may hold any number of extensions
    if (i === MAX_EXTENSIONS) reader.fail(`more than ${MAX_EXTENSIONS} extensions`);
    const extension = reader.enter(TAG.SEQUENCE, `[${i}]`);
    const oid = extension.objectIdentifier('extnID');
    // Two programs could each use another of the two, and so read different certificates.
    // tooth A65, A85: the last of several extensions counts
    if (extensions.has(oid)) extension.fail(`extension ${oid} occurs twice`);
    const critical = readDefaultFalse(extension, 'critical', () => onOddity('critical-FALSE-encoded'));
    const value = extension.take(TAG.OCTET_STRING, 'extnValue').content;
    extension.finish();
    extensions.set(oid, { oid, critical, value });
  }
  return extensions;
}

/** BOOLEAN DEFAULT FALSE: absent, or TRUE as 0xff. DER forbids an encoded FALSE, but one vendor's chips write it. */
function readDefaultFalse(reader: DerReader, field: string, onEncodedFalse: () => void): boolean {
  const element = reader.takeIf(TAG.BOOLEAN, field);
  if (element === undefined) return false;
  const [octet] = element.content;
  // tooth A85: any octet but zero is a true flag
  if (element.content.length !== 1 || (octet !== 0x00 && octet !== 0xff))
    element.fail('a BOOLEAN that is not 00 or ff');
  if (octet === 0x00) onEncodedFalse();
  return octet === 0xff;
}

export function readBasicConstraints(value: Uint8Array, onOddity: OnOddity): BasicConstraints {
  const outer = new DerReader(value, 'basicConstraints');
  const reader = outer.enter(TAG.SEQUENCE, 'value');
  outer.finish();
  const ca = readDefaultFalse(reader, 'cA', () => onOddity('cA-FALSE-encoded'));
  const pathLength = reader.atEnd ? undefined : readPathLength(reader);
  reader.finish();
  return { ca, pathLength };
}

function readPathLength(reader: DerReader): number {
  const content = reader.integer('pathLenConstraint');
  const [first = 0] = content;
  if (first >= 0x80) reader.fail('a negative path length');
  // A limit of more than one octet is longer than every path that the search follows.
  return content.length === 1 ? first : Number.MAX_SAFE_INTEGER;
}

export function readKeyUsage(value: Uint8Array, onOddity: OnOddity): ReadonlySet<KeyUsage> {
  const reader = new DerReader(value, 'keyUsage');
  const element = reader.take(TAG.BIT_STRING, 'value');
  reader.finish();
  const [unused = 8, ...octets] = element.content;
  const last = octets.at(-1);
  if (unused > 7 || (last === undefined && unused !== 0))
    element.fail('a BIT STRING with a wrong count of unused bits');
  if (last !== undefined && (last & ((1 << unused) - 1)) !== 0) element.fail('a BIT STRING with unused bits set');
  // DER drops trailing zero bits of a named bit list (X.690 §11.2.2); more than half of the known CAs keep them.
  if (last !== undefined && (last & (1 << unused)) === 0) onOddity('keyUsage-trailing-zero-bits');
  const isSet = (bit: number): boolean => ((octets[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0;
  return new Set(KEY_USAGES.filter((_, bit) => isSet(bit)));
}

export function readExtKeyUsage(value: Uint8Array): readonly string[] {
  const outer = new DerReader(value, 'extKeyUsage');
  const reader = outer.enter(TAG.SEQUENCE, 'value');
  outer.finish();
  const purposes: string[] = [];
  do {
    if (purposes.length === MAX_LISTED) reader.fail(`more than ${MAX_LISTED} key purposes`);
    purposes.push(reader.objectIdentifier(`[${purposes.length}]`));
  } while (!reader.atEnd);
  return purposes;
}

export function readSubjectKeyIdentifier(value: Uint8Array): Uint8Array {
  const reader = new DerReader(value, 'subjectKeyIdentifier');
  const identifier = reader.take(TAG.OCTET_STRING, 'value').content;
  reader.finish();
  return identifier;
}

/** The keyIdentifier of the issuer's key. Undefined if the extension names the issuer only in another way. */
export function readAuthorityKeyIdentifier(value: Uint8Array): Uint8Array | undefined {
  const outer = new DerReader(value, 'authorityKeyIdentifier');
  const reader = outer.enter(TAG.SEQUENCE, 'value');
  outer.finish();
  const identifier = reader.takeIf(0x80, 'keyIdentifier')?.content;
  reader.takeIf(0xa1, 'authorityCertIssuer');
  reader.takeIf(0x82, 'authorityCertSerialNumber');
  reader.finish();
  return identifier;
}

/** The addresses of the issuer's certificate. They are for people: this code never fetches them. */
export function readIssuerAddresses(extensions: ReadonlyMap<string, Extension>): readonly string[] {
  const extension = extensions.get(EXTENSION.authorityInfoAccess);
  if (extension === undefined) return [];
  const outer = new DerReader(extension.value, 'authorityInfoAccess');
  const reader = outer.enter(TAG.SEQUENCE, 'value');
  outer.finish();
  const addresses: string[] = [];
  for (let i = 0; !reader.atEnd && i < MAX_LISTED; i++) {
    const description = reader.enter(TAG.SEQUENCE, `[${i}]`);
    const method = description.objectIdentifier('accessMethod');
    const location = description.next('accessLocation');
    // [6] uniformResourceIdentifier IA5String (RFC 5280 §4.2.1.6)
    if (method !== ACCESS_CA_ISSUERS || location.tag !== 0x86) continue;
    addresses.push(String.fromCharCode(...location.content));
  }
  return addresses;
}
