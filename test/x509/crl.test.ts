import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { type CertificateRevocationList, MAX_CRL_BYTES, parseCrl } from '../../src/x509/crl/crl.ts';
import { MalformedCertificateError } from '../../src/x509/malformed-certificate.ts';
import { formatName } from '../../src/x509/name.ts';
import { commonName, type ExtensionRecipe } from '../support/certificate-recipe.ts';
import {
  type CrlRecipe,
  deltaIndicator,
  entry,
  issuingDistributionPoint,
  LIST_PERIOD,
  longSerial,
  mintCrl,
  REVOKED_AT,
} from '../support/crl-recipe.ts';
import { bitString, derNull, explicit, integer, oid, sequence, tlv } from '../support/der-writer.ts';
import { keyIdOf, keyPair, spkiOf } from '../support/pki.ts';
import { unhex } from '../support/vectors.ts';

const key = keyPair('p256', 'root');
const keyId = keyIdOf(spkiOf(key.publicKey));
const mint = (recipe: Partial<CrlRecipe> = {}): Uint8Array => mintCrl({ signer: key.privateKey, ...recipe });
const read = (recipe: Partial<CrlRecipe> = {}): CertificateRevocationList => parseCrl(mint(recipe));

const unknownExtension: ExtensionRecipe = { oid: '1.3.6.1.4.1.99999.1', critical: true, value: derNull() };
const inAnyCase = { ...unknownExtension, critical: false };
const utcTime = (text: string): Uint8Array => tlv(0x17, Buffer.from(text, 'latin1'));
const generalizedTime = (text: string): Uint8Array => tlv(0x18, Buffer.from(text, 'latin1'));

test('every field of a list is read', () => {
  const revoked = [{ serial: unhex('0123') }, { serial: unhex('7f'), reason: 1 }];
  const der = mint({ issuer: commonName('Test CA'), authorityKeyId: keyId, revoked });
  const list = parseCrl(der);
  expect(Buffer.compare(list.der, der)).toBe(0);
  expect(list.fingerprint).toBe(createHash('sha256').update(der).digest('hex'));
  expect(Buffer.from(der).includes(Buffer.from(list.tbs))).toBe(true);
  expect(list.tbs[0]).toBe(0x30);
  expect(formatName(list.issuer)).toBe('CN=Test CA');
  expect(list.signatureAlgorithm).toEqual({ scheme: 'ecdsa', hash: 'sha256' });
  expect({ thisUpdate: list.thisUpdate, nextUpdate: list.nextUpdate }).toEqual(LIST_PERIOD);
  expect(list.authorityKeyId).toEqual(keyId);
  expect(list.number).toBe('029d');
  expect(list.entries).toBe(2);
  expect(list.unusable).toBeUndefined();
  expect(list.find(unhex('0123'))).toEqual({ at: REVOKED_AT, reason: undefined });
  expect(list.find(unhex('7f'))).toEqual({ at: REVOKED_AT, reason: 'keyCompromise' });
  expect(list.find(unhex('0124'))).toBeUndefined();
});

test('byte fields are views of the input, and never a Buffer', () => {
  const der = Buffer.from(mint({ authorityKeyId: keyId }));
  const list = parseCrl(der);
  for (const bytes of [list.der, list.tbs, list.signature, list.authorityKeyId, list.issuer.der]) {
    expect(bytes?.buffer).toBe(der.buffer);
    expect(bytes).not.toBeInstanceOf(Buffer);
  }
});

const accepted: readonly [string, Partial<CrlRecipe>, Partial<CertificateRevocationList>][] = [
  ['no entries', {}, { entries: 0, unusable: undefined }],
  ['an empty list of entries', { editTbs: (tbs) => tbs.toSpliced(5, 0, sequence()) }, { entries: 0 }],
  ['no extensions', { number: null }, { number: undefined, authorityKeyId: undefined, unusable: undefined }],
  ['version 1', { version: null, revoked: [{ serial: unhex('05') }] }, { entries: 1, unusable: undefined }],
  ['an unknown extension that is not critical', { extraExtensions: [inAnyCase] }, { unusable: undefined }],
  ['a number of 20 octets', { number: longSerial(1) }, { number: Buffer.from(longSerial(1)).toString('hex') }],
  [
    'times written as GeneralizedTime',
    { thisUpdate: generalizedTime('20260529000000Z'), nextUpdate: generalizedTime('20600605000000Z') },
    { thisUpdate: LIST_PERIOD.thisUpdate, nextUpdate: new Date('2060-06-05T00:00:00Z') },
  ],
  [
    'an unknown extension of an entry that is not critical',
    { revoked: [{ serial: unhex('05'), extraExtensions: [inAnyCase] }] },
    { entries: 1, unusable: undefined },
  ],
];

