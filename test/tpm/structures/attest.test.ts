import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { hex } from '../../../src/bytes/bytes.ts';
import { hashAlgorithm } from '../../../src/tpm/structures/algorithms.ts';
import { type TpmsAttest, tpmsAttest } from '../../../src/tpm/structures/attest.ts';
import { decode, encode, tpm2bOf } from '../../../src/tpm/structures/codec.ts';
import { TPM_ALG } from '../../../src/tpm/structures/constants.ts';
import { tpmsCreationData } from '../../../src/tpm/structures/creation-data.ts';
import { objectName } from '../../../src/tpm/structures/name.ts';
import { selectedPcrs } from '../../../src/tpm/structures/pcr.ts';
import { tpmtPublic } from '../../../src/tpm/structures/public.ts';
import { corpusRows, describeCorpus, readCorpus } from '../../support/corpus.ts';
import { swtpmAttestations, unhex } from '../../support/vectors.ts';

/** TPM 2.0 Library Part 2, 10.12.8 and 10.12.12, field by field; the values as swtpm gives them. */
const QUOTE = [
  'ff544347', // magic: TPM_GENERATED_VALUE
  '8018', // type: TPM_ST_ATTEST_QUOTE
  `0022 000b ${'c8'.repeat(32)}`, // qualifiedSigner
  '0010 00112233445566778899aabbccddeeff', // extraData
  '000000000000cb11 00000002 00000000 01', // clockInfo: clock, resetCount, restartCount, safe
  '2019102300163636', // firmwareVersion
  '00000001 000b 03 830400', // pcrSelect: SHA-256, PCRs 0, 1, 7, 10
  `0020 ${'38'.repeat(32)}`, // pcrDigest
].join(' ');

const HEADER = {
  qualifiedSigner: unhex(`000b ${'c8'.repeat(32)}`),
  extraData: unhex('00112233445566778899aabbccddeeff'),
  clockInfo: { clock: 0xcb11n, resetCount: 2, restartCount: 0, safe: true },
  firmwareVersion: 0x2019102300163636n,
};

test('a quote of 129 bytes reads as Part 2 lays it out', () => {
  const bytes = unhex(QUOTE);
  expect(bytes.length).toBe(4 + 2 + 36 + 2 + 16 + 17 + 8 + 4 + 6 + 34);
  const quote = decode(tpmsAttest, bytes);
  expect(quote).toEqual({
    type: 'quote',
    ...HEADER,
    attested: {
      pcrSelect: [{ hash: TPM_ALG.SHA256, pcrSelect: unhex('830400') }],
      pcrDigest: new Uint8Array(32).fill(0x38),
    },
  });
  expect(encode(tpmsAttest, quote)).toEqual(bytes);
});

describe('a quote is malformed', () => {
  const change = (at: number, to: string) => {
    const bytes = unhex(QUOTE);
    bytes.set(unhex(to), at);
    return bytes;
  };
  test.each([
    { what: 'with another magic', bytes: change(3, '48'), error: 'TPMS_ATTEST at byte 0: magic 0xff544348 is not' },
    { what: 'with the magic of zeros', bytes: change(0, '00000000'), error: 'magic 0x0 is not' },
    { what: 'with the type between two types', bytes: change(4, '801b'), error: 'TPMS_ATTEST.type at byte 6' },
    { what: 'with the type of a ticket', bytes: change(4, '8021'), error: '0x8021 is not a TPMI_ST_ATTEST' },
    { what: 'with a qualified signer of 67 bytes', bytes: change(6, '0043'), error: 'TPMS_ATTEST.qualifiedSigner' },
    { what: 'with qualifying data of 67 bytes', bytes: change(42, '0043'), error: 'TPMS_ATTEST.extraData' },
    { what: 'with a safe that is neither yes nor no', bytes: change(76, '02'), error: 'TPMS_ATTEST.clockInfo.safe' },
    { what: 'with 17 banks', bytes: change(85, '00000011'), error: 'TPMS_ATTEST.attested.pcrSelect at byte 89: count' },
    { what: 'with a selection of 5 bytes', bytes: change(91, '05'), error: 'attested.pcrSelect.[0] at byte 92' },
    { what: 'with a digest of 65 bytes', bytes: change(95, '0041'), error: 'TPMS_ATTEST.attested.pcrDigest' },
    { what: 'with its TPM2B size in front', bytes: unhex(`0081 ${QUOTE}`), error: 'magic 0x81ff54 is not' },
  ])('$what', ({ bytes, error }) => {
    expect(() => decode(tpmsAttest, bytes)).toThrow(error);
  });
});

