/**
 * Key templates: the TCG EK templates (EK Credential Profile 2.6, 2.2.1.5 and appendix B) and our attestation keys.
 * Pure.
 */
import { createHash } from 'node:crypto';
import { concat, hex } from '../bytes/bytes.ts';
import { EK_CERTIFICATE_INDEX } from './ek-nv-indices.ts';
import { TPMA_OBJECT } from './structures/attributes.ts';
import { encode } from './structures/codec.ts';
import { TPM_ALG, TPM_ECC } from './structures/constants.ts';
import { type TpmtPublic, tpmtPublic } from './structures/public.ts';

/**
 * Name of a default EK template (EK Credential Profile 2.6, appendix B). The SM2 template (H-5) is left out: no
 * supported TPM stack makes its key.
 */
export type EkTemplateName = Exclude<keyof typeof EK_CERTIFICATE_INDEX, 'H-5'>;

/** A default EK template, and the NV indices that the TCG assigns to it. */
export interface EkTemplate {
  readonly name: EkTemplateName;
  readonly algorithm: 'rsa' | 'ecc';
  /** NV index of the certificate. The nonce and the template, if any, are in the indices right after it (2.2.2.4). */
  readonly certificateNvIndex: number;
  readonly nonceNvIndex: number | undefined;
  readonly templateNvIndex: number;
  /** inPublic of CreatePrimary. */
  readonly publicArea: TpmtPublic;
  /** H templates: the two branches of PolicyOR. PolicySecret satisfies the first. */
  readonly policyOr: readonly [Uint8Array, Uint8Array] | undefined;
}

const LOW: number =
  TPMA_OBJECT.fixedTPM |
  TPMA_OBJECT.fixedParent |
  TPMA_OBJECT.sensitiveDataOrigin |
  TPMA_OBJECT.adminWithPolicy |
  TPMA_OBJECT.restricted |
  TPMA_OBJECT.decrypt;
const HIGH: number = LOW | TPMA_OBJECT.userWithAuth;

function bytes(hexadecimal: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hexadecimal, 'hex'));
}

interface EkPolicies {
  readonly hash: number;
  /** PolicySecret(TPM_RH_ENDORSEMENT). */
  readonly a: Uint8Array;
  /** PolicyOR(a, c). */
  readonly b: Uint8Array;
  /** PolicyAuthorizeNV of the policy index. */
  readonly c: Uint8Array;
}

const SHA256: EkPolicies = {
  hash: TPM_ALG.SHA256,
  a: bytes('837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa'),
  b: bytes('ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0'),
  c: bytes('3767e2edd43ff45a3a7e1eaefcef78643dca964632e7aad82c673a30d8633fde'),
};
const SHA384: EkPolicies = {
  hash: TPM_ALG.SHA384,
  a: bytes('8bbf2266537c171cb56e403c4dc1d4b64f432611dc386e6f532050c3278c930e143e8bb1133824ccb431053871c6db53'),
  b: bytes('b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12'),
  c: bytes('d6032ce61f2fb3c240eb3cf6a33237ef2b6a16f4293c22b455e261cffd217ad5b4947c2d73e63005eed2dc2b3593d165'),
};
const SHA512: EkPolicies = {
  hash: TPM_ALG.SHA512,
  a: bytes(
    '1e3b76502c8a1425aa0b7b3fc646a1b0fae063b03b5368f9c4cddecaff0891dd682bac1a85d4d832b781ea451915de5fc5bf0dc4a1917cd42fa041e3f998e0ee',
  ),
  b: bytes(
    'b8221ca69e8550a4914de3faa6a18c072cc01208073a928d5d66d59ef79e49a429c41a6b269571d57edb25fbdb1838425608b413cd616a5f6db5b6071af99bea',
  ),
  c: bytes(
    '589ee1e146544716e8deafe6db247b01b81e9f9c7dd16b814aa159138749105fba5388dd1dea702f35240c184933121e2c61b8f50d3ef91393a49a38c3f73fc8',
  ),
};

interface Row {
  readonly name: EkTemplateName;
  readonly policies: EkPolicies;
  readonly aesBits: 128 | 256;
  readonly key: { readonly rsaBits: number } | { readonly curveId: number };
}

const ROWS: readonly Row[] = [
  { name: 'L-1', policies: SHA256, aesBits: 128, key: { rsaBits: 2048 } },
  { name: 'L-2', policies: SHA256, aesBits: 128, key: { curveId: TPM_ECC.NIST_P256 } },
  { name: 'H-1', policies: SHA256, aesBits: 128, key: { rsaBits: 2048 } },
  { name: 'H-2', policies: SHA256, aesBits: 128, key: { curveId: TPM_ECC.NIST_P256 } },
  { name: 'H-3', policies: SHA384, aesBits: 256, key: { curveId: TPM_ECC.NIST_P384 } },
  { name: 'H-4', policies: SHA512, aesBits: 256, key: { curveId: TPM_ECC.NIST_P521 } },
  { name: 'H-6', policies: SHA384, aesBits: 256, key: { rsaBits: 3072 } },
  { name: 'H-7', policies: SHA384, aesBits: 256, key: { rsaBits: 4096 } },
];