test.each(accepted)('reads a list with %s', (_, recipe, expected) => {
  expect(read(recipe)).toMatchObject(expected);
});

const distributionPoint = tlv(0xa0, tlv(0x86, Buffer.from('http://crl.example/1.crl')));
const unusable: readonly [string, string, Partial<CrlRecipe>][] = [
  ['a delta', 'is a delta CRL', { extraExtensions: [deltaIndicator] }],
  ['a delta that is not critical', 'is a delta CRL', { extraExtensions: [{ ...deltaIndicator, critical: false }] }],
  ['an indirect list', 'is an indirect CRL', { extraExtensions: [issuingDistributionPoint({ 4: true })] }],
  ['a list without an end', 'has no nextUpdate', { nextUpdate: null }],
  ['a version 1 list without an end', 'has no nextUpdate', { version: null, nextUpdate: null }],
  [
    'an indirect list of one distribution point',
    'is an indirect CRL',
    { extraExtensions: [issuingDistributionPoint({ 0: distributionPoint, 4: true })] },
  ],
  [
    'a list of one distribution point',
    'is for one distribution point only',
    { extraExtensions: [issuingDistributionPoint({ 0: distributionPoint })] },
  ],
  ['a list of end entities', 'is for end entities only', { extraExtensions: [issuingDistributionPoint({ 1: true })] }],
  ['a list of CAs', 'is for CAs only', { extraExtensions: [issuingDistributionPoint({ 2: true })] }],
  [
    'a list of some reasons',
    'is for some reasons only',
    { extraExtensions: [issuingDistributionPoint({ 3: Uint8Array.of(6, 0x40) })] },
  ],
  [
    'a list of attribute certificates',
    'is for attribute certificates only',
    { extraExtensions: [issuingDistributionPoint({ 5: true })] },
  ],
  [
    'a limit in an extension that is not critical',
    'is for CAs only',
    { extraExtensions: [{ ...issuingDistributionPoint({ 2: true }), critical: false }] },
  ],
  [
    'an unknown critical extension',
    'has the critical extension 1.3.6.1.4.1.99999.1, which is not supported',
    { extraExtensions: [unknownExtension] },
  ],
  [
    'an unknown critical extension of an entry',
    'has an entry with the critical extension 1.3.6.1.4.1.99999.1, which is not supported',
    { revoked: [{ serial: unhex('05') }, { serial: unhex('06'), extraExtensions: [unknownExtension] }] },
  ],
  [
    'an entry of another issuer',
    'has entries for another issuer',
    {
      revoked: [
        { serial: unhex('05'), extraExtensions: [{ oid: '2.5.29.29', critical: true, value: sequence() }] },
        { serial: unhex('06') },
      ],
    },
  ],
];

test.each(unusable)('reads %s and says that it is not to be relied upon', (_, why, recipe) => {
  const list = read(recipe);
  expect(list.unusable).toBe(why);
  // Its entries say whose certificates they revoke, or may be of anybody's.
  expect(list.speaksForOthers).toBe(
    !/delta|nextUpdate|indirect|distribution point only|end entities|for CAs|some reasons/.test(why),
  );
});

const found = (listed: string, asked: string): boolean =>
  read({ revoked: [{ serial: unhex(listed) }] }).find(unhex(asked)) !== undefined;

test.each([
  ['01', '01'],
  ['01', '00000001'],
  ['00000001', '01'],
  ['0080', '0080'],
  ['0080', '00000080'],
  ['80', 'ff80'],
  ['00', '000000'],
])('a serial number listed as %s is that of a certificate with %s', (listed, asked) => {
  expect(found(listed, asked)).toBe(true);
});

test.each([
  ['0080', '80'],
  ['80', '0080'],
  ['01', '0100'],
  ['0100', '01'],
  ['00', '01'],
  ['00', ''],
  ['ff', '00ff'],
  ['00ff', 'ffff'],
])('a serial number listed as %s is not that of a certificate with %s', (listed, asked) => {
  expect(found(listed, asked)).toBe(false);
});

