import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { concat, hex } from '../../src/bytes/bytes.ts';
import { hashAlgorithm } from '../../src/tpm/structures/algorithms.ts';
import { objectAttributeNames, TPMA_OBJECT } from '../../src/tpm/structures/attributes.ts';
import { decode, encode } from '../../src/tpm/structures/codec.ts';
import { TPM_ALG } from '../../src/tpm/structures/constants.ts';
import { nvName } from '../../src/tpm/structures/name.ts';
import { type TpmtPublic, tpm2bPublic, tpmtPublic } from '../../src/tpm/structures/public.ts';
import { akTemplate, EK_TEMPLATES, ekTemplateOf } from '../../src/tpm/templates.ts';
import { startSwtpm } from '../support/swtpm.ts';
import { swtpmAttestations, unhex } from '../support/vectors.ts';

/** Part 2, 6.5.2: the command codes that policies hash. */
const POLICY_SECRET = '00000151';
const POLICY_OR = '00000171';
const POLICY_AUTHORIZE_NV = '00000192';
const ENDORSEMENT = '4000000b';
/** The policy index of each name algorithm and its attributes (EK Credential Profile 2.6, B.6.4). */
const POLICY_INDEX: ReadonlyMap<number, number> = new Map([
  [TPM_ALG.SHA256, 0x01c07f01],
  [TPM_ALG.SHA384, 0x01c07f02],
  [TPM_ALG.SHA512, 0x01c07f03],
]);
const POLICY_INDEX_ATTRIBUTES = 0x220f1008;

describe('policies, recomputed from the commands they demand,', () => {
  test.each(EK_TEMPLATES)('are those of $name', ({ publicArea, policyOr }) => {
    const hash = hashAlgorithm(publicArea.nameAlg);
    if (hash === undefined) throw new Error('every template has a known name algorithm');
    const digest = (...parts: readonly Uint8Array[]) =>
      Uint8Array.from(
        createHash(hash.name)
          .update(concat(...parts))
          .digest(),
      );
    const start = new Uint8Array(hash.digestBytes);

    // PolicyUpdate hashes twice, the second time with the policyRef, which is empty.
    const a = digest(digest(start, unhex(POLICY_SECRET), unhex(ENDORSEMENT)));
    if (policyOr === undefined) {
      expect(hex(publicArea.authPolicy)).toBe(hex(a));
      return;
    }
    const index = nvName({
      nvIndex: POLICY_INDEX.get(publicArea.nameAlg) ?? 0,
      nameAlg: publicArea.nameAlg,
      attributes: POLICY_INDEX_ATTRIBUTES,
      authPolicy: a,
      dataBytes: 2 + hash.digestBytes,
    });
    const c = digest(start, unhex(POLICY_AUTHORIZE_NV), index);
    expect(policyOr.map(hex)).toEqual([hex(a), hex(c)]);
    expect(hex(publicArea.authPolicy)).toBe(hex(digest(start, unhex(POLICY_OR), a, c)));
  });
});

/** EK Credential Profile 2.6, tables of B.3 and B.4: type, size, hash, cipher, NV indices, attributes. */
const TABLE = `
L-1  rsa 2048 sha256 128  01c00002 01c00003 01c00004  000300b2
L-2  ecc 0003 sha256 128  01c0000a 01c0000b 01c0000c  000300b2
H-1  rsa 2048 sha256 128  01c00012 -        01c00013  000300f2
H-2  ecc 0003 sha256 128  01c00014 -        01c00015  000300f2
H-3  ecc 0004 sha384 256  01c00016 -        01c00017  000300f2
H-4  ecc 0005 sha512 256  01c00018 -        01c00019  000300f2
H-6  rsa 3072 sha384 256  01c0001c -        01c0001d  000300f2
H-7  rsa 4096 sha384 256  01c0001e -        01c0001f  000300f2`;

test('the table is the one of the EK Credential Profile', () => {
  const eight = (number: number | undefined) => number?.toString(16).padStart(8, '0') ?? '-';
  const rows = EK_TEMPLATES.map((template) => {
    const { publicArea } = template;
    if (publicArea.type !== 'rsa' && publicArea.type !== 'ecc') throw new Error(publicArea.type);
    const { parameters } = publicArea;
    expect(parameters).toMatchObject({ scheme: { scheme: TPM_ALG.NULL }, symmetric: { mode: TPM_ALG.CFB } });
    return [
      template.name,
      template.algorithm,
      'keyBits' in parameters ? parameters.keyBits : parameters.curveId.toString(16).padStart(4, '0'),
      hashAlgorithm(publicArea.nameAlg)?.name,
      parameters.symmetric?.keyBits,
      eight(template.certificateNvIndex),
      eight(template.nonceNvIndex),
      eight(template.templateNvIndex),
      eight(publicArea.objectAttributes),
    ].join(' ');
  });
  expect(rows).toEqual(
    TABLE.trim()
      .split('\n')
      .map((line) => line.split(/ +/).join(' ')),
  );
});

