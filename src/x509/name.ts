/** Reads, compares and prints distinguished names (RFC 5280 §4.1.2.4). */
import { Buffer } from 'node:buffer';
import { ByteMemo } from '../bytes/byte-memo.ts';
import { type DerElement, type DerReader, TAG } from './der.ts';

/** One attribute of a distinguished name. */
export interface NameAttribute {
  /** Dotted object identifier. */
  readonly type: string;
  /** The identifier octet of the value. */
  readonly tag: number;
  /** Undefined if the value has no string type. */
  readonly text: string | undefined;
}

/** A distinguished name: the signed bytes, and a form for comparison. */
export interface Name {
  readonly der: Uint8Array;
  /** The attributes of each relative name, in order. */
  readonly relativeNames: readonly (readonly NameAttribute[])[];
  /**
   * Equal for names that match by RFC 5280 §7.1, which ignores string type, case and runs of white space. Real chains
   * need that: some issuers re-encode their own name with another string type or one more space.
   */
  readonly canonical: string;
}

/** Oddities of names. */
export type NameOddity = 'RDN-SET-not-sorted' | 'multi-valued-RDN';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const UTF16BE = new TextDecoder('utf-16be', { fatal: true, ignoreBOM: true });

interface Reading extends Omit<Name, 'der'> {
  readonly oddities: ReadonlySet<NameOddity>;
}

/** Caches names: a CA's name is in every certificate that it issues. */
const READINGS = new ByteMemo<Reading>();

/** Reads a Name ::= SEQUENCE OF SET OF AttributeTypeAndValue (RFC 5280 §4.1.2.4). */
export function readName(element: DerElement, onOddity: (oddity: NameOddity) => void): Name {
  let reading = element.recallFrom(READINGS);
  if (reading === undefined) {
    reading = readAttributes(element);
    element.keepIn(READINGS, reading);
  }
  for (const oddity of reading.oddities) onOddity(oddity);
  return { der: element.der, relativeNames: reading.relativeNames, canonical: reading.canonical };
}

function readAttributes(element: DerElement): Reading {
  if (element.tag !== TAG.SEQUENCE) element.fail('a name that is not a SEQUENCE');
  const oddities = new Set<NameOddity>();
  const relativeNames: NameAttribute[][] = [];
  const canonical: string[] = [];
  let count = 0;
  const names = element.enter();
  if (element.content.length > MAX_NAME_BYTES) element.fail(`a name of ${element.content.length} bytes`);
  while (!names.atEnd) {
    const set = names.enter(TAG.SET, `rdn[${relativeNames.length}]`);
    if (set.atEnd) set.fail('a relative name without attributes');
    const attributes: NameAttribute[] = [];
    const forms: string[] = [];
    let previous: Uint8Array | undefined;
    while (!set.atEnd) {
      if (count === MAX_ATTRIBUTES) set.fail(`more than ${MAX_ATTRIBUTES} attributes in one name`);
      count += 1;
      const pair = set.take(TAG.SEQUENCE, `attribute[${attributes.length}]`);
      // DER requires a sorted SET OF. One vendor's chips and roots have unsorted ones.
      if (previous !== undefined && compareBytes(previous, pair.der) > 0) oddities.add('RDN-SET-not-sorted');
      previous = pair.der;
      readAttribute(pair.enter(), attributes, forms);
    }
    if (attributes.length > 1) oddities.add('multi-valued-RDN');
    relativeNames.push(attributes);
    canonical.push(forms.sort().join('+'));
  }
  return { relativeNames, canonical: canonical.join(','), oddities };
}

export function isEmptyName(name: Name): boolean {
  return name.relativeNames.length === 0;
}

/** The longest name, in content bytes, and the most attributes in one. Names in the field have up to 190 and seven. */
const MAX_NAME_BYTES = 2048;
const MAX_ATTRIBUTES = 32;

/** The longest attribute value, in bytes. RFC 5280 appendix A.1 allows 64 characters for most attributes. */
const MAX_ATTRIBUTE_BYTES = 1024;

/**
 * Normalisation sorts combining marks, in time quadratic in their number. The Stream-Safe Text Format (Unicode Standard
 * Annex #15, 13) allows 30 in a row.
 */
