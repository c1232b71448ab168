import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { bigEndian, concat, hex } from '../../src/bytes/bytes.ts';
import type { PublicKey } from '../../src/public-key/public-key.ts';
import { NODE_STEPS } from '../../src/tpm/public-key-steps.ts';
import { algorithmName } from '../../src/tpm/structures/algorithms.ts';
import { TPMA_OBJECT } from '../../src/tpm/structures/attributes.ts';
import { encode } from '../../src/tpm/structures/codec.ts';
import { TPM_ALG, TPM_ECC } from '../../src/tpm/structures/constants.ts';
import { objectName } from '../../src/tpm/structures/name.ts';
import { type EccPublic, type RsaPublic, type TpmtPublic, tpmtPublic } from '../../src/tpm/structures/public.ts';
import { judgeAttestationKey } from '../../src/verifier/attestation-key.ts';
import type { FindingCode } from '../../src/verifier/findings.ts';
import { Findings } from '../../src/verifier/verdict.ts';
import { usableKey } from '../../src/verifier/weak-keys.ts';
import { eccAk, rsaAk } from '../support/software-ak.ts';
import { swtpmAttestations, unhex } from '../support/vectors.ts';

const ECC = eccAk().publicArea as EccPublic;
const RSA = rsaAk().publicArea as RsaPublic;

function judge(publicBytes: Uint8Array): readonly FindingCode[] {
  const findings = new Findings();
  judgeAttestationKey(publicBytes, findings);
  return findings.list.map(({ code }) => code);
}
const judgeArea = (area: TpmtPublic) => judge(encode(tpmtPublic, area));

describe('an attestation key', () => {
  test.each([
    { what: 'ECDSA on P-256', make: () => eccAk() },
    { what: 'ECDSA on P-384', make: () => eccAk('P-384', TPM_ALG.SHA384) },
    { what: 'ECDSA on P-521', make: () => eccAk('P-521', TPM_ALG.SHA512) },
    { what: 'RSASSA with 2048 bits', make: () => rsaAk() },
    { what: 'RSAPSS with 3072 bits', make: () => rsaAk(TPM_ALG.RSAPSS, TPM_ALG.SHA256, 3072) },
  ])('with $what is accepted, under the Name computed here', ({ make }) => {
    const { publicArea, publicBytes, scheme } = make();
    const findings = new Findings();
    const ak = judgeAttestationKey(publicBytes, findings);
    expect(findings.list).toEqual([]);
    expect(ak).toMatchObject({ scheme, name: objectName(publicArea) });
  });

  test.each(swtpmAttestations.quotes)('that swtpm made for $name is accepted, as tpm2-tools name it', (row) => {
    const findings = new Findings();
    const ak = judgeAttestationKey(unhex(row.akPublic), findings);
    expect(findings.list).toEqual([]);
    expect(ak && hex(ak.name)).toBe(row.akName);
  });
});

/** The finding of each attribute when it is the other way round; none where it does not matter. */
const ATTRIBUTE_FINDINGS: { readonly [A in keyof typeof TPMA_OBJECT]: readonly FindingCode[] } = {
  fixedTPM: ['ak.not_resident'],
  fixedParent: ['ak.not_resident'],
  sensitiveDataOrigin: ['ak.not_resident'],
  restricted: ['ak.unrestricted'],
  sign: ['ak.unrestricted'],
  decrypt: ['ak.attributes'],
  encryptedDuplication: ['ak.attributes'],
  stClear: ['ak.attributes'],
  x509sign: ['ak.attributes'],
  userWithAuth: [],
  adminWithPolicy: [],
  noDA: [],
  firmwareLimited: [],
  svnLimited: [],
};

describe('A13, A14: attributes', () => {
  test.each(Object.entries(ATTRIBUTE_FINDINGS))('the other %s gives %s', (name, codes) => {
    const bit = TPMA_OBJECT[name as keyof typeof TPMA_OBJECT];
    for (const area of [ECC, RSA])
      expect(judgeArea({ ...area, objectAttributes: (area.objectAttributes ^ bit) >>> 0 })).toEqual(codes);
  });

  test('reserved bits give ak.attributes, each of them', () => {
    const named = new Set<number>(Object.values(TPMA_OBJECT));
    const reserved = Array.from({ length: 32 }, (_, bit) => (1 << bit) >>> 0).filter((bit) => !named.has(bit));
    expect(reserved).toHaveLength(18);
    for (const bit of reserved)
      expect(judgeArea({ ...ECC, objectAttributes: (ECC.objectAttributes | bit) >>> 0 })).toEqual(['ak.attributes']);
  });

  test('those of an external key whose private part lies in a file give ak.not_resident', () => {
    const external = TPMA_OBJECT.userWithAuth | TPMA_OBJECT.sign | TPMA_OBJECT.decrypt;
    expect(judgeArea({ ...ECC, objectAttributes: external })).toEqual(['ak.not_resident']);
  });

  test('none at all give ak.not_resident', () => {
    expect(judgeArea({ ...ECC, objectAttributes: 0 })).toEqual(['ak.not_resident']);
  });
});

