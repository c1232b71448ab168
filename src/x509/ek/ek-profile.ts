/** Checks EK certificates against the TCG EK Credential Profile, and reads what they say about their TPM. */
import type { Certificate } from '../certificate.ts';
import { MalformedCertificateError } from '../malformed-certificate.ts';
import { EXTENSION, KEY_PURPOSE } from '../object-identifiers.ts';
import { describe, leafUsageProblems, rocaProblems } from '../path/path-rules.ts';
import { isOnCurve, weakness } from '../subject-public-key.ts';
import {
  readTcgName,
  readTcgSubject,
  readTpmSpecification,
  type TcgSubject,
  type TpmSpecification,
} from './tcg-attributes.ts';
import { type TpmKind, tpmVendor } from './vendors.ts';

/** Codes are stable. */
export type EkProblemCode =
  | 'eku'
  | 'key_usage'
  | 'leaf_is_ca'
  | 'serial'
  | 'san_missing'
  | 'san_malformed'
  | 'san_not_critical'
  | 'tpm_attributes'
  | 'tpm_family'
  | 'weak_key'
  | 'roca'
  | 'gce_profile'
  | 'software_tpm'
  | 'manufacturer'
  | 'model'
  | 'firmware';

/** Why a certificate is not an acceptable EK certificate. Codes are stable; messages are for people and safe to log. */
export interface EkProblem {
  readonly code: EkProblemCode;
  readonly message: string;
}

/** What an EK certificate says about its TPM. It is only as trustworthy as the certificate's chain. */
export interface EkCertificateFacts {
  readonly manufacturer: {
    /** Eight upper-case hex digits. */
    readonly id: string;
    /** Undefined for an unknown id. The policy decides whether that matters. */
    readonly name: string | undefined;
    readonly kind: TpmKind;
  };
  /** As written in the certificate. Undefined if it names no model. */
  readonly model: string | undefined;
  /** The firmware version as the vendor writes it: two to eight upper-case hex digits. */
  readonly version: string | undefined;
  /** Undefined if the certificate names none. */
  readonly specification: TpmSpecification | undefined;
  readonly oddities: readonly EkOddity[];
}

/** Ways in which EK certificates differ from the profile and are accepted nevertheless. */
export type EkOddity = 'SAN-attribute-not-UTF8String' | 'multi-valued-RDN' | 'TPM-specification-unreadable';

/** Exceptions from the profile. None by default. */
export interface EkProfileOptions {
  /** Accept certificates of TPMs of family 1.2, which need neither key usage nor key purpose. */
  readonly allowTpm12?: boolean | undefined;
  /** Accept certificates of Google Compute Engine that name a machine instead of a TPM. */
  readonly allowGceProfile?: boolean | undefined;
  /** The caller has found the certificate's key equal to a key that is valid and not weak. */
  readonly keyIsKnown?: boolean | undefined;
}

/** What a certificate says about its TPM, and its problems. */
export interface EkProfileVerdict {
  /** Undefined if the certificate does not name its TPM in a readable way. */
  readonly facts: EkCertificateFacts | undefined;
  readonly problems: readonly EkProblem[];
  /** The certificate belongs to a profile without key purposes. `problems` says whether that profile is accepted. */
  readonly withoutPurposes: boolean;
}

/**
 * Checks a certificate against the TCG EK Credential Profile for TPM 2.0 §3, with allowance for the deviations of
 * shipped TPMs. The rules (ek-rules.ts) decide which TPMs are accepted.
 */
export function checkEkProfile(certificate: Certificate, options: EkProfileOptions = {}): EkProfileVerdict {
  const isGce = isOfGoogleInstance(certificate);
  const { facts, problems: unnamed } = isGce ? { facts: GOOGLE_INSTANCE, problems: [] } : readOnce(certificate);
  const naming: EkProblem[] = [...unnamed];
  const isTpm12 = facts !== undefined && isOfTpm12(certificate, facts);
  // These profiles require no key purpose, so its absence is no problem. Only `options` decide about the profile
  // itself.
  const withoutPurposes = isTpm12 || isGce;
  if (isTpm12 && !options.allowTpm12)
    naming.push({ code: 'tpm_family', message: `${describe(certificate)} is for a TPM of family 1.2` });
  if (isGce && !options.allowGceProfile)
    naming.push({ code: 'gce_profile', message: `${describe(certificate)} names a Google machine instead of a TPM` });
  const problems: EkProblem[] = [
    ...serialProblems(certificate),
    ...usageProblems(certificate, withoutPurposes, isTpm12),
    ...keyProblems(certificate, options.keyIsKnown === true),
  ];
  if (certificate.basicConstraints?.ca === true) {
    problems.push({ code: 'leaf_is_ca', message: `${describe(certificate)} is a CA certificate` });
  }
  return { facts, problems: [...problems, ...naming], withoutPurposes };
}