const NO_SCHEME = { scheme: TPM_ALG.NULL } as const;

function ekTemplate({ name, policies, aesBits, key }: Row): EkTemplate {
  const nv = EK_CERTIFICATE_INDEX[name];
  const low = name.startsWith('L');
  const header = {
    nameAlg: policies.hash,
    objectAttributes: low ? LOW : HIGH,
    authPolicy: low ? policies.a : policies.b,
  };
  const symmetric = { algorithm: TPM_ALG.AES, keyBits: aesBits, mode: TPM_ALG.CFB };
  // L templates carry zeros in `unique`, H templates nothing (appendix B.3 and B.4).
  const publicArea: TpmtPublic =
    'rsaBits' in key
      ? {
          type: 'rsa',
          ...header,
          parameters: { symmetric, scheme: NO_SCHEME, keyBits: key.rsaBits, exponent: 0 },
          unique: new Uint8Array(low ? key.rsaBits / 8 : 0),
        }
      : {
          type: 'ecc',
          ...header,
          parameters: { symmetric, scheme: NO_SCHEME, curveId: key.curveId, kdf: NO_SCHEME },
          unique: { x: new Uint8Array(low ? 32 : 0), y: new Uint8Array(low ? 32 : 0) },
        };
  return {
    name,
    algorithm: publicArea.type,
    certificateNvIndex: nv,
    nonceNvIndex: low ? nv + 1 : undefined,
    templateNvIndex: low ? nv + 2 : nv + 1,
    publicArea,
    policyOr: low ? undefined : [policies.a, policies.c],
  };
}

/** The default EK templates, with the low-range templates first (EK Credential Profile 2.6, appendix B). */
export const EK_TEMPLATES: readonly EkTemplate[] = ROWS.map(ekTemplate);

export const EK_TEMPLATE_NAMES: readonly EkTemplateName[] = EK_TEMPLATES.map(({ name }) => name);

/** @throws RangeError for a name that no template has; the type already excludes it */
export function ekTemplateNamed(name: EkTemplateName): EkTemplate {
  const template = EK_TEMPLATES.find((one) => one.name === name);
  if (template === undefined) throw new RangeError(`there is no template ${name}`);
  return template;
}

const BY_FORM: ReadonlyMap<string, EkTemplate> = new Map(
  EK_TEMPLATES.map((template) => [formOf(template.publicArea), template]),
);

/** The template that a public area was made from: it differs from the template in `unique` at most. */
export function ekTemplateOf(publicArea: TpmtPublic): EkTemplate | undefined {
  return BY_FORM.get(formOf(publicArea));
}

/** True when two public areas differ in `unique` at most, as keys of one template do. */
export function sameButUnique(a: TpmtPublic, b: TpmtPublic): boolean {
  return formOf(a) === formOf(b);
}

function formOf(publicArea: TpmtPublic): string {
  return hex(encode(tpmtPublic, withoutUnique(publicArea)));
}

function withoutUnique(publicArea: TpmtPublic): TpmtPublic {
  const none = new Uint8Array();
  return publicArea.type === 'ecc' ? { ...publicArea, unique: { x: none, y: none } } : { ...publicArea, unique: none };
}

export type AkAlgorithm = 'ecc' | 'rsa';

const AK_ATTRIBUTES: number =
  TPMA_OBJECT.fixedTPM |
  TPMA_OBJECT.fixedParent |
  TPMA_OBJECT.sensitiveDataOrigin |
  TPMA_OBJECT.userWithAuth |
  // Without noDA a TPM in lockout refuses to quote (TPM_RC_LOCKOUT).
  TPMA_OBJECT.noDA |
  TPMA_OBJECT.restricted |
  TPMA_OBJECT.sign;

/**
 * inPublic of our attestation key (AK), a primary key of the endorsement hierarchy. Each `purpose` gives another key:
 * the AK of one trust domain never signs for another.
 */
export function akTemplate(algorithm: AkAlgorithm, purpose: string): TpmtPublic {
  const seed = Uint8Array.from(createHash('sha256').update(`tpm-attestor/ak/1${purpose}`).digest());
  const header = { nameAlg: TPM_ALG.SHA256, objectAttributes: AK_ATTRIBUTES, authPolicy: new Uint8Array() };
  if (algorithm === 'ecc') {
    const scheme = { scheme: TPM_ALG.ECDSA, hashAlg: TPM_ALG.SHA256 };
    const parameters = { symmetric: null, scheme, curveId: TPM_ECC.NIST_P256, kdf: NO_SCHEME };
    return { type: 'ecc', ...header, parameters, unique: { x: seed, y: new Uint8Array(32) } };
  }
  const scheme = { scheme: TPM_ALG.RSASSA, hashAlg: TPM_ALG.SHA256 };
  const parameters = { symmetric: null, scheme, keyBits: 2048, exponent: 0 };
  return { type: 'rsa', ...header, parameters, unique: concat(seed, new Uint8Array(256 - seed.length)) };
}
