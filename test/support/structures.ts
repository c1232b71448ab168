/** All TPM structures of the product with random values, for tests that hold for every structure. */
import fc, { type Arbitrary } from 'fast-check';
import { type TpmsAttest, tpmsAttest } from '../../src/tpm/structures/attest.ts';
import * as buffers from '../../src/tpm/structures/buffers.ts';
import { type TpmsCapabilityData, tpmsCapabilityData } from '../../src/tpm/structures/capability.ts';
import { type Codec, u8, u16, u32, u64, yesNo } from '../../src/tpm/structures/codec.ts';
import { TPM_ALG } from '../../src/tpm/structures/constants.ts';
import { tpmsCreationData } from '../../src/tpm/structures/creation-data.ts';
import { tpm2bIdObject, tpmsIdObject } from '../../src/tpm/structures/credential.ts';
import { tpmsNvPublic } from '../../src/tpm/structures/nv-public.ts';
import { type TpmsPcrSelection, tpmlPcrSelection } from '../../src/tpm/structures/pcr.ts';
import { type TpmtPublic, tpm2bPublic, tpmtPublic } from '../../src/tpm/structures/public.ts';
import {
  eccScheme,
  kdfScheme,
  keyedHashScheme,
  rsaScheme,
  type Scheme,
  type SymDefObject,
  symDefObject,
} from '../../src/tpm/structures/scheme.ts';
import { type TpmtSignature, tpmtSignature } from '../../src/tpm/structures/signature.ts';

export interface Structure<T = unknown> {
  readonly name: string;
  readonly codec: Codec<T>;
  readonly values: Arbitrary<T>;
  /** Its last field takes all remaining bytes, so shorter or longer bytes are other values, not errors. */
  readonly openEnded?: true;
}

const N8 = fc.integer({ min: 0, max: 0xff });
const N16 = fc.integer({ min: 0, max: 0xffff });
const N32 = fc.integer({ min: 0, max: 0xffffffff });
const N64 = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn });
/** Also long arrays: by default fast-check prefers short ones. */
const upTo = (maxLength: number) => fc.oneof(fc.uint8Array({ maxLength }), fc.uint8Array({ maxLength, size: 'max' }));
const digest = upTo(64);
const name = upTo(66);
const point = fc.record({ x: upTo(66), y: upTo(66) });

const withHash = (...schemes: readonly number[]) => fc.record({ scheme: fc.constantFrom(...schemes), hashAlg: N16 });
const withCount = (scheme: number) => fc.record({ scheme: fc.constant(scheme), hashAlg: N16, count: N16 });
const bare = (...schemes: readonly number[]) => fc.record({ scheme: fc.constantFrom(...schemes) });

const rsaSchemes: Arbitrary<Scheme> = fc.oneof(
  bare(TPM_ALG.NULL, TPM_ALG.RSAES),
  withHash(TPM_ALG.RSASSA, TPM_ALG.RSAPSS, TPM_ALG.OAEP),
);
const eccSchemes: Arbitrary<Scheme> = fc.oneof(
  bare(TPM_ALG.NULL),
  withHash(TPM_ALG.ECDSA, TPM_ALG.SM2, TPM_ALG.ECSCHNORR, TPM_ALG.ECDH, TPM_ALG.ECMQV),
  withCount(TPM_ALG.ECDAA),
);
const kdfSchemes: Arbitrary<Scheme> = fc.oneof(
  bare(TPM_ALG.NULL),
  withHash(TPM_ALG.KDF1_SP800_56A, TPM_ALG.KDF2, TPM_ALG.KDF1_SP800_108),
);
const keyedHashSchemes: Arbitrary<Scheme> = fc.oneof(
  bare(TPM_ALG.NULL),
  withHash(TPM_ALG.HMAC),
  withCount(TPM_ALG.XOR),
);
const symmetric: Arbitrary<SymDefObject | null> = fc.option(
  fc.record({ algorithm: fc.constantFrom(TPM_ALG.AES, TPM_ALG.SM4, TPM_ALG.CAMELLIA), keyBits: N16, mode: N16 }),
);

const header = { nameAlg: N16, objectAttributes: N32, authPolicy: digest };
export const publicAreas: Arbitrary<TpmtPublic> = fc.oneof(
  fc.record({
    type: fc.constant('rsa' as const),
    ...header,
    parameters: fc.record({ symmetric, scheme: rsaSchemes, keyBits: N16, exponent: N32 }),
    unique: upTo(512),
  }),
  fc.record({
    type: fc.constant('ecc' as const),
    ...header,
    parameters: fc.record({ symmetric, scheme: eccSchemes, curveId: N16, kdf: kdfSchemes }),
    unique: point,
  }),
  fc.record({
    type: fc.constant('keyedHash' as const),
    ...header,
    parameters: fc.record({ scheme: keyedHashSchemes }),
    unique: digest,
  }),
  fc.record({
    type: fc.constant('symCipher' as const),
    ...header,
    parameters: fc.record({ symmetric }),
    unique: digest,
  }),
);

