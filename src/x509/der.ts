/** Reads DER (X.690 §10) strictly and in place, and reports where it broke. */
import type { ByteMemo } from '../bytes/byte-memo.ts';
import { dotted } from './dotted.ts';
import { MalformedCertificateError } from './malformed-certificate.ts';

/** Identifier octets (X.690 §8.1.2) of the universal types that certificates use. */
export const TAG = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  NULL: 0x05,
  OBJECT_IDENTIFIER: 0x06,
  ENUMERATED: 0x0a,
  UTF8_STRING: 0x0c,
  NUMERIC_STRING: 0x12,
  PRINTABLE_STRING: 0x13,
  TELETEX_STRING: 0x14,
  IA5_STRING: 0x16,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  VISIBLE_STRING: 0x1a,
  UNIVERSAL_STRING: 0x1c,
  BMP_STRING: 0x1e,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

/** The deepest nesting accepted. Certificates need about eight levels. Unbounded recursion could crash the parser. */
const MAX_DEPTH = 16;

/** One element, viewed in place. Nothing is copied, so `der` has the very bytes that a hash or signature covers. */
export class DerElement {
  readonly tag: number;
  /** The offset of the identifier octet from the start of the input. */
  readonly offset: number;
  readonly #reader: DerReader;
  readonly #field: string;
  readonly #contentStart: number;
  readonly #end: number;

  constructor(reader: DerReader, field: string, tag: number, offset: number, contentStart: number, end: number) {
    this.tag = tag;
    this.offset = offset;
    this.#reader = reader;
    this.#field = field;
    this.#contentStart = contentStart;
    this.#end = end;
  }

  /** Identifier, length and content. */
  get der(): Uint8Array {
    return this.#reader.bytes.subarray(this.offset, this.#end);
  }

  /** The length of identifier, length and content together, in bytes. */
  get length(): number {
    return this.#end - this.offset;
  }

  get content(): Uint8Array {
    return this.#reader.bytes.subarray(this.#contentStart, this.#end);
  }

