/** Whose TPMs a CA certifies, as far as its name and its issuer's tell. */
import type { Certificate } from './certificate.ts';
import type { Name } from './name.ts';
import type { TpmKind } from './vendors.ts';

interface Authority {
  readonly manufacturer: string;
  readonly kind: TpmKind;
  /** Of these attributes one must match; an authority with both is one that shares its organisation with others. */
  readonly commonName?: RegExp;
  readonly organization?: RegExp;
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

/** By the issuer where the subject does not tell: CAs named after a product or a machine have such. */
function authorityOf({ subject, issuer }: Certificate): Authority | undefined {
  return namedAuthority(subject) ?? namedAuthority(issuer);
}

function namedAuthority(name: Name): Authority | undefined {
  const commonNames = textsOf(name, COMMON_NAME);
  const organizations = textsOf(name, ORGANIZATION);
  const fits = (pattern: RegExp | undefined, texts: readonly string[]): boolean =>
    pattern === undefined || texts.some((text) => pattern.test(text));
  return AUTHORITIES.find(
    ({ commonName, organization }) => fits(commonName, commonNames) && fits(organization, organizations),
  );
}

function textsOf({ relativeNames }: Name, type: string): readonly string[] {
  return relativeNames.flat().flatMap((attribute) => (attribute.type === type ? [attribute.text?.trim() ?? ''] : []));
}