describe('A22, A23: the scheme', () => {
  const { ECDSA, ECDAA, SM2, ECSCHNORR, ECDH, RSASSA, RSAPSS, RSAES, OAEP, NULL } = TPM_ALG;
  const { SHA1, SHA256, SHA384, SHA512, SM3_256 } = TPM_ALG;
  const withScheme = (scheme: number, hashAlg: number | undefined): TpmtPublic => {
    const chosen = { scheme, ...(hashAlg === undefined ? {} : { hashAlg }), ...(scheme === ECDAA ? { count: 0 } : {}) };
    return [RSASSA, RSAPSS, RSAES, OAEP].some((rsa) => rsa === scheme)
      ? { ...RSA, parameters: { ...RSA.parameters, scheme: chosen } }
      : { ...ECC, parameters: { ...ECC.parameters, scheme: chosen } };
  };
  const named = (rows: readonly (readonly [number, number | undefined])[]) =>
    rows.map(([scheme, hash]) => ({
      name: hash === undefined ? algorithmName(scheme) : `${algorithmName(scheme)} over ${algorithmName(hash)}`,
      scheme,
      hash,
    }));

  const accepted = [ECDSA, RSASSA, RSAPSS].flatMap((scheme) =>
    [SHA256, SHA384, SHA512].map((hash) => [scheme, hash] as const),
  );
  test.each(named(accepted))('$name is accepted', ({ scheme, hash }) => {
    expect(judgeArea(withScheme(scheme, hash))).toEqual([]);
  });

  const refused = [
    ...[ECDSA, RSASSA, RSAPSS].flatMap((scheme) => [SHA1, SM3_256, NULL].map((hash) => [scheme, hash] as const)),
    ...[ECDAA, SM2, ECSCHNORR, ECDH, OAEP].map((scheme) => [scheme, SHA256] as const),
    [RSAES, undefined] as const,
    [NULL, undefined] as const,
  ];
  test.each(named(refused))('$name is refused', ({ scheme, hash }) => {
    expect(judgeArea(withScheme(scheme, hash))).toEqual(['ak.scheme']);
  });

  test('of an RSA key must not be missing either', () => {
    expect(judgeArea({ ...RSA, parameters: { ...RSA.parameters, scheme: { scheme: NULL } } })).toEqual(['ak.scheme']);
  });
});

describe('A17: the name algorithm', () => {
  test.each([TPM_ALG.SHA256, TPM_ALG.SHA384, TPM_ALG.SHA512])('%i is accepted', (nameAlg) => {
    expect(judgeArea({ ...ECC, nameAlg })).toEqual([]);
  });
  test.each([TPM_ALG.SHA1, TPM_ALG.SM3_256, TPM_ALG.NULL, 0x0027, 0])('%i is refused', (nameAlg) => {
    expect(judgeArea({ ...ECC, nameAlg })).toEqual(['ak.name_algorithm']);
  });
});

describe('A10: bytes', () => {
  const bytes = encode(tpmtPublic, ECC);
  test.each([
    { what: 'with one more', given: concat(bytes, unhex('00')) },
    { what: 'with one less', given: bytes.slice(0, -1) },
    { what: 'with their TPM2B size in front', given: concat(Uint8Array.of(0, bytes.length), bytes) },
    { what: 'that are none', given: unhex('') },
  ])('$what are no public area', ({ given }) => {
    expect(judge(bytes)).toEqual([]);
    expect(judge(given)).toEqual(['ak.malformed']);
  });
});