const TOO_MANY_MARKS = /\p{M}{31}/u;

function readAttribute(pair: DerReader, attributes: NameAttribute[], forms: string[]): void {
  const type = pair.objectIdentifier('type');
  const value = pair.next('value');
  pair.finish();
  // tooth A72: a name is as long as it likes
  if (value.length > MAX_ATTRIBUTE_BYTES) value.fail(`an attribute of ${value.length} bytes`);
  const text = readString(value);
  attributes.push({ type, tag: value.tag, text });
  // The length keeps different names from having the same form. "=" and "#" keep text and binary values apart.
  const form = text === undefined ? Buffer.from(value.der).toString('hex') : comparable(text, value);
  forms.push(`${type}${text === undefined ? '#' : '='}${form.length}:${form}`);
}

/** Decodes any string type that names may use. Undefined for other types. */
export function readString(value: DerElement): string | undefined {
  const content = value.content;
  switch (value.tag) {
    case TAG.UTF8_STRING:
      return decode(UTF8, value);
    case TAG.PRINTABLE_STRING:
    case TAG.IA5_STRING:
    case TAG.NUMERIC_STRING:
    case TAG.VISIBLE_STRING:
      if (content.some((octet) => octet >= 0x80)) value.fail('a character outside ASCII');
      return latin1(content);
    case TAG.TELETEX_STRING:
      return latin1(content);
    case TAG.BMP_STRING:
      return decode(UTF16BE, value);
    case TAG.UNIVERSAL_STRING:
      return decodeUniversal(value);
    default:
      return undefined;
  }
}

function decode(decoder: InstanceType<typeof TextDecoder>, value: DerElement): string {
  try {
    return decoder.decode(value.content);
  } catch {
    return value.fail(`not valid ${decoder.encoding}`);
  }
}

function decodeUniversal(value: DerElement): string {
  const content = value.content;
  if (content.length % 4 !== 0) value.fail('a UniversalString that is not whole characters');
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  let text = '';
  for (let at = 0; at < content.length; at += 4) {
    const point = view.getUint32(at);
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) value.fail('a UniversalString that is not Unicode');
    text += String.fromCodePoint(point);
  }
  return text;
}

function latin1(content: Uint8Array): string {
  return Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('latin1');
}

function comparable(text: string, value: DerElement): string {
  // Nearly every name is printable ASCII, which needs no Unicode normalisation.
  if (/^[\x20-\x7e]*$/.test(text)) return text.toLowerCase().trim().replace(/ {2,}/g, ' ');
  if (TOO_MANY_MARKS.test(text)) value.fail('more than 30 combining marks in a row');
  return text.normalize('NFKC').toLowerCase().normalize('NFKC').trim().replace(/\s+/g, ' ');
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

const SHORT_NAMES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
};

/** The most characters of a name that people are shown. */
const MAX_FORMATTED_CHARS = 200;

/**
 * Formats a name for people: `C=DE, O=Infineon Technologies AG, CN=…`. The result cannot forge a log line. A name
 * longer than all in the field is cut and ends with `…`.
 */
export function formatName(name: Name): string {
  if (isEmptyName(name)) return '(empty name)';
  let text = '';
  for (const attributes of name.relativeNames) {
    text += `${text === '' ? '' : ', '}${attributes.map(formatAttribute).join('+')}`;
    if (text.length > MAX_FORMATTED_CHARS) return `${beginning(text)}…`;
  }
  return text;
}

function formatAttribute({ type, text }: NameAttribute): string {
  // tooth A75 [printable(beginning(text)) -> beginning(text)]: a name stands in the log as it is
  return `${SHORT_NAMES[type] ?? type}=${text === undefined ? '(binary)' : printable(beginning(text))}`;
}

/** The beginning of a text, without half a surrogate pair at its end. */
function beginning(text: string): string {
  return text.slice(0, MAX_FORMATTED_CHARS).replace(/[\ud800-\udbff]$/, '');
}

/** Escapes the separators of names, and all characters that a terminal or log could interpret. */
export function printable(text: string): string {
  return text.replace(/[\\,+"\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu, (character) =>
    /[\\,+"]/.test(character) ? `\\${character}` : `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
