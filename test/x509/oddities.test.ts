import { Buffer } from 'node:buffer';
import { expect, test } from 'vitest';
import { odditiesOf } from '../../src/x509/ek/oddities.ts';
import { takeCertificate } from '../../src/x509/intake.ts';
import { type CertificateRecipe, commonName, tpmName } from '../support/certificate-recipe.ts';
import { integer, octetString, oid, sequence, set, tlv, utf8String } from '../support/der-writer.ts';
import { EK_USAGE, mintEkChain } from '../support/pki.ts';

/** Of a leaf that has a subject, and no oddity but a critical alternative name. */
const oddities = (leaf: CertificateRecipe = {}): readonly string[] =>
  odditiesOf(
    mintEkChain({ leaf: { subject: commonName('tpm'), san: { version: 'id:0007000A' }, ...leaf } }).leaf.certificate,
  );
const san = (value: Uint8Array): CertificateRecipe => ({
  san: null,
  extraExtensions: [{ oid: '2.5.29.17', critical: true, value }],
});
const extended = (type: string, critical: boolean, value: Uint8Array): CertificateRecipe => ({
  extraExtensions: [{ oid: type, critical, value }],
});
const generalized = (text: string): Uint8Array => tlv(0x18, Buffer.from(text, 'latin1'));
const otherName = (type: string): Uint8Array => tlv(0xa0, oid(type), tlv(0xa0, utf8String('x')));
const policies = sequence(sequence(oid('2.5.29.32.0')));
const directoryAttributes = (level: Uint8Array): CertificateRecipe => ({
  family: null,
  ...extended(
    '2.5.29.9',
    false,
    sequence(sequence(oid('2.23.133.2.16'), set(sequence(utf8String('2.0'), level, integer(138))))),
  ),
});

// Each with its nearest neighbour, which has no such oddity.
const cases: readonly [string, CertificateRecipe, CertificateRecipe][] = [
  ['SAN-critical', {}, { sanCritical: false }],
  [
    'EKU-critical',
    { extKeyUsage: null, ...extended('2.5.29.37', true, sequence(oid(EK_USAGE))) },
    { extKeyUsage: null, ...extended('2.5.29.37', false, sequence(oid(EK_USAGE))) },
  ],
  ['policies-critical', extended('2.5.29.32', true, policies), extended('2.5.29.32', false, policies)],
  ['no-keyUsage', { keyUsage: null }, { keyUsage: [] }],
  ['notAfter-9999', { notAfter: new Date('9999-01-01') }, { notAfter: new Date('9998-12-31T23:59:59Z') }],
  ['date-2050-or-later', { notAfter: new Date('2050-01-01') }, { notAfter: new Date('2049-12-31T23:59:59Z') }],
  ['date-2050-or-later', { notAfter: new Date('9998-12-31') }, { notAfter: new Date('9999-01-01') }],
  [
    'GeneralizedTime-before-2050',
    { notAfter: generalized('20491231235959Z') },
    { notAfter: generalized('20500101000000Z') },
  ],
  ['tpmVersion-format:id:073f', { san: { version: 'id:073f' } }, { san: { version: 'id:0000073F' } }],
  ['tpmVersion-format:id:0000073f', { san: { version: 'id:0000073f' } }, { san: { version: 'id:0000073F' } }],
  ['tpmVersion-format:a\\u{a}b', { san: { version: 'a\nb' } }, {}],
  [`tpmVersion-format:${'7'.repeat(32)}`, { san: { version: '7'.repeat(900) } }, {}],
  [
    'SAN-otherName:2.23.133.5.4.1',
    san(sequence(otherName('2.23.133.5.4.1'))),
    san(sequence(otherName('2.23.133.5.4.2'))),
  ],
  ['SAN-attribute-not-UTF8String', san(tpmName({}, 'three', 'printable')), san(tpmName({}))],
  ['multi-valued-RDN', san(tpmName({}, 'one')), san(tpmName({}))],
  ['SAN-unreadable', san(integer(1)), san(sequence())],
  ['SAN-unreadable', san(sequence(tlv(0xa0, octetString()))), san(sequence(tlv(0xa1, octetString())))],
  ['TPM-specification-unreadable', directoryAttributes(tlv(2, Uint8Array.of(0, 1))), directoryAttributes(integer(1))],
  ['empty-subject', { subject: [] }, {}],
  ['serial-zero', { serial: Uint8Array.of(0) }, { serial: Uint8Array.of(1) }],
];

test.each(cases)('names %s', (oddity, odd, neighbour) => {
  expect(oddities(odd)).toContain(oddity);
  expect(oddities(neighbour)).not.toContain(oddity);
});

test('a certificate of the common kind has only the alternative name that its profile makes critical', () => {
  expect(oddities()).toEqual(['SAN-critical']);
  expect(oddities({ sanCritical: false })).toEqual([]);
});

test('joins what the intake found, in order and each once', () => {
  const { der } = mintEkChain({ leaf: { san: { version: 'id:13' } } }).leaf;
  const bytes = Uint8Array.from([...der, ...Array<number>(431).fill(0xff)]);
  const intake = takeCertificate(bytes);
  const { certificate } = mintEkChain({ leaf: { san: { version: 'id:13' } } }).leaf;
  expect(odditiesOf(certificate, [...intake.oddities, ...intake.oddities])).toEqual([
    '431-trailing-bytes-ff',
    'SAN-critical',
    'empty-subject',
    'tpmVersion-format:id:13',
  ]);
});
