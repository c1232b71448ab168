/**
 * Which TPMs a CA certifies (manufacturer, and hardware, cloud or software), judged by its name and its issuer's name.
 */

import type { Pausable } from '../../bytes/pausable.ts';
import type { Certificate } from '../certificate.ts';
import type { TpmKind } from '../ek/vendors.ts';
import { groupBySubject } from '../file/trust-store.ts';
import type { Name } from '../name.ts';
import { KEY_PURPOSE } from '../object-identifiers.ts';

interface Authority {
  readonly manufacturer: string;
  readonly kind: TpmKind;
  /** Every pattern given must match. CAs that share an organisation with others have more than one pattern. */
  readonly commonName?: RegExp;
  readonly organization?: RegExp;
  readonly organizationalUnit?: RegExp;
}

/**
 * Names of CA certificates in the field. Sources: the manufacturers' sites, Microsoft's collection, the certificates of
 * Google's (two generations) and Azure's machines. Also the CAs that swtpm and IBM's TPM tools make (the key of the
 * latter is public), and FIDO's CA for conformance tests. The first match counts, so the more specific entries of an
 * organisation come first.
 */
const AUTHORITIES: readonly Authority[] = [
  { manufacturer: 'swtpm', kind: 'software', commonName: /^swtpm-localca\b/i },
  { manufacturer: 'IBM', kind: 'software', organization: /^IBM$/, commonName: /^EK (EC )?CA$/ },
  { manufacturer: 'FIDO', kind: 'software', organization: /^FIDO Alliance$/i },
  { manufacturer: 'TPM simulator', kind: 'software', commonName: /\b(TPM simulator|software TPM)\b/i },
  { manufacturer: 'Google', kind: 'cloud', commonName: /^tpm_ek_v1_cloud_host/ },
  { manufacturer: 'Google', kind: 'cloud', organization: /^Google\b/, commonName: /^EK\/AK CA\b/ },
  { manufacturer: 'Microsoft Azure', kind: 'cloud', commonName: /^(Global|Azure) Virtual TPM\b/ },
  { manufacturer: 'Microsoft', kind: 'cloud', commonName: /\bHyper-V\b/i },
  // The CA of a vCenter is named after its host, but its organizational unit is always this one.
  { manufacturer: 'VMware', kind: 'cloud', organizationalUnit: /^VMware Engineering$/ },
  { manufacturer: 'VMware', kind: 'cloud', organization: /^VMware\b/ },
  { manufacturer: 'Alibaba Cloud', kind: 'cloud', organization: /^(Aliyun|Alibaba)\b/ },
  { manufacturer: 'AMD', kind: 'hardware', organization: /^(AMD|Advanced Micro Devices)\b/ },
  { manufacturer: 'Atmel', kind: 'hardware', organization: /^Atmel\b/ },
  { manufacturer: 'GlobalSign', kind: 'hardware', organization: /^GlobalSign\b/, commonName: /^GlobalSign Trusted / },
  { manufacturer: 'Infineon', kind: 'hardware', organization: /^Infineon\b/ },
  { manufacturer: 'Intel', kind: 'hardware', organization: /^Intel\b/ },
  { manufacturer: 'Intel', kind: 'hardware', commonName: /^www\.intel\.com$/ },
  { manufacturer: 'Microsoft', kind: 'hardware', organization: /^Microsoft\b/, commonName: /\b(TPM|Pluton)\b/ },
  { manufacturer: 'Nationz', kind: 'hardware', organization: /^Nation[sz]\b/ },
  { manufacturer: 'NSING', kind: 'hardware', organization: /^NSING\b/ },
  { manufacturer: 'Nuvoton', kind: 'hardware', organization: /^Nuvoton\b/ },
  { manufacturer: 'Qualcomm', kind: 'hardware', organization: /^Qualcomm\b/i },
  { manufacturer: 'STMicroelectronics', kind: 'hardware', organization: /^STMicroelectronics\b/ },
  { manufacturer: 'VeriSign', kind: 'hardware', organization: /^VeriSign\b/, commonName: /^VeriSign Trusted / },
];

const COMMON_NAME = '2.5.4.3';
const ORGANIZATION = '2.5.4.10';
const ORGANIZATIONAL_UNIT = '2.5.4.11';

/**
 * Whether the CA certifies hardware, cloud or software TPMs. Undefined if its name does not tell. The certificate
 * chooses its own name: the name is good enough to warn an operator, never to trust a CA.
 */
export function authorityKind(certificate: Certificate): TpmKind | undefined {
  return authorityOf(certificate)?.kind;
}

/** The name of the manufacturer, cloud or program. Undefined if the CA's name does not tell. */
export function authorityManufacturer(certificate: Certificate): string | undefined {
  return authorityOf(certificate)?.manufacturer;
}

/** Words in the names of CAs that certify endorsement keys. */
const TPM_WORDS = /\b([vf]?TPMs?\d*|EK|endorsement|trusted platform module|Pluton|PTT)\b/i;

/**
 * Whether a CA certificate shows that the CA, or its issuer, certifies TPMs: by a known name, a key purpose, or a word
 * in a name. Web CAs show nothing of the kind; anybody can get a certificate from them.
 */
export function tellsOfTpms(certificate: Certificate): boolean {
  const { subject, issuer, extKeyUsage } = certificate;
  const texts = [subject, issuer].flatMap(({ relativeNames }) => relativeNames.flat().map(({ text }) => text ?? ''));
  return (
    authorityOf(certificate) !== undefined ||
    extKeyUsage?.includes(KEY_PURPOSE.ekCertificate) === true ||
    texts.some((text) => TPM_WORDS.test(text))
  );
}

/** The CAs that show that they certify TPMs, and all CAs above them, matched by name. */
export function* tellingAuthorities(store: readonly Certificate[]): Pausable<ReadonlySet<Certificate>> {
  const known = new Set<Certificate>();
  for (const certificate of store) {
    if (tellsOfTpms(certificate)) known.add(certificate);
    yield;
  }
  const bySubject = groupBySubject(store);
  const walked = new Set<string>();
  // The loop also visits members added during the loop. Many CAs may share one name, so each name is looked up once.
  for (const { issuer } of known) {
    if (walked.has(issuer.canonical)) continue;
    walked.add(issuer.canonical);
    for (const above of bySubject.get(issuer.canonical) ?? []) known.add(above);
    yield;
  }
  return known;
}

/** Falls back to the issuer's name: some CAs are named after a product or a machine. */
function authorityOf({ subject, issuer }: Certificate): Authority | undefined {
  return namedAuthority(subject) ?? namedAuthority(issuer);
}

function namedAuthority(name: Name): Authority | undefined {
  const commonNames = textsOf(name, COMMON_NAME);
  const organizations = textsOf(name, ORGANIZATION);
  const units = textsOf(name, ORGANIZATIONAL_UNIT);
  const fits = (pattern: RegExp | undefined, texts: readonly string[]): boolean =>
    pattern === undefined || texts.some((text) => pattern.test(text));
  return AUTHORITIES.find(
    ({ commonName, organization, organizationalUnit }) =>
      fits(commonName, commonNames) && fits(organization, organizations) && fits(organizationalUnit, units),
  );
}

function textsOf({ relativeNames }: Name, type: string): readonly string[] {
  return relativeNames.flat().flatMap((attribute) => (attribute.type === type ? [attribute.text?.trim() ?? ''] : []));
}
