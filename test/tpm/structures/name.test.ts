import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { concat, hex } from '../../../src/bytes/bytes.ts';
import { publicKeyHash, publicKeyOf } from '../../../src/tpm/public-key.ts';
import { tpmsAttest } from '../../../src/tpm/structures/attest.ts';
import { decode, encode } from '../../../src/tpm/structures/codec.ts';
import { TPM_ALG, TPM_RH } from '../../../src/tpm/structures/constants.ts';
import { tpmsCreationData } from '../../../src/tpm/structures/creation-data.ts';
import { handleName, nvName, objectName, qualifiedName } from '../../../src/tpm/structures/name.ts';
import { tpmsNvPublic } from '../../../src/tpm/structures/nv-public.ts';
import { tpmtPublic } from '../../../src/tpm/structures/public.ts';
import { corpusRows, describeCorpus, readCorpus } from '../../support/corpus.ts';
import { swtpmAttestations, unhex } from '../../support/vectors.ts';

interface NameVector {
  readonly name: string;
  readonly publicArea: string;
  readonly expectedName: string;
  readonly spkiSha256: string;
}

describeCorpus('public areas of the field', () => {
  const vectors = corpusRows<'vectors', NameVector>('vectors/names.json', 'vectors');
  test.each(vectors)('$name has the Name and the key that others computed', (vector) => {
    const publicArea = decode(tpmtPublic, unhex(vector.publicArea));
    expect(hex(objectName(publicArea))).toBe(vector.expectedName);
    expect(encode(tpmtPublic, publicArea)).toEqual(unhex(vector.publicArea));
    const key = publicKeyOf(publicArea);
    expect(key && publicKeyHash(key)).toBe(vector.spkiSha256);
  });

  test('a quote of Windows on a cloud TPM is signed under the parent that the creation data name', () => {
    const { akPublicArea, attest, creation } = readCorpus<{
      akPublicArea: string;
      attest: string;
      creation: { creationData: string };
    }>('quotes/windows-gcp-sha1-empty-nonce.json');
    const { parentName, parentQualifiedName } = decode(tpmsCreationData, unhex(creation.creationData));
    const name = objectName(decode(tpmtPublic, unhex(akPublicArea)));
    expect(qualifiedName(parentQualifiedName, name)).toEqual(decode(tpmsAttest, unhex(attest)).qualifiedSigner);
    expect(qualifiedName(parentName, name)).not.toEqual(decode(tpmsAttest, unhex(attest)).qualifiedSigner);
  });
});

describe('the qualified signer that swtpm put into', () => {
  const endorsement = handleName(TPM_RH.ENDORSEMENT);
  test.each(swtpmAttestations.quotes)('$name is the key below the $parent', (row) => {
    const name = objectName(decode(tpmtPublic, unhex(row.akPublic)));
    expect(hex(name)).toBe(row.akName);
    const { qualifiedSigner } = decode(tpmsAttest, unhex(row.quoted));
    const parents = {
      'endorsement hierarchy': endorsement,
      'endorsement key': qualifiedName(endorsement, unhex(row.ekName ?? '000b')),
    };
    for (const [parent, itsQualifiedName] of Object.entries(parents)) {
      const expected = hex(qualifiedName(itsQualifiedName, name));
      if (parent === row.parent) expect(hex(qualifiedSigner)).toBe(expected);
      else expect(hex(qualifiedSigner)).not.toBe(expected);
    }
    expect(qualifiedSigner).not.toEqual(qualifiedName(handleName(TPM_RH.OWNER), name));
  });
});

describe('an NV index', () => {
  /** The policy index of the EK Credential Profile (B.6.4): TPMA_NV 0x220f1008, PolicyA, 34 bytes. */
  const POLICY_INDEX = {
    nvIndex: 0x01c07f01,
    nameAlg: TPM_ALG.SHA256,
    attributes: 0x220f1008,
    authPolicy: unhex('837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa'),
    dataBytes: 34,
  };
  test('of the EK policy has the Name of the EK Credential Profile', () => {
    expect(hex(nvName(POLICY_INDEX))).toBe('000b0c9d717e9c3fe69fda41769450bb145957f8b3610e084dbf65591a5d11ecd83f');
  });

  test('has another Name when any field is another', () => {
    const changed = [
      { ...POLICY_INDEX, nvIndex: 0x01c07f02 },
      { ...POLICY_INDEX, attributes: 0x020f1008 },
      { ...POLICY_INDEX, authPolicy: unhex('') },
      { ...POLICY_INDEX, dataBytes: 35 },
    ];
    const names = [POLICY_INDEX, ...changed].map((area) => hex(nvName(area)));
    expect(new Set(names).size).toBe(names.length);
  });

  test('of swtpm has the Name that swtpm certified', () => {
    const { index, dataBytes, name } = swtpmAttestations.attestations.nv;
    const nvIndex = Number.parseInt(index, 16);
    // ownerwrite, authwrite, ownerread, authread, written
    const area = { nvIndex, nameAlg: TPM_ALG.SHA256, attributes: 0x20060006, authPolicy: unhex(''), dataBytes };
    expect(hex(nvName(area))).toBe(name);
    expect(hex(encode(tpmsNvPublic, area))).toBe('01800001' + '000b' + '20060006' + '0000' + '0008');
  });
});

describe('a Name', () => {
  const area = decode(tpmtPublic, unhex(swtpmAttestations.attestations.key.akPublic));
  test.each([
    { nameAlg: TPM_ALG.SHA1, hash: 'sha1' },
    { nameAlg: TPM_ALG.SHA384, hash: 'sha384' },
    { nameAlg: TPM_ALG.SHA512, hash: 'sha512' },
    { nameAlg: TPM_ALG.SM3_256, hash: 'sm3' },
  ])('is made with the algorithm it begins with: $hash', ({ nameAlg, hash }) => {
    const bytes = encode(tpmtPublic, { ...area, nameAlg });
    const digest = createHash(hash).update(bytes).digest();
    expect(objectName({ ...area, nameAlg })).toEqual(concat(Uint8Array.of(0, nameAlg), digest));
  });

  test('needs a digest: an object with TPM_ALG_NULL has none', () => {
    expect(() => objectName({ ...area, nameAlg: TPM_ALG.NULL })).toThrow('0x10 is not a known name algorithm');
    expect(() => qualifiedName(handleName(TPM_RH.NULL), unhex(''))).toThrow(RangeError);
  });

  test('of a hierarchy is its handle', () => {
    expect(handleName(TPM_RH.ENDORSEMENT)).toEqual(unhex('4000000b'));
    expect(handleName(0x80ffffff)).toEqual(unhex('80ffffff'));
  });
});