/**
 * Whether the certificate is for a TPM of family 1.2, whose profile requires no key usage. If the certificate does not
 * name the family, the form of the key tells: only TPMs of family 1.2 have keys certified for RSAES-OAEP.
 */
export function isOfTpm12({ oddities }: Certificate, { specification }: EkCertificateFacts): boolean {
  return specification === undefined ? oddities.includes('RSAES-OAEP-SPKI') : specification.family === '1.2';
}

/**
 * Google's private CA certifies the endorsement keys of its virtual machines without alternative name and key purpose.
 * It certifies attestation keys in the same way: only the key usage tells the two apart.
 */
function isOfGoogleInstance({ extensions }: Certificate): boolean {
  return (
    extensions.has(EXTENSION.googleInstance) &&
    !extensions.has(EXTENSION.subjectAltName) &&
    !extensions.has(EXTENSION.extKeyUsage)
  );
}

const GOOGLE_INSTANCE: EkCertificateFacts = {
  manufacturer: { id: '474F4F47', name: 'Google', kind: 'cloud' },
  model: undefined,
  version: undefined,
  specification: undefined,
  oddities: [],
};

function serialProblems(certificate: Certificate): EkProblem[] {
  const { oddities } = certificate;
  if (!oddities.includes('serial-negative') && !oddities.includes('serial-zero')) return [];
  return [{ code: 'serial', message: `${describe(certificate)} has a serial number that is not positive` }];
}

/** An EK decrypts. The key purpose alone does not prove that: some signing keys are certified with it, too. */
function usageProblems(certificate: Certificate, withoutPurposes: boolean, withoutUsage: boolean): EkProblem[] {
  const { keyUsage, subjectPublicKeyInfo } = certificate;
  const purposes = leafUsageProblems(certificate, KEY_PURPOSE.ekCertificate, withoutPurposes);
  const problems: EkProblem[] = purposes.map(({ message }) => ({ code: 'eku', message }));
  const encrypts =
    keyUsage?.has('keyEncipherment') === true ||
    // The profile requires keyAgreement for ECC; one vendor writes keyEncipherment there.
    (subjectPublicKeyInfo.key.type === 'ec' && keyUsage?.has('keyAgreement') === true) ||
    (keyUsage === undefined && withoutUsage);
  const signs = keyUsage?.has('digitalSignature') === true || keyUsage?.has('keyCertSign') === true;
  // tooth A61: an attestation key's certificate passes for that of an endorsement key
  if (!encrypts || signs) {
    const has = keyUsage === undefined ? 'no key usage' : `key usage ${[...keyUsage].join(', ') || '(none)'}`;
    problems.push({
      code: 'key_usage',
      message: `${describe(certificate)} has ${has}, so it is not for an encryption key`,
    });
  }
  return problems;
}

function keyProblems(certificate: Certificate, isKnown: boolean): EkProblem[] {
  const { key } = certificate.subjectPublicKeyInfo;
  const weak =
    weakness(key) ??
    (key.type === 'rsa' && key.use === 'pss' ? 'an RSA key for signatures only' : undefined) ??
    (isKnown || isOnCurve(key) ? undefined : 'an invalid public key');
  if (weak !== undefined) return [{ code: 'weak_key', message: `${describe(certificate)} has ${weak}` }];
  return isKnown ? [] : rocaProblems(certificate).map(({ message }) => ({ code: 'roca', message }));
}

interface Reading {
  readonly facts: EkCertificateFacts | undefined;
  readonly problems: readonly EkProblem[];
}

/** Each certificate is read once: several bundles ask about it, and an attacker can make its reading slow. */
const READINGS = new WeakMap<Certificate, Reading>();

function readOnce(certificate: Certificate): Reading {
  const known = READINGS.get(certificate);
  if (known !== undefined) return known;
  const problems: EkProblem[] = [];
  const reading = { facts: readFacts(certificate, problems), problems };
  READINGS.set(certificate, reading);
  return reading;
}

function readFacts(certificate: Certificate, problems: EkProblem[]): EkCertificateFacts | undefined {
  const subject = readSubject(certificate, problems);
  if (subject === undefined) return undefined;
  const named = readTpm(subject);
  if (typeof named === 'string') {
    problems.push({ code: 'tpm_attributes', message: `${describe(certificate)}: ${named}` });
    return undefined;
  }
  const oddities: EkOddity[] = [];
  if (subject.notUtf8) oddities.push('SAN-attribute-not-UTF8String');
  if (subject.multiValued) oddities.push('multi-valued-RDN');
  const specification = readSpecification(certificate, oddities);
  return {
    manufacturer: { id: named.id, name: tpmVendor(named.id)?.name, kind: kindOf(named, certificate) },
    model: named.model,
    version: named.version,
    specification,
    oddities,
  };
}

