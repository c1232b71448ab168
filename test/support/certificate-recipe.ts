/** Makes a certificate from a recipe, field by field, so that a test can make any field wrong. */
import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import {
  bitString,
  boolean,
  derNull,
  explicit,
  integer,
  octetString,
  oid,
  printableString,
  sequence,
  set,
  time,
  tlv,
  utf8String,
} from './der-writer.ts';

/** The attributes of a name. Each is a relative name of its own; the attributes of an inner list share one. */
export type NameRecipe = readonly (NameEntry | readonly NameEntry[])[];
export interface NameEntry {
  readonly type: string;
  readonly text: string;
  readonly string?: 'utf8' | 'printable';
}

export const commonName = (text: string, string: 'utf8' | 'printable' = 'utf8'): NameRecipe => [
  { type: '2.5.4.3', text, string },
];

export function name(recipe: NameRecipe): Uint8Array {
  return sequence(
    ...recipe.map((relative) => set(...(Array.isArray(relative) ? relative : [relative as NameEntry]).map(attribute))),
  );
}

function attribute({ type, text, string = 'utf8' }: NameEntry): Uint8Array {
  return sequence(oid(type), string === 'utf8' ? utf8String(text) : printableString(text));
}

export interface ExtensionRecipe {
  readonly oid: string;
  /** FALSE is left out. An array of bytes is written as the element itself, such as an encoded FALSE. */
  readonly critical?: boolean | Uint8Array;
  readonly value: Uint8Array;
}

export function extension({ oid: type, critical = false, value }: ExtensionRecipe): Uint8Array {
  const flag = critical === true ? boolean(true) : critical || new Uint8Array();
  return sequence(oid(type), flag, octetString(value));
}

const KEY_USAGE_BITS = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
] as const;
export type KeyUsageName = (typeof KEY_USAGE_BITS)[number];

/** The TCG attributes in the subject alternative name. */
export interface TpmRecipe {
  readonly manufacturer?: string;
  readonly model?: string;
  readonly version?: string;
}

/** The fields of a certificate. null leaves an extension out. undefined gives a field its valid default. */
export interface CertificateRecipe {
  readonly subject?: NameRecipe;
  readonly issuer?: NameRecipe;
  /** SubjectPublicKeyInfo in DER, for example of a real TPM's key. */
  readonly publicKey?: Uint8Array;
  readonly signer?: KeyObject;
  readonly hash?: 'sha1' | 'sha256' | 'sha384' | 'sha512';
  /** AlgorithmIdentifiers in DER. Both default to those of signer and hash. */
  readonly signatureAlgorithm?: Uint8Array;
  readonly innerAlgorithm?: Uint8Array;
  /** The content of the INTEGER. */
  readonly serial?: Uint8Array;
  readonly notBefore?: Date | Uint8Array;
  readonly notAfter?: Date | Uint8Array;
  readonly basicConstraints?: { readonly ca: boolean; readonly pathLength?: number } | null;
  readonly keyUsage?: readonly KeyUsageName[] | null;
  readonly extKeyUsage?: readonly string[] | null;
  readonly san?: TpmRecipe | null;
  readonly sanCritical?: boolean;
  /** The family in the TPM specification attribute. */
  readonly family?: string | null;
  readonly authorityKeyId?: Uint8Array | null;
  readonly subjectKeyId?: Uint8Array | null;
  /** Appended after the others. */
  readonly extraExtensions?: readonly ExtensionRecipe[];
  /** Changes the elements of the TBSCertificate before they are signed. */
  readonly editTbs?: (elements: Uint8Array[]) => readonly Uint8Array[];
  /** Changes the bytes of the TBSCertificate before they are signed. They may then be invalid DER. */
  readonly editTbsBytes?: (tbs: Uint8Array) => Uint8Array;
  /** Makes the signature over those bytes. Default: by signer and hash, PKCS #1 v1.5 for an RSA signer. */
  readonly signTbs?: (tbs: Uint8Array) => Uint8Array;
}