/** The header up to firmwareVersion with another type, then the structure of that type (10.12.1 to 10.12.7). */
const header = (type: string) => QUOTE.split(' 00000001 000b')[0]?.replace('8018', type) ?? '';
const TYPES: readonly { type: string; bytes: string; attested: TpmsAttest['attested'] }[] = [
  {
    type: 'nv',
    bytes: `${header('8014')} 0004 01800001 0002 0003 aabbcc`,
    attested: { indexName: unhex('01800001'), offset: 2, nvContents: unhex('aabbcc') },
  },
  {
    type: 'commandAudit',
    bytes: `${header('8015')} 0000000000000007 000b 0001aa 0002bbbb`,
    attested: { auditCounter: 7n, digestAlg: 0x000b, auditDigest: unhex('aa'), commandDigest: unhex('bbbb') },
  },
  {
    type: 'sessionAudit',
    bytes: `${header('8016')} 01 0001aa`,
    attested: { exclusiveSession: true, sessionDigest: unhex('aa') },
  },
  {
    type: 'certify',
    bytes: `${header('8017')} 0004 40000001 0004 40000007`,
    attested: { name: unhex('40000001'), qualifiedName: unhex('40000007') },
  },
  {
    type: 'time',
    bytes: `${header('8019')} 0000000000000009 00000000000000ff 00000001 00000002 00 0000000000000003`,
    attested: {
      time: 9n,
      clockInfo: { clock: 255n, resetCount: 1, restartCount: 2, safe: false },
      firmwareVersion: 3n,
    },
  },
  {
    type: 'creation',
    bytes: `${header('801a')} 0002 000b 0001 ee`,
    attested: { objectName: unhex('000b'), creationHash: unhex('ee') },
  },
  {
    type: 'nvDigest',
    bytes: `${header('801c')} 0002 000b 0001 dd`,
    attested: { indexName: unhex('000b'), nvDigest: unhex('dd') },
  },
];

test.each(TYPES)('a TPMS_ATTEST of type $type reads as Part 2 lays it out', ({ type, bytes, attested }) => {
  const value = decode(tpmsAttest, unhex(bytes));
  expect(value).toEqual({ type, ...HEADER, attested });
  expect(encode(tpmsAttest, value)).toEqual(unhex(bytes));
});

