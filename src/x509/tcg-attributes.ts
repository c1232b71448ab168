import { Buffer } from 'node:buffer';
import { Set as Asn1Set, fromBER, Integer, ObjectIdentifier, Sequence, Utf8String } from 'asn1js';
import { assertDer, DerReader, TAG } from './der.ts';
import { MalformedCertificateError } from './malformed-certificate.ts';
import { type NameAttribute, readName } from './name.ts';
import { TCG_ATTRIBUTE } from './object-identifiers.ts';

/** What the TCG has a certificate say about the TPM in its subject alternative name (EK Credential Profile §3.1.2). */
export interface TcgSubject {
  /** Values in the order found; more than one for a certificate that contradicts itself. */
  readonly manufacturer: readonly string[];
  readonly model: readonly string[];
  readonly version: readonly string[];
  /** The attributes share one relative name instead of having one each; both are in the field. */
  readonly multiValued: boolean;
  /** An attribute in another string type than the UTF8String that the profile asks for. */
  readonly notUtf8: boolean;
}

/** TPMSpecification: the family, level and revision of the library specification the TPM was made to. */
export interface TpmSpecification {
  readonly family: string;
  readonly level: number;
  readonly revision: number;
}

/** directoryName of GeneralName (RFC 5280 §4.2.1.6). */
const DIRECTORY_NAME = 0xa4;

/**
 * Reads the TCG attributes from the value of a subject alternative name, whichever names are beside them.
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
 * Finds the TPM specification in the value of subject directory attributes; undefined where there is none, or none
 * of the shape that EK Credential Profile §3.1.1 gives it. Other attributes there are of no account: vendors fill
 * them in many ways, some with the wrong identifier.
 *
 * @throws {MalformedCertificateError} when the value is not DER, or an element's content not of its type.
 */
export function readTpmSpecification(value: Uint8Array): TpmSpecification | undefined {
  // asn1js reads BER: what it is given has been found to be DER first.
  assertDer(value, 'subjectDirectoryAttributes');
  const result = decode(value);
  if (!(result instanceof Sequence)) return undefined;
  for (const attribute of result.valueBlock.value) {
    if (!(attribute instanceof Sequence)) continue;
    const [type, values] = attribute.valueBlock.value;
    if (!(type instanceof ObjectIdentifier) || type.getValue() !== TCG_ATTRIBUTE.tpmSpecification) continue;
    return values instanceof Asn1Set ? readSpecification(values) : undefined;
  }
  return undefined;
}

function decode(value: Uint8Array): unknown {
  try {
    return fromBER(Buffer.from(value), { maxDepth: 16, maxNodes: 1000 }).result;
  } catch (cause) {
    // Thrown for content that is not of its type, such as a time that is none, and meant for whoever wrote it.
    throw new MalformedCertificateError('subjectDirectoryAttributes', 0, 'not decodable', { cause });
  }
}

function readSpecification(values: Asn1Set): TpmSpecification | undefined {
  const [specification] = values.valueBlock.value;
  if (!(specification instanceof Sequence)) return undefined;
  const [family, level, revision] = specification.valueBlock.value;
  if (!(family instanceof Utf8String && level instanceof Integer && revision instanceof Integer)) return undefined;
  return { family: family.getValue(), level: level.valueBlock.valueDec, revision: revision.valueBlock.valueDec };
}