/** Makes the bytes of one certificate. */
export function mintCertificate(recipe: CertificateRecipe & Required<Pick<CertificateRecipe, 'signer'>>): Uint8Array {
  const { signer, hash = 'sha256' } = recipe;
  const publicKey = recipe.publicKey ?? createPublicKey(signer).export({ format: 'der', type: 'spki' });
  const outer = recipe.signatureAlgorithm ?? signatureAlgorithm(signer, hash);
  const elements = [
    explicit(0, integer(2)),
    integer(recipe.serial ?? Uint8Array.of(0x01, 0x23)),
    recipe.innerAlgorithm ?? outer,
    name(recipe.issuer ?? commonName('Test')),
    sequence(
      moment(recipe.notBefore ?? DEFAULT_VALIDITY.notBefore),
      moment(recipe.notAfter ?? DEFAULT_VALIDITY.notAfter),
    ),
    name(recipe.subject ?? commonName('Test')),
    publicKey,
    explicit(3, sequence(...extensionsOf(recipe).map(extension))),
  ];
  const der = sequence(...(recipe.editTbs?.(elements) ?? elements));
  const tbs = recipe.editTbsBytes?.(der) ?? der;
  return sequence(tbs, outer, bitString(recipe.signTbs?.(tbs) ?? sign(hash, tbs, signer)));
}

/** The default validity of all minted certificates, and a moment in it. */
export const DEFAULT_VALIDITY: { readonly notBefore: Date; readonly notAfter: Date } = {
  notBefore: new Date('2020-01-01T00:00:00Z'),
  notAfter: new Date('2049-12-31T23:59:59Z'),
};
export const NOW: Date = new Date('2026-06-01T12:00:00Z');

const moment = (value: Date | Uint8Array): Uint8Array => (value instanceof Date ? time(value) : value);

const SIGNATURES = {
  rsa: {
    sha1: '1.2.840.113549.1.1.5',
    sha256: '1.2.840.113549.1.1.11',
    sha384: '1.2.840.113549.1.1.12',
    sha512: '1.2.840.113549.1.1.13',
  },
  ec: {
    sha1: '1.2.840.10045.4.1',
    sha256: '1.2.840.10045.4.3.2',
    sha384: '1.2.840.10045.4.3.3',
    sha512: '1.2.840.10045.4.3.4',
  },
} as const;

export function signatureAlgorithm(signer: KeyObject, hash: keyof typeof SIGNATURES.rsa): Uint8Array {
  return signer.asymmetricKeyType === 'ec'
    ? sequence(oid(SIGNATURES.ec[hash]))
    : sequence(oid(SIGNATURES.rsa[hash]), derNull());
}

function extensionsOf(recipe: CertificateRecipe): ExtensionRecipe[] {
  const { basicConstraints, keyUsage, extKeyUsage, san, family, authorityKeyId, subjectKeyId } = recipe;
  const list: ExtensionRecipe[] = [];
  if (basicConstraints) {
    const { ca, pathLength } = basicConstraints;
    const value = sequence(...(ca ? [boolean(true)] : []), ...(pathLength === undefined ? [] : [integer(pathLength)]));
    list.push({ oid: '2.5.29.19', critical: true, value });
  }
  if (keyUsage) list.push({ oid: '2.5.29.15', critical: true, value: keyUsageValue(keyUsage) });
  if (extKeyUsage) list.push({ oid: '2.5.29.37', value: sequence(...extKeyUsage.map(oid)) });
  if (san) list.push({ oid: '2.5.29.17', critical: recipe.sanCritical ?? true, value: tpmName(san) });
  if (family) list.push({ oid: '2.5.29.9', value: tpmSpecification(family) });
  if (authorityKeyId) list.push({ oid: '2.5.29.35', value: sequence(tlv(0x80, authorityKeyId)) });
  if (subjectKeyId) list.push({ oid: '2.5.29.14', value: octetString(subjectKeyId) });
  return [...list, ...(recipe.extraExtensions ?? [])];
}

export function keyUsageValue(usages: readonly KeyUsageName[]): Uint8Array {
  const octet = usages.reduce((bits, usage) => bits | (0x80 >> KEY_USAGE_BITS.indexOf(usage)), 0);
  return octet === 0 ? bitString(new Uint8Array()) : bitString(Uint8Array.of(octet), 31 - Math.clz32(octet & -octet));
}

/** GeneralNames with one directoryName. @param layout whether the attributes share one relative name or have three */
export function tpmName(
  tpm: TpmRecipe,
  layout: 'three' | 'one' = 'three',
  string: 'utf8' | 'printable' = 'utf8',
): Uint8Array {
  const entries = [
    { type: '2.23.133.2.1', text: tpm.manufacturer ?? 'id:49465800', string },
    { type: '2.23.133.2.2', text: tpm.model ?? 'SLB 9670', string },
    { type: '2.23.133.2.3', text: tpm.version ?? 'id:073F', string },
  ];
  return sequence(tlv(0xa4, name(layout === 'one' ? [entries] : entries)));
}

export const tpmSpecification = (family: string): Uint8Array =>
  sequence(sequence(oid('2.23.133.2.16'), set(sequence(utf8String(family), integer(0), integer(138)))));
