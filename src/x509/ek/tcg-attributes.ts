/**
 * Reads the TPM attributes of EK certificates (EK Credential Profile §3.1): manufacturer, model, version,
 * specification.
 */
import { assertDer, DerReader, TAG } from '../der.ts';
import { MalformedCertificateError } from '../malformed-certificate.ts';
import { type Name, type NameAttribute, readName, readString } from '../name.ts';
import { TCG_ATTRIBUTE } from '../object-identifiers.ts';

/** The attributes that name a TPM in the subject alternative name (EK Credential Profile §3.1.2). */
export interface TcgSubject {
  /** All values in the order found. A certificate with several values contradicts itself. */
  readonly manufacturer: readonly string[];
  readonly model: readonly string[];
  readonly version: readonly string[];
  /** Whether the attributes share one relative name. Both forms are in the field. */
  readonly multiValued: boolean;
  /** Whether an attribute is not a UTF8String, as the profile requires. */
  readonly notUtf8: boolean;
}

/** TPMSpecification: family, level and revision of the library specification that the TPM implements. */
export interface TpmSpecification {
  readonly family: string;
  readonly level: number;
  readonly revision: number;
}

/** The most alternative names, and the longest directory attributes. Those in the field have one name and 300 bytes. */
const MAX_NAMES = 16;
const MAX_DIRECTORY_BYTES = 2048;

/** directoryName of GeneralName (RFC 5280 §4.2.1.6). */
const DIRECTORY_NAME = 0xa4;

/**
 * Reads the TCG attributes from the value of a subject alternative name. Other names in it do not matter.
 *
 * @throws {MalformedCertificateError}
 */
export function readTcgSubject(value: Uint8Array): TcgSubject {
  const outer = new DerReader(value, 'subjectAltName');
  const names = outer.enter(TAG.SEQUENCE, 'value');
  outer.finish();
  const found: NameAttribute[] = [];
  let multiValued = false;
  for (let i = 0; !names.atEnd; i++) {
    if (i === MAX_NAMES) names.fail(`more than ${MAX_NAMES} names`);
    const general = names.next(`[${i}]`);
    if (general.tag !== DIRECTORY_NAME) continue;
    const wrapper = general.enter();
    const name = readName(wrapper.take(TAG.SEQUENCE, 'directoryName'), () => {});
    wrapper.finish();
    for (const relative of name.relativeNames) {
      const ours = relative.filter(({ type }) => isTcgAttribute(type));
      if (ours.length > 1) multiValued = true;
      found.push(...ours);
    }
  }
  return subjectOf(found, multiValued);
}

/** Reads the TCG attributes from a name. The TPMs of hypervisors have them in the subject. */
export function readTcgName({ relativeNames }: Name): TcgSubject {
  const ours = relativeNames.map((relative) => relative.filter(({ type }) => isTcgAttribute(type)));
  return subjectOf(
    ours.flat(),
    ours.some(({ length }) => length > 1),
  );
}

function subjectOf(found: readonly NameAttribute[], multiValued: boolean): TcgSubject {
  const texts = (oid: string): string[] => found.filter(({ type }) => type === oid).map(({ text }) => text ?? '');
  return {
    manufacturer: texts(TCG_ATTRIBUTE.tpmManufacturer),
    model: texts(TCG_ATTRIBUTE.tpmModel),
    version: texts(TCG_ATTRIBUTE.tpmVersion),
    multiValued,
    notUtf8: found.some(({ tag }) => tag !== TAG.UTF8_STRING),
  };
}

function isTcgAttribute(type: string): boolean {
  return type === TCG_ATTRIBUTE.tpmManufacturer || type === TCG_ATTRIBUTE.tpmModel || type === TCG_ATTRIBUTE.tpmVersion;
}

/**
 * Finds the TPM specification in the value of subject directory attributes. Undefined if there is none in the form of
 * EK Credential Profile §3.1.1. Other attributes do not matter: vendors write them in many ways, some with the wrong
 * identifier.
 *
 * @throws {MalformedCertificateError} if the value is not DER, or too long.
 */
export function readTpmSpecification(value: Uint8Array): TpmSpecification | undefined {
  if (value.length > MAX_DIRECTORY_BYTES)
    throw new MalformedCertificateError('subjectDirectoryAttributes', 0, `${value.length} bytes`);
  assertDer(value, 'subjectDirectoryAttributes');
  const attributes = new DerReader(value, 'subjectDirectoryAttributes').takeIf(TAG.SEQUENCE, 'value')?.enter();
  for (let i = 0; attributes?.atEnd === false; i++) {
    const attribute = attributes.next(`[${i}]`);
    if (attribute.tag !== TAG.SEQUENCE) continue;
    const reader = attribute.enter();
    const type = reader.takeIf(TAG.OBJECT_IDENTIFIER, 'type');
    if (type === undefined || type.objectIdentifier() !== TCG_ATTRIBUTE.tpmSpecification) continue;
    const values = reader.takeIf(TAG.SET, 'values')?.enter();
    const specification = values?.takeIf(TAG.SEQUENCE, 'specification')?.enter();
    return specification === undefined ? undefined : readSpecification(specification);
  }
  return undefined;
}

function readSpecification(reader: DerReader): TpmSpecification | undefined {
  const family = reader.takeIf(TAG.UTF8_STRING, 'family');
  const level = readNumber(reader, 'level');
  const revision = readNumber(reader, 'revision');
  if (family === undefined || level === undefined || revision === undefined) return undefined;
  return { family: readString(family) ?? '', level, revision };
}

function readNumber(reader: DerReader, field: string): number | undefined {
  if (reader.nextTag !== TAG.INTEGER) return undefined;
  return reader
    .integer(field)
    .reduce((sum, octet, i) => (i === 0 && octet >= 0x80 ? octet - 256 : sum * 256 + octet), 0);
}
