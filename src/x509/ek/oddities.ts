/** Lists all oddities of a certificate, for reports and surveys. */
import type { Certificate } from '../certificate.ts';
import { DerReader } from '../der.ts';
import type { IntakeOddity } from '../intake.ts';
import { MalformedCertificateError } from '../malformed-certificate.ts';
import { printable } from '../name.ts';
import { EXTENSION } from '../object-identifiers.ts';
import type { EkOddity } from './ek-profile.ts';
import { readTcgSubject, readTpmSpecification } from './tcg-attributes.ts';

/** Extensions that some CAs mark critical and others do not: RFC 5280 §4.2 leaves it to the issuer. */
const CRITICAL = [
  [EXTENSION.subjectAltName, 'SAN-critical'],
  [EXTENSION.extKeyUsage, 'EKU-critical'],
  [EXTENSION.certificatePolicies, 'policies-critical'],
] as const;

/** otherName of GeneralName (RFC 5280 §4.2.1.6). */
const OTHER_NAME = 0xa0;

/** The most characters of a TPM version that a name shows. Versions in the field have eleven. */
const MAX_VERSION_CHARACTERS = 32;

/**
 * Names every way in which a certificate breaks a rule or differs from the common case. The sources are the parser, the
 * intake and the certificate's fields. An oddity alone is no fault and refuses nothing.
 *
 * @returns names in code unit order, each once, safe to log. A parameter follows a colon:
 * `tpmVersion-format:id:073f`, `SAN-otherName:1.3.6.1.5.5.7.8.4`.
 */
export function odditiesOf(certificate: Certificate, intake: readonly IntakeOddity[] = []): readonly string[] {
  const names = [...certificate.oddities, ...intake, ...fieldOddities(certificate)];
  for (const [oid, read] of VALUES) {
    const extension = certificate.extensions.get(oid);
    if (extension !== undefined) names.push(...read(extension.value));
  }
  return [...new Set(names)].sort();
}

function fieldOddities({ extensions, keyUsage, notAfter }: Certificate): string[] {
  const names: string[] = CRITICAL.filter(([oid]) => extensions.get(oid)?.critical).map(([, name]) => name);
  if (keyUsage === undefined) names.push('no-keyUsage');
  const year = notAfter.getUTCFullYear();
  // 9999: "no well-defined expiration date" (RFC 5280 §4.1.2.5). UTCTime cannot express 2050 or later.
  if (year === 9999) names.push('notAfter-9999');
  else if (year >= 2050) names.push('date-2050-or-later');
  return names;
}

/** Extensions whose values neither the parser nor the path rules read. */
const VALUES: readonly (readonly [oid: string, read: (value: Uint8Array) => readonly string[]])[] = [
  [EXTENSION.subjectAltName, alternativeNameOddities],
  [EXTENSION.subjectDirectoryAttributes, specificationOddities],
];

function alternativeNameOddities(value: Uint8Array): readonly string[] {
  return orWhenMalformed('SAN-unreadable', () => {
    const { version, multiValued, notUtf8 } = readTcgSubject(value);
    const names: string[] = otherNames(value).map((type) => `SAN-otherName:${type}`);
    if (multiValued) names.push('multi-valued-RDN' satisfies EkOddity);
    if (notUtf8) names.push('SAN-attribute-not-UTF8String' satisfies EkOddity);
    for (const text of version) {
      // Most TPMs have the four octets of TPM_PT_FIRMWARE_VERSION_1, in the profile's upper case.
      if (!/^id:[0-9A-F]{8}$/.test(text))
        names.push(`tpmVersion-format:${printable(text.slice(0, MAX_VERSION_CHARACTERS))}`);
    }
    return names;
  });
}

/** The type identifiers of all otherNames. */
function otherNames(value: Uint8Array): readonly string[] {
  const names = new DerReader(value, 'subjectAltName').next('value').enter();
  const types: string[] = [];
  for (let i = 0; !names.atEnd; i++) {
    const general = names.next(`[${i}]`);
    if (general.tag === OTHER_NAME) types.push(general.enter().objectIdentifier('type-id'));
  }
  return types;
}

function specificationOddities(value: Uint8Array): readonly string[] {
  return orWhenMalformed('TPM-specification-unreadable' satisfies EkOddity, () => {
    readTpmSpecification(value);
    return [];
  });
}

function orWhenMalformed(name: string, read: () => readonly string[]): readonly string[] {
  try {
    return read();
  } catch (error) {
    if (error instanceof MalformedCertificateError) return [name];
    throw error;
  }
}