describe('A24: keys too weak', () => {
  const rsaParameters = (change: Partial<RsaPublic['parameters']>): RsaPublic => ({
    ...RSA,
    parameters: { ...RSA.parameters, ...change },
  });
  const { unique } = RSA;
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
  const smallModulus = Uint8Array.from(Buffer.from(small.export({ format: 'jwk' }).n ?? '', 'base64url'));
  const { x, y } = ECC.unique;
  const onCurve = (curveId: number): EccPublic => ({ ...ECC, parameters: { ...ECC.parameters, curveId } });

  const rows: readonly { what: string; area: TpmtPublic; says: string }[] = [
    {
      what: 'RSA-1024',
      area: { ...rsaParameters({ keyBits: 1024 }), unique: smallModulus },
      says: 'RSA with 1024 bits',
    },
    { what: 'RSA-2047', area: rsaParameters({ keyBits: 2047 }), says: 'RSA with 2047 bits is below 2048' },
    { what: 'RSA-4104', area: rsaParameters({ keyBits: 4104 }), says: 'RSA with 4104 bits is above 4096' },
    ...[1, 2, 3, 17, 65536, 65539, 0xffffffff].map((exponent) => ({
      what: `the exponent ${exponent}`,
      area: rsaParameters({ exponent }),
      says: `RSA exponent ${exponent} is not 65537`,
    })),
    { what: 'an even modulus', area: { ...RSA, unique: unique.with(255, (unique[255] ?? 0) & 0xfe) }, says: 'is even' },
    { what: 'a modulus of 255 bytes', area: { ...RSA, unique: unique.slice(1) }, says: 'a modulus of 255 bytes' },
    { what: 'a modulus of 257 bytes', area: { ...RSA, unique: concat(unhex('00'), unique) }, says: 'of 257 bytes' },
    { what: 'a modulus that begins with zeros', area: { ...RSA, unique: unique.with(0, 0) }, says: 'top bit' },
    {
      what: 'RSA-1024 in 2048 bits',
      area: { ...RSA, unique: concat(new Uint8Array(128), smallModulus) },
      says: 'the top bit of the modulus is zero',
    },
    { what: 'a modulus that is empty', area: { ...RSA, unique: unhex('') }, says: 'a modulus of 0 bytes' },
    {
      what: 'more bits than it has',
      area: rsaParameters({ keyBits: 3072 }),
      says: 'a modulus of 256 bytes is not one of 3072',
    },
    { what: 'BN P-256', area: onCurve(TPM_ECC.BN_P256), says: 'curve 0x10 is not one of' },
    { what: 'SM2', area: onCurve(TPM_ECC.SM2_P256), says: 'curve 0x20 is not one of' },
    { what: 'P-224', area: onCurve(0x0002), says: 'curve 0x2 is not one of' },
    { what: 'no curve', area: onCurve(0), says: 'curve 0x0 is not one of' },
    { what: 'a point of another curve', area: onCurve(TPM_ECC.NIST_P384), says: 'a point off the curve' },
    {
      what: 'a point off the curve',
      area: { ...ECC, unique: { x, y: y.with(31, (y[31] ?? 0) ^ 1) } },
      says: 'a point off',
    },
    { what: 'the point at infinity', area: { ...ECC, unique: { x: unhex(''), y: unhex('') } }, says: 'a point off' },
    { what: 'the point 0, 0', area: { ...ECC, unique: { x: unhex('00'), y: unhex('00') } }, says: 'a point off' },
    {
      what: 'a coordinate too long',
      area: { ...ECC, unique: { x: concat(unhex('01'), x), y } },
      says: 'longer than the field',
    },
  ];
  test.each(rows)('$what', ({ area, says }) => {
    expect(usableKey(area, NODE_STEPS)).toContain(says);
    expect(judgeArea(area)).toEqual(['ak.weak_key']);
  });

  test.each([
    { what: 'exponent 0, which is 65537', area: rsaParameters({ exponent: 0 }) },
    { what: 'exponent 65537', area: rsaParameters({ exponent: 65537 }) },
    { what: 'a coordinate with a zero in front', area: { ...ECC, unique: { x: concat(unhex('00'), x), y } } },
  ])('not $what', ({ area }) => {
    expect((usableKey(area, NODE_STEPS) as PublicKey).imported?.type).toBe('public');
    expect(judgeArea(area)).toEqual([]);
  });

  test('RSA-4096 is the largest, and is not too weak', () => {
    const { publicArea } = rsaAk(TPM_ALG.RSASSA, TPM_ALG.SHA256, 4096);
    expect(judgeArea(publicArea)).toEqual([]);
    expect(publicArea.type === 'rsa' && bigEndian(publicArea.unique).toString(2).length).toBe(4096);
  });

  test.each(['symCipher', 'keyedHash'] as const)('a %s object is no key to sign with', (type) => {
    const header = { nameAlg: TPM_ALG.SHA256, objectAttributes: ECC.objectAttributes, authPolicy: unhex('') };
    const area: TpmtPublic =
      type === 'symCipher'
        ? { type, ...header, parameters: { symmetric: null }, unique: unhex('') }
        : {
            type,
            ...header,
            parameters: { scheme: { scheme: TPM_ALG.HMAC, hashAlg: TPM_ALG.SHA256 } },
            unique: unhex(''),
          };
    expect(usableKey(area, NODE_STEPS)).toBe(`a ${type} object is not asymmetric`);
    expect(judgeArea(area)).toEqual(['ak.scheme', 'ak.weak_key']);
  });
});

test('everything that is wrong is said at once', () => {
  const area = {
    ...ECC,
    nameAlg: TPM_ALG.SHA1,
    objectAttributes: 0,
    parameters: { ...ECC.parameters, scheme: { scheme: TPM_ALG.NULL }, curveId: 0 },
  };
  expect(judgeArea(area)).toEqual(['ak.not_resident', 'ak.scheme', 'ak.name_algorithm', 'ak.weak_key']);
});