test('templates of the low range carry zeros in `unique`, those of the high range nothing', () => {
  const sizes = EK_TEMPLATES.map(({ name, publicArea }) => [
    name,
    publicArea.type === 'ecc' ? [publicArea.unique.x.length, publicArea.unique.y.length] : publicArea.unique.length,
  ]);
  expect(Object.fromEntries(sizes)).toEqual({
    'L-1': 256,
    'L-2': [32, 32],
    'H-1': 0,
    'H-2': [0, 0],
    'H-3': [0, 0],
    'H-4': [0, 0],
    'H-6': 0,
    'H-7': 0,
  });
});

describe('the template of a public area', () => {
  test.each(EK_TEMPLATES)('is $name for its own, whatever the key', ({ name, publicArea }) => {
    const withKey: TpmtPublic =
      publicArea.type === 'ecc'
        ? { ...publicArea, unique: { x: unhex('0102'), y: unhex('03') } }
        : { ...publicArea, unique: unhex('c0ffee') };
    expect(ekTemplateOf(publicArea)?.name).toBe(name);
    expect(ekTemplateOf(withKey)?.name).toBe(name);
  });

  test.each(EK_TEMPLATES)('is none for $name with anything else changed', ({ publicArea }) => {
    if (publicArea.type !== 'rsa' && publicArea.type !== 'ecc') throw new Error(publicArea.type);
    const { authPolicy, parameters } = publicArea;
    const scheme = { scheme: publicArea.type === 'rsa' ? TPM_ALG.RSASSA : TPM_ALG.ECDSA, hashAlg: TPM_ALG.SHA256 };
    const changed: TpmtPublic[] = Object.values(TPMA_OBJECT).map((bit) => ({
      ...publicArea,
      objectAttributes: (publicArea.objectAttributes ^ bit) >>> 0,
    }));
    changed.push(
      { ...publicArea, nameAlg: TPM_ALG.SHA1 },
      { ...publicArea, authPolicy: unhex('') },
      { ...publicArea, authPolicy: authPolicy.with(0, (authPolicy[0] ?? 0) ^ 1) },
      { ...publicArea, parameters: { ...parameters, symmetric: null } } as TpmtPublic,
      { ...publicArea, parameters: { ...parameters, scheme } } as TpmtPublic,
    );
    if (publicArea.type === 'rsa') {
      changed.push(
        { ...publicArea, parameters: { ...publicArea.parameters, keyBits: 1024 } },
        { ...publicArea, parameters: { ...publicArea.parameters, exponent: 3 } },
        // The same key by another spelling is another Name.
        { ...publicArea, parameters: { ...publicArea.parameters, exponent: 65537 } },
      );
    } else {
      changed.push({ ...publicArea, parameters: { ...publicArea.parameters, curveId: 0x10 } });
    }
    for (const area of changed) {
      const what = `${objectAttributeNames(area.objectAttributes)} ${hex(encode(tpmtPublic, area)).slice(0, 120)}`;
      expect(ekTemplateOf(area), what).toBeUndefined();
    }
  });
});

describe('the attestation key', () => {
  const ecc = akTemplate('ecc', 'example.org');
  const rsa = akTemplate('rsa', 'example.org');

  test('is a restricted signing key of 0x00050472 that stays usable in lockout', () => {
    for (const { objectAttributes, nameAlg, authPolicy } of [ecc, rsa]) {
      expect(objectAttributes).toBe(0x00050472);
      expect({ nameAlg, authPolicy }).toEqual({ nameAlg: TPM_ALG.SHA256, authPolicy: unhex('') });
    }
  });

  test('has the bytes written down here: whoever changes them changes every key in the field', () => {
    const seed = createHash('sha256').update('tpm-attestor/ak/1example.org').digest('hex');
    expect(hex(encode(tpmtPublic, ecc))).toBe(
      `0023000b00050472000000100018000b000300100020${seed}0020${'00'.repeat(32)}`,
    );
    expect(hex(encode(tpmtPublic, rsa))).toBe(
      `0001000b00050472000000100014000b0800000000000100${seed}${'00'.repeat(224)}`,
    );
  });

  test('is another key for another purpose', () => {
    for (const algorithm of ['ecc', 'rsa'] as const)
      expect(akTemplate(algorithm, 'example.org')).not.toEqual(akTemplate(algorithm, 'example.net'));
  });

  test('has the public area of a key that a TPM made with these attributes', () => {
    const withoutUnique = (area: TpmtPublic) => ({ ...area, unique: undefined });
    for (const [name, template] of [
      ['ecdsa-p256-sha256', ecc],
      ['rsassa-2048-sha256', rsa],
    ] as const) {
      const recorded = swtpmAttestations.quotes.find((quote) => quote.name === name);
      const made = decode(tpmtPublic, unhex(recorded?.akPublic ?? ''));
      expect(withoutUnique(made)).toEqual(withoutUnique(template));
    }
  });
});

describe('tpm2_createek makes a key of template', () => {
  // Without options it takes the low range.
  test.each([
    { name: 'L-1', algorithm: 'rsa' },
    { name: 'L-2', algorithm: 'ecc' },
  ])('$name for $algorithm', async ({ name, algorithm }) => {
    const tpm = await startSwtpm({ templates: [] });
    await tpm.tpm2('tpm2_createek', ['-c', 'ek.ctx', '-G', algorithm, '-u', 'ek.public']);
    expect(ekTemplateOf(decode(tpm2bPublic, await readFile(join(tpm.folder, 'ek.public'))))?.name).toBe(name);
  });
});