test.each([
  [0, 'unspecified'],
  [1, 'keyCompromise'],
  [2, 'cACompromise'],
  [3, 'affiliationChanged'],
  [4, 'superseded'],
  [5, 'cessationOfOperation'],
  [6, 'certificateHold'],
  [9, 'privilegeWithdrawn'],
  [10, 'aACompromise'],
  // Not assigned: no reason to let the certificate pass.
  [7, '7'],
  [200, '200'],
])('reason %i revokes, and is %s', (reason, name) => {
  expect(read({ revoked: [{ serial: unhex('05'), reason }] }).find(unhex('05'))?.reason).toBe(name);
});

test('an entry that lifts an earlier one is no revocation', () => {
  const list = read({ revoked: [{ serial: unhex('05'), reason: 8 }] });
  expect([list.entries, list.find(unhex('05'))]).toEqual([1, undefined]);
});

test.each([
  ['a hold and then a key compromise', [6, 1], 'certificateHold'],
  ['a hold and then its lifting', [6, 8], 'certificateHold'],
  ['a lifting and then a hold', [8, 6], 'certificateHold'],
])('of a serial number listed twice, with %s, the first that revokes counts', (_, reasons, expected) => {
  const list = read({ revoked: reasons.map((reason, i) => ({ serial: unhex(i === 0 ? '05' : '0005'), reason })) });
  expect(list.find(unhex('05'))?.reason).toBe(expected);
});

test('every one of 5,000 entries in 190 kB is found, and their neighbours are not', () => {
  const revoked = Array.from({ length: 5000 }, (_, i) => ({
    serial: longSerial(2 * i),
    at: new Date(REVOKED_AT.getTime() + i * 1000),
  }));
  const der = mint({ revoked });
  expect(der.length).toBeGreaterThan(114_000);
  const list = parseCrl(der);
  expect(list.entries).toBe(5000);
  for (const [i, { serial, at }] of revoked.entries()) {
    expect(list.find(serial)).toEqual({ at, reason: undefined });
    expect(list.find(longSerial(2 * i + 1))).toBeUndefined();
  }
});

test('a list of 200,000 entries with reasons is read', () => {
  const revoked = Array.from({ length: 200_000 }, (_, i) => ({ serial: longSerial(i), reason: i % 2 === 0 ? 4 : 6 }));
  const list = read({ revoked });
  expect(list.entries).toBe(200_000);
  expect(list.find(longSerial(199_999))?.reason).toBe('certificateHold');
  expect(list.find(longSerial(200_000))).toBeUndefined();
});