/** The attributes that name the TPM: in the subject alternative name, or for hypervisors in the subject. */
function readSubject(certificate: Certificate, problems: EkProblem[]): TcgSubject | undefined {
  const extension = certificate.extensions.get(EXTENSION.subjectAltName);
  const inSubject = readTcgName(certificate.subject);
  if (extension === undefined) {
    if (isVirtual(inSubject)) return inSubject;
    problems.push({ code: 'san_missing', message: `${describe(certificate)} has no subject alternative name` });
    return undefined;
  }
  if (!extension.critical && certificate.oddities.includes('empty-subject')) {
    const message = `${describe(certificate)} has neither a subject nor a critical subject alternative name`;
    problems.push({ code: 'san_not_critical', message });
  }
  const subject = attempt(() => readTcgSubject(extension.value));
  if (subject instanceof MalformedCertificateError) {
    problems.push({ code: 'san_malformed', message: subject.message });
    return undefined;
  }
  const [other] = inSubject.manufacturer;
  if (other !== undefined && subject.manufacturer.length > 0 && !subject.manufacturer.includes(other)) {
    const message = `${describe(certificate)} names one TPM manufacturer in its subject, another in its alternative name`;
    problems.push({ code: 'tpm_attributes', message });
    return undefined;
  }
  return subject.manufacturer.length === 0 && isVirtual(inSubject) ? inSubject : subject;
}

/** Hypervisors follow the profile loosely, and are given some leeway. Hardware must follow it. */
function isVirtual({ manufacturer }: TcgSubject): boolean {
  return manufacturer.length === 1 && tpmVendor(manufacturerId(manufacturer[0]) ?? '')?.kind === 'cloud';
}

/** Microsoft makes virtual TPMs and one hardware TPM, Pluton. The model or the issuer of that one is named Pluton. */
const MICROSOFT = '4D534654';

function kindOf({ id, model }: NamedTpm, { issuer }: Certificate): TpmKind {
  const kind = tpmVendor(id)?.kind ?? 'hardware';
  if (id !== MICROSOFT) return kind;
  const names = [model ?? '', ...issuer.relativeNames.flat().map(({ text }) => text ?? '')];
  return names.some((name) => /\bPluton\b/i.test(name)) ? 'hardware' : kind;
}

interface NamedTpm {
  readonly id: string;
  readonly model: string | undefined;
  readonly version: string;
}

function manufacturerId(text: string | undefined): string | undefined {
  // tooth A72 [$/i -> /i]: text may follow the digits of a manufacturer
  return /^id:([0-9a-f]{8})$/i.exec(text ?? '')?.[1]?.toUpperCase();
}

/** Reads manufacturer, model and version: each exactly once and well formed. Otherwise returns the problem. */
function readTpm(subject: TcgSubject): NamedTpm | string {
  const { manufacturer, model, version } = subject;
  // tooth A85 [model.length !== 1 -> model.length === 0]: the first of several models counts
  if (manufacturer.length !== 1 || model.length !== 1 || version.length !== 1) {
    return 'the subject alternative name must hold one TPM manufacturer, one model and one version';
  }
  const id = manufacturerId(manufacturer[0]);
  if (id === undefined) return 'the TPM manufacturer is not "id:" and eight hex digits';
  // tooth A72 [/^id:([0-9a-f]{2,8})$/i -> /^(?:id:)?(.+)$/is]: any text is a version
  const firmware = /^id:([0-9a-f]{2,8})$/i.exec(version[0] ?? '')?.[1]?.toUpperCase();
  if (firmware === undefined) return 'the TPM version is not "id:" and two to eight hex digits';
  const name = model[0] ?? '';
  if (name === '' && !isVirtual(subject)) return 'the TPM model is empty';
  return { id, model: name === '' ? undefined : name, version: firmware };
}

function readSpecification(certificate: Certificate, oddities: EkOddity[]): TpmSpecification | undefined {
  const extension = certificate.extensions.get(EXTENSION.subjectDirectoryAttributes);
  if (extension === undefined) return undefined;
  const specification = attempt(() => readTpmSpecification(extension.value));
  if (!(specification instanceof MalformedCertificateError)) return specification;
  // The specification is informative and vendors disagree on its form, so an unreadable one is no reason to refuse.
  oddities.push('TPM-specification-unreadable');
  return undefined;
}

function attempt<T>(read: () => T): T | MalformedCertificateError {
  try {
    return read();
  } catch (error) {
    if (error instanceof MalformedCertificateError) return error;
    throw error;
  }
}