  /**
   * Reads the content as a series of elements, for a constructed type or a string type that wraps DER.
   *
   * @param skip octets in front of the wrapped DER
   */
  enter(skip = 0): DerReader {
    return new DerReader(this.#reader.bytes, this.#field, this.#contentStart + skip, this.#end, this.#reader);
  }

  /** The content as an OBJECT IDENTIFIER in dotted decimal form. */
  objectIdentifier(): string {
    return dotted(this.#reader.bytes, this.#contentStart, this.#end, this);
  }

  /** The value that was kept for an element with the same bytes. */
  recallFrom<T>(memo: ByteMemo<T>): T | undefined {
    return memo.recall(this.#reader.bytes, this.offset, this.#end);
  }

  keepIn<T>(memo: ByteMemo<T>, value: T): void {
    memo.keep(this.#reader.bytes, this.offset, this.#end, value);
  }

  fail(reason: string): never {
    throw new MalformedCertificateError(this.path, this.offset, reason);
  }

  get path(): string {
    return `${this.#reader.path}.${this.#field}`;
  }
}

/**
 * Reads elements one after another by the rules of DER (X.690 §10): definite lengths in their shortest form. It accepts
 * one-octet tags only. Every fault throws a {@link MalformedCertificateError} with the field and the offset.
 */
export class DerReader {
  readonly bytes: Uint8Array;
  readonly #field: string;
  readonly #parent: DerReader | undefined;
  readonly #depth: number;
  readonly #end: number;
  #position: number;
  /** Where the content of the last element starts. */
  #contentStart = 0;

  constructor(bytes: Uint8Array, field: string, start = 0, end: number = bytes.length, parent?: DerReader) {
    this.bytes = bytes;
    this.#field = field;
    this.#position = start;
    this.#end = end;
    this.#parent = parent;
    this.#depth = parent === undefined ? 0 : parent.#depth + 1;
    if (this.#depth > MAX_DEPTH) this.fail(`nested deeper than ${MAX_DEPTH} levels`);
  }

  get path(): string {
    return this.#parent === undefined ? this.#field : `${this.#parent.path}.${this.#field}`;
  }

  get atEnd(): boolean {
    return this.#position === this.#end;
  }

  /** The next element's identifier octet; undefined at the end. */
  get nextTag(): number | undefined {
    return this.atEnd ? undefined : this.bytes[this.#position];
  }

  fail(reason: string, offset: number = this.#position): never {
    throw new MalformedCertificateError(this.path, offset, reason);
  }

  /** Reads the next element, whatever its type. */
  next(field: string): DerElement {
    const offset = this.#position;
    const tag = this.#header(field);
    return new DerElement(this, field, tag, offset, this.#contentStart, this.#position);
  }

  /** Steps over the next element. @returns its identifier octet */
  #header(field: string): number {
    const offset = this.#position;
    const tag = this.#octet(offset, field);
    if ((tag & 0x1f) === 0x1f) this.#refuse(field, offset, 'a tag of more than one octet');
    let cursor = offset + 1;
    let length = this.#octet(cursor++, field);
    if (length === 0x80) this.#refuse(field, offset, 'indefinite length');
    if (length > 0x80) {
      const octets = length & 0x7f;
      if (octets > 4) this.#refuse(field, offset, `length given in ${octets} octets`);
      length = 0;
      for (let i = 0; i < octets; i++) length = length * 256 + this.#octet(cursor++, field);
      // The shortest form has no leading zero octet. A length below 128 uses the one-octet form (X.690 §10.1).
      // tooth A85: a longer spelling of a length will do
      if (length < (octets === 1 ? 0x80 : 256 ** (octets - 1))) {
        this.#refuse(field, offset, 'length is not in its shortest form');
      }
    }
    const end = cursor + length;
    if (end > this.#end) this.#refuse(field, offset, `claims ${length} bytes, ${this.#end - cursor} are left`);
    this.#contentStart = cursor;
    this.#position = end;
    return tag;
  }

  /** Reads the next element, which must be of this type. */
  take(tag: number, field: string): DerElement {
    this.#expect(tag, field);
    return this.next(field);
  }

  #expect(tag: number, field: string): void {
    const found = this.nextTag;
    if (found !== tag) {
      this.#refuse(
        field,
        this.#position,
        found === undefined ? 'is missing' : `expected tag ${octetText(tag)}, found ${octetText(found)}`,
      );
    }
  }

  /** Reads the next element if it is of this type. */
  takeIf(tag: number, field: string): DerElement | undefined {
    return this.nextTag === tag ? this.next(field) : undefined;
  }

  enter(tag: number, field: string): DerReader {
    this.#expect(tag, field);
    this.#header(field);
    return new DerReader(this.bytes, field, this.#contentStart, this.#position, this);
  }

  /** Refuses unread bytes: they could hide a second meaning. */
  finish(): void {
    if (!this.atEnd) this.fail(`${this.#end - this.#position} bytes too many`);
  }

  objectIdentifier(field: string): string {
    return this.take(TAG.OBJECT_IDENTIFIER, field).objectIdentifier();
  }

  /** The content octets of an INTEGER: two's complement in its shortest form. */
  integer(field: string): Uint8Array {
    const element = this.take(TAG.INTEGER, field);
    const content = element.content;
    if (content.length === 0) element.fail('an INTEGER without content');
    // tooth A85: a longer spelling of a number will do
    if (!isShortestInteger(content)) element.fail('an INTEGER not in its shortest form');
    return content;
  }

  /** The octets of a BIT STRING without unused bits. Keys and signatures have that form. */
  octetsOfBitString(field: string): Uint8Array {
    const element = this.take(TAG.BIT_STRING, field);
    const content = element.content;
    if (content[0] !== 0) element.fail('a BIT STRING that is not whole octets');
    return content.subarray(1);
  }

  #octet(at: number, field: string): number {
    const octet = at < this.#end ? this.bytes[at] : undefined;
    if (octet === undefined) this.#refuse(field, at, 'ends inside an identifier or length');
    return octet;
  }

  #refuse(field: string, offset: number, reason: string): never {
    throw new MalformedCertificateError(`${this.path}.${field}`, offset, reason);
  }
}

export function isShortestInteger(content: Uint8Array): boolean {
  const [first = 0, second] = content;
  return second === undefined || !((first === 0x00 && second < 0x80) || (first === 0xff && second >= 0x80));
}

/**
 * Checks that every length, tag and level inside the bytes is DER. Use it before a less strict library reads them.
 */
export function assertDer(bytes: Uint8Array, field: string): void {
  const reader = new DerReader(bytes, field);
  walk(reader.next('value'));
  reader.finish();
}

function walk(element: DerElement): void {
  const constructed = (element.tag & 0x20) !== 0;
  const universal = (element.tag & 0xc0) === 0;
  const seriesTag = element.tag | 0x20;
  const series = seriesTag === TAG.SEQUENCE || seriesTag === TAG.SET;
  if (universal && constructed !== series) element.fail('a primitive type in constructed form, or the reverse');
  if (!constructed) return;
  const reader = element.enter();
  for (let i = 0; !reader.atEnd; i++) walk(reader.next(`[${i}]`));
}

function octetText(octet: number): string {
  return `0x${octet.toString(16).padStart(2, '0')}`;
}
