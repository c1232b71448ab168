/** Whose TPMs a CA certifies, as far as its name and its issuer's tell. */

import type { Pausable } from '../../bytes/pausable.ts';
import type { Certificate } from '../certificate.ts';
import type { TpmKind } from '../ek/vendors.ts';
import { groupBySubject } from '../file/trust-store.ts';
import type { Name } from '../name.ts';
import { KEY_PURPOSE } from '../object-identifiers.ts';

interface Authority {
  readonly manufacturer: string;
  readonly kind: TpmKind;
  /** Of these attributes one must match; an authority with both is one that shares its organisation with others. */
  readonly commonName?: RegExp;
  readonly organization?: RegExp;
  readonly organizationalUnit?: RegExp;
}

/**
 * Names that CA certificates have been seen with: those of the manufacturers' sites and of Microsoft's collection;
 * Google's two generations and Azure's as in the certificates of their machines; the CAs that swtpm and IBM's TPM
 * tools make by themselves (the key of the latter is public), and FIDO's for conformance tests. The first that fits is
 * taken, so what shares an organisation with others stands before them.
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
  // The certificate authority of a vCenter is called after its host, and everywhere of this unit.
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
 * Whether the CA certifies TPMs in hardware, a cloud's or software ones; undefined where its name does not tell. A name
 * is what the certificate says of itself: enough to warn an operator of a CA they did not mean, never to trust one.
 */
export function authorityKind(certificate: Certificate): TpmKind | undefined {
  return authorityOf(certificate)?.kind;
}

/** Name of the manufacturer, or of the cloud or program, in the same way. */
export function authorityManufacturer(certificate: Certificate): string | undefined {
  return authorityOf(certificate)?.manufacturer;
}

/** What CAs call themselves that certify endorsement keys, whoever they are of. */
const OF_TPMS = /\b([vf]?TPMs?\d*|EK|endorsement|trusted platform module|Pluton|PTT)\b/i;

/**
 * Whether a CA certificate tells in any way that the CA, or the one above it, certifies TPMs: by a known name, its key
 * purposes, or a word in a name. Those of the web tell nothing of the kind, and everybody can have a certificate of theirs.
 */
export function tellsOfTpms(certificate: Certificate): boolean {
  const { subject, issuer, extKeyUsage } = certificate;
  const texts = [subject, issuer].flatMap(({ relativeNames }) => relativeNames.flat().map(({ text }) => text ?? ''));
  return (
    authorityOf(certificate) !== undefined ||
    extKeyUsage?.includes(KEY_PURPOSE.ekCertificate) === true ||
    texts.some((text) => OF_TPMS.test(text))
  );
}

/** Those that tell of TPMs, and the CAs above them, by their names. */
export function* tellingAuthorities(store: readonly Certificate[]): Pausable<ReadonlySet<Certificate>> {
  const known = new Set<Certificate>();
  for (const certificate of store) {
    if (tellsOfTpms(certificate)) known.add(certificate);
    yield;
  }
  const bySubject = groupBySubject(store);
  const walked = new Set<string>();
  // What is added while it is walked is walked as well. CAs in great number may share one name.
  for (const { issuer } of known) {
    if (walked.has(issuer.canonical)) continue;
    walked.add(issuer.canonical);
    for (const above of bySubject.get(issuer.canonical) ?? []) known.add(above);
    yield;
  }
  return known;
}

/** By the issuer where the subject does not tell: CAs named after a product or a machine have such. */
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