describe(`what a TPM signs (${swtpmAttestations.source})`, () => {
  const { signed, creation, nv, key } = swtpmAttestations.attestations;
  test.each(signed)('$type comes back byte for byte', ({ type, attested }) => {
    const value = decode(tpmsAttest, unhex(attested));
    expect(value.type).toBe(type);
    expect(encode(tpmsAttest, value)).toEqual(unhex(attested));
  });

  const attestedOf = (type: string) => unhex(signed.find((each) => each.type === type)?.attested ?? '');
  test('a creation attestation names the object and the digest of its creation data', () => {
    const { attested } = decode(tpmsAttest, attestedOf('creation'));
    const data = unhex(creation.data);
    expect(attested).toEqual({
      objectName: objectName(decode(tpmtPublic, unhex(creation.public))),
      creationHash: Uint8Array.from(createHash('sha256').update(data.subarray(2)).digest()),
    });
    // Parent of a primary object: the hierarchy, by handle; its name algorithm is TPM_ALG_NULL.
    expect(decode(tpm2bOf('TPM2B_CREATION_DATA', tpmsCreationData), data)).toEqual({
      pcrSelect: [],
      pcrDigest: Uint8Array.from(createHash('sha256').digest()),
      locality: 1,
      parentNameAlg: TPM_ALG.NULL,
      parentName: unhex('4000000b'),
      parentQualifiedName: unhex('4000000b'),
      outsideInfo: unhex(''),
    });
  });

  test('an NV certification holds the contents, and the Name of the index', () => {
    expect(decode(tpmsAttest, attestedOf('nv')).attested).toEqual({
      indexName: unhex(nv.name),
      offset: 0,
      nvContents: Uint8Array.from(Buffer.from('contents')),
    });
  });

  test('the Name in the recording is the Name of the key', () => {
    expect(hex(objectName(decode(tpmtPublic, unhex(key.akPublic))))).toBe(key.akName);
  });
});

interface Decoded {
  readonly qualifiedSigner: string;
  readonly extraData: string;
  readonly clock: number;
  readonly resetCount: number;
  readonly restartCount: number;
  readonly safe: number;
  readonly firmwareVersion: string;
  readonly selection: readonly { readonly bank: string; readonly pcrs: readonly number[] }[];
  readonly pcrDigest: string;
}

describeCorpus('quotes of the field', () => {
  const files = corpusRows<'quotes', { readonly file: string }>('quotes/manifest.json', 'quotes');
  test.each(files)('$file reads as an independent implementation read it', ({ file }) => {
    const { attest, decoded } = readCorpus<{ attest: string; decoded: Decoded }>(`quotes/${file}`);
    const quote = decode(tpmsAttest, unhex(attest));
    if (quote.type !== 'quote') throw new Error(`a ${quote.type}`);
    const { attested, clockInfo } = quote;
    expect({
      qualifiedSigner: hex(quote.qualifiedSigner),
      extraData: hex(quote.extraData),
      clock: Number(clockInfo.clock),
      resetCount: clockInfo.resetCount,
      restartCount: clockInfo.restartCount,
      safe: clockInfo.safe ? 1 : 0,
      firmwareVersion: quote.firmwareVersion.toString(16).padStart(16, '0'),
      selection: attested.pcrSelect.map((bank) => ({ bank: hashAlgorithm(bank.hash)?.name, pcrs: selectedPcrs(bank) })),
      pcrDigest: hex(attested.pcrDigest),
    }).toEqual({ ...pick(decoded) });
    expect(encode(tpmsAttest, quote)).toEqual(unhex(attest));
  });

  test('a creation attestation of Windows on a cloud TPM names the key and its creation data', () => {
    const { akPublicArea, creation } = readCorpus<{
      akPublicArea: string;
      creation: { creationData: string; attest: string };
    }>('quotes/windows-gcp-sha1-empty-nonce.json');
    const value = decode(tpmsAttest, unhex(creation.attest));
    const data = unhex(creation.creationData);
    expect(value).toMatchObject({
      type: 'creation',
      attested: {
        objectName: objectName(decode(tpmtPublic, unhex(akPublicArea))),
        creationHash: Uint8Array.from(createHash('sha256').update(data).digest()),
      },
    });
    expect(decode(tpmsCreationData, data)).toMatchObject({ locality: 1, parentNameAlg: TPM_ALG.SHA256 });
    expect(encode(tpmsCreationData, decode(tpmsCreationData, data))).toEqual(data);
  });
});

function pick(decoded: Decoded): Decoded {
  const { qualifiedSigner, extraData, clock, resetCount, restartCount, safe, firmwareVersion } = decoded;
  const { selection, pcrDigest } = decoded;
  return { qualifiedSigner, extraData, clock, resetCount, restartCount, safe, firmwareVersion, selection, pcrDigest };
}