const hmacOf = (hash: number, length: number) =>
  fc.record({
    sigAlg: fc.constant('hmac' as const),
    hash: fc.constant(hash),
    digest: fc.uint8Array({ minLength: length, maxLength: length }),
  });
const signatures: Arbitrary<TpmtSignature> = fc.oneof(
  fc.record({ sigAlg: fc.constantFrom('rsassa' as const, 'rsapss' as const), hash: N16, sig: upTo(512) }),
  fc.record({
    sigAlg: fc.constantFrom('ecdsa' as const, 'ecdaa' as const, 'sm2' as const, 'ecschnorr' as const),
    hash: N16,
    signatureR: upTo(66),
    signatureS: upTo(66),
  }),
  hmacOf(TPM_ALG.SHA1, 20),
  hmacOf(TPM_ALG.SHA256, 32),
  hmacOf(TPM_ALG.SHA512, 64),
  fc.constant({ sigAlg: 'null' as const }),
);

const selection: Arbitrary<TpmsPcrSelection> = fc.record({ hash: N16, pcrSelect: upTo(4) });
const selections = fc.array(selection, { maxLength: 16 });
const clockInfo = fc.record({ clock: N64, resetCount: N32, restartCount: N32, safe: fc.boolean() });

const attestedByType = {
  quote: fc.record({ pcrSelect: selections, pcrDigest: digest }),
  certify: fc.record({ name, qualifiedName: name }),
  creation: fc.record({ objectName: name, creationHash: digest }),
  time: fc.record({ time: N64, clockInfo, firmwareVersion: N64 }),
  commandAudit: fc.record({ auditCounter: N64, digestAlg: N16, auditDigest: digest, commandDigest: digest }),
  sessionAudit: fc.record({ exclusiveSession: fc.boolean(), sessionDigest: digest }),
  nv: fc.record({ indexName: name, offset: N16, nvContents: upTo(2048) }),
  nvDigest: fc.record({ indexName: name, nvDigest: digest }),
} as const;
const attests: Arbitrary<TpmsAttest> = fc.oneof(
  ...Object.entries(attestedByType).map(([type, attested]) =>
    fc.record({
      type: fc.constant(type),
      qualifiedSigner: name,
      extraData: name,
      clockInfo,
      firmwareVersion: N64,
      attested: attested as Arbitrary<unknown>,
    }),
  ),
) as Arbitrary<TpmsAttest>;

const capabilities: Arbitrary<TpmsCapabilityData> = fc.oneof(
  fc.record({ capability: fc.constant('handles' as const), data: fc.array(N32, { maxLength: 254 }) }),
  fc.record({
    capability: fc.constant('properties' as const),
    data: fc.array(fc.record({ property: N32, value: N32 }), { maxLength: 127 }),
  }),
  fc.record({ capability: fc.constant('pcrs' as const), data: selections }),
);

const idObject = fc.record({ integrityHmac: digest, encIdentity: upTo(100) });

function structure<T>(codec: Codec<T>, values: Arbitrary<T>, more: { openEnded?: true } = {}): Structure {
  return { name: codec.name, codec, values, ...more } as unknown as Structure;
}

export const STRUCTURES: readonly Structure[] = [
  structure(u8, N8),
  structure(u16, N16),
  structure(u32, N32),
  structure(u64, N64),
  structure(yesNo, fc.boolean()),
  structure(buffers.tpm2bDigest, digest),
  structure(buffers.tpm2bData, name),
  structure(buffers.tpm2bName, name),
  structure(buffers.tpm2bAuth, digest),
  structure(buffers.tpm2bEccParameter, name),
  structure(buffers.tpm2bPublicKeyRsa, upTo(512)),
  structure(buffers.tpm2bSensitiveData, upTo(256)),
  structure(buffers.tpmlDigest, fc.array(digest, { maxLength: 8 })),
  structure(buffers.tpmsSensitiveCreate, fc.record({ userAuth: digest, data: upTo(256) })),
  structure(buffers.tpmsEccPoint, point),
  structure(rsaScheme, rsaSchemes),
  structure(eccScheme, eccSchemes),
  structure(kdfScheme, kdfSchemes),
  structure(keyedHashScheme, keyedHashSchemes),
  structure(symDefObject, symmetric),
  structure(tpmtPublic, publicAreas),
  structure(tpm2bPublic, publicAreas),
  structure(tpmtSignature, signatures),
  structure(tpmlPcrSelection, selections),
  structure(tpmsAttest, attests),
  structure(tpmsCapabilityData, capabilities),
  structure(
    tpmsCreationData,
    fc.record({
      pcrSelect: selections,
      pcrDigest: digest,
      locality: N8,
      parentNameAlg: N16,
      parentName: name,
      parentQualifiedName: name,
      outsideInfo: name,
    }),
  ),
  structure(
    tpmsNvPublic,
    fc.record({ nvIndex: N32, nameAlg: N16, attributes: N32, authPolicy: digest, dataBytes: N16 }),
  ),
  structure(tpmsIdObject, idObject, { openEnded: true }),
  structure(tpm2bIdObject, idObject),
];