const other = sequence(oid('1.2.840.10045.4.3.3'));
const editEntries = (...entries: readonly Uint8Array[]): Partial<CrlRecipe> => ({
  revoked: [{ serial: unhex('05') }],
  editTbs: (tbs) => tbs.with(5, sequence(...entries)),
});
const refused: readonly [string, string, Partial<CrlRecipe>][] = [
  ['version 1 spelt out', 'tbsCertList', { version: 0 }],
  ['version 3', 'tbsCertList', { version: 2 }],
  ['another inner algorithm', 'tbsCertList.signature', { innerAlgorithm: other }],
  ['an empty issuer', 'tbsCertList', { issuer: [] }],
  ['a start that does not exist', 'tbsCertList.thisUpdate', { thisUpdate: utcTime('260230000000Z') }],
  ['a start without seconds', 'tbsCertList.thisUpdate', { thisUpdate: utcTime('2602280000Z') }],
  ['an end with an offset', 'tbsCertList.nextUpdate', { nextUpdate: utcTime('260605000000+0100') }],
  ['an end before a third time', 'tbsCertList', { editTbs: (tbs) => tbs.toSpliced(5, 0, utcTime('260606000000Z')) }],
  ['no start', 'tbsCertList.thisUpdate', { editTbs: (tbs) => tbs.toSpliced(3, 3) }],
  ['an entry without date', 'revokedCertificates.[0].revocationDate', editEntries(sequence(integer(5)))],
  [
    'a date that does not exist',
    'revokedCertificates.[1].revocationDate',
    editEntries(entry({ serial: unhex('05') }), entry({ serial: unhex('06'), at: utcTime('260305240000Z') })),
  ],
  [
    'a serial number without content',
    'revokedCertificates.[0].userCertificate',
    editEntries(entry({ serial: unhex('') })),
  ],
  ['an entry that is a SET', 'revokedCertificates.[0]', editEntries(tlv(0x31, integer(5), utcTime('260305000000Z')))],
  [
    'an entry with something behind its extensions',
    'revokedCertificates.[0]',
    editEntries(sequence(integer(5), utcTime('260305000000Z'), sequence(sequence(oid('1.2.3'), tlv(4))), derNull())),
  ],
  [
    'an empty list of extensions of an entry',
    'crlEntryExtensions',
    editEntries(sequence(integer(5), utcTime('260305000000Z'), sequence())),
  ],
  [
    'an extension of an entry twice',
    'crlEntryExtensions.[1]',
    editEntries(entry({ serial: unhex('05'), extraExtensions: [inAnyCase, unknownExtension] })),
  ],
  [
    'a reason that is an INTEGER',
    'reasonCode.value',
    { revoked: [{ serial: unhex('05'), extraExtensions: [{ oid: '2.5.29.21', value: integer(1) }] }] },
  ],
  [
    'a reason of two octets',
    'reasonCode.value',
    { revoked: [{ serial: unhex('05'), extraExtensions: [{ oid: '2.5.29.21', value: tlv(0x0a, unhex('0101')) }] }] },
  ],
  ['extensions in version 1', 'crlExtensions', { version: null, extraExtensions: [inAnyCase] }],
  [
    'extensions of an entry in version 1',
    'revokedCertificates.[0]',
    { version: null, revoked: [{ serial: unhex('05'), reason: 1 }] },
  ],
  ['an extension twice', 'crlExtensions.value.[2]', { extraExtensions: [inAnyCase, inAnyCase] }],
  ['an empty list of extensions', 'crlExtensions.value', { editTbs: (tbs) => tbs.with(-1, explicit(0, sequence())) }],
  ['a negative number', 'cRLNumber', { number: unhex('80') }],
  ['a number of 22 octets', 'cRLNumber', { number: new Uint8Array(22).fill(1) }],
  ['a padded number', 'cRLNumber.value', { number: unhex('0001') }],
  [
    'an unknown field in the issuing distribution point',
    'issuingDistributionPoint.value',
    { extraExtensions: [issuingDistributionPoint({ 6: true })] },
  ],
  [
    'fields of the issuing distribution point in another order',
    'issuingDistributionPoint.value',
    { extraExtensions: [{ oid: '2.5.29.28', value: sequence(tlv(0x84, unhex('ff')), tlv(0x81, unhex('ff'))) }] },
  ],
  ['something behind the extensions', 'tbsCertList', { editTbs: (tbs) => [...tbs, derNull()] }],
];

test.each(refused)('refuses %s', (_, path, recipe) => {
  expect(() => read(recipe)).toThrow(MalformedCertificateError);
  expect(() => read(recipe)).toThrow(expect.objectContaining({ path: expect.stringMatching(endingIn(path)) }));
});

/** At the end, or right before the field in which the fault was met. */
const endingIn = (path: string): RegExp => new RegExp(`${path.replace(/[.[\]]/g, '\\$&')}$`);

test('refuses bytes behind the list, a list behind the list, and a signature of odd bits', () => {
  const der = mint();
  const { tbs, signature } = parseCrl(der);
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  expect(parseCrl(sequence(tbs, algorithm, bitString(signature))).entries).toBe(0);
  for (const bytes of [
    Buffer.concat([der, Uint8Array.of(0)]),
    Buffer.concat([der, der]),
    sequence(tbs, algorithm, bitString(signature.with(-1, 0), 1)),
    sequence(tbs, algorithm, bitString(signature), derNull()),
    sequence(tbs, algorithm),
    new Uint8Array(),
  ]) {
    expect(() => parseCrl(bytes)).toThrow(MalformedCertificateError);
  }
});

test('a list is read up to 16 MiB, and not beyond', () => {
  // RSA signatures are all of one length.
  const { privateKey: signer } = keyPair('rsa2048', 'root');
  const filled = (bytes: number): Uint8Array =>
    mint({ signer, extraExtensions: [{ ...inAnyCase, value: new Uint8Array(bytes) }] });
  const nearly = MAX_CRL_BYTES - 1000;
  const most = nearly + MAX_CRL_BYTES - filled(nearly).length;
  expect(parseCrl(filled(most)).der).toHaveLength(MAX_CRL_BYTES);
  expect(() => parseCrl(filled(most + 1))).toThrow('16777217 bytes, more than 16777216');
});

test('a serial number of a megabyte takes nothing from the other entries', () => {
  const long = new Uint8Array(1_000_000);
  const list = read({ revoked: [{ serial: long }, { serial: long.with(0, 1) }, { serial: unhex('05') }] });
  expect(list.find(unhex('05'))).toBeDefined();
  expect(list.find(unhex('00'))).toBeDefined();
  expect(list.find(unhex('01'))).toBeUndefined();
});
