/** Certificates written to break readers, or to be read in two ways: refused, and the server goes on. */
import { expect, test } from 'vitest';
import { concat } from '../../src/bytes/bytes.ts';
import type { FindingCode } from '../../src/verifier/findings.ts';
import type { CertificateRecipe } from '../support/certificate-recipe.ts';
import {
  boolean,
  explicit,
  integer,
  lengthOctets,
  octetString,
  oid,
  sequence,
  tlv,
  utf8String,
} from '../support/der-writer.ts';
import { useJudge } from '../support/judge.ts';
import { type SoftwareDevice, softwareDevice } from '../support/software-device.ts';

const judge = useJudge();
const machine = softwareDevice();
const [, intermediate = new Uint8Array()] = machine.certificates;

const sending = (leaf: Uint8Array): SoftwareDevice => ({ ...machine, certificates: [leaf, intermediate] });
const certified = (leaf: CertificateRecipe): SoftwareDevice => softwareDevice({ chain: { leaf } });
const refuses = (device: SoftwareDevice, ...codes: readonly FindingCode[]): Promise<void> =>
  judge.refuses({ device }, ...codes);
const refusesLeaf = (leaf: CertificateRecipe, ...codes: readonly FindingCode[]): Promise<void> =>
  refuses(certified(leaf), ...codes);

/** Constructed elements within one another, each of which holds nothing else. */
function nested(depth: number, tag = 0x30): Uint8Array {
  // From the inside out, as the length of each depends on that of the one within.
  const heads: Uint8Array[] = [];
  for (let i = 0, length = 0; i < depth; i++) {
    const head = Uint8Array.of(tag, ...lengthOctets(length));
    heads.push(head);
    length += head.length;
  }
  return concat(...heads.reverse());
}
const endless = (depth: number): Uint8Array =>
  concat(...Array.from({ length: depth }, () => Uint8Array.of(0x30, 0x80)));

// Version, serial number, algorithm, issuer, validity, subject, key, extensions.
const [ISSUER, SUBJECT, KEY, EXTENSIONS] = [3, 5, 6, 7];
const inPlaceOf =
  (index: number, element: Uint8Array) =>
  (elements: readonly Uint8Array[]): readonly Uint8Array[] =>
    elements.with(index, element);

test('A84 refuses DER nested hundreds and thousands deep in any place that is read', async () => {
  for (const depth of [300, 3500]) {
    await refuses(sending(nested(depth)), 'ek.certificate_malformed');
    for (const place of [ISSUER, SUBJECT, KEY])
      await refusesLeaf({ editTbs: inPlaceOf(place, nested(depth)) }, 'ek.certificate_malformed');
    await refusesLeaf({ editTbs: inPlaceOf(EXTENSIONS, nested(depth, 0xa3)) }, 'ek.certificate_malformed');
    await refusesLeaf(
      { extKeyUsage: null, extraExtensions: [{ oid: '2.5.29.37', value: nested(depth) }] },
      'ek.certificate_malformed',
    );
    await refuses(
      certified({ san: null, extraExtensions: [{ oid: '2.5.29.17', critical: true, value: nested(depth) }] }),
      'ek.profile',
    );
    await refuses(
      certified({
        san: null,
        extraExtensions: [{ oid: '2.5.29.17', critical: true, value: sequence(nested(depth, 0xa4)) }],
      }),
      'ek.profile',
    );
    // What is not read may be as deep as it likes.
    await judge.admits(certified({ extraExtensions: [{ oid: '1.3.6.1.4.1.99999.1', value: nested(depth) }] }));
    // And this says nothing that anything depends on.
    await judge.admits(certified({ family: null, extraExtensions: [{ oid: '2.5.29.9', value: nested(depth) }] }));
  }
  for (const deep of [nested(20_000), endless(20_000)]) await refuses(sending(deep), 'evidence.malformed');
});

test('A84 refuses a DER length that is indefinite or beyond the input', async () => {
  await refuses(sending(endless(300)), 'ek.certificate_malformed');
  const [leaf = new Uint8Array()] = machine.certificates;
  const content = leaf.slice(4);
  const open = concat(Uint8Array.of(0x30, 0x80), content, Uint8Array.of(0, 0));
  await refuses(sending(open), 'ek.certificate_malformed');
  for (const length of [
    [0x84, 0x80, 0, 0, 0],
    [0x84, 0x7f, 0xff, 0xff, 0xff],
    [0x84, 0xff, 0xff, 0xff, 0xff],
    [0x88, 0x80, 0, 0, 0, 0, 0, 0, 0],
    [0xff, ...new Array<number>(127).fill(0xff)],
  ]) {
    await refuses(sending(concat(Uint8Array.of(0x30, ...length), content)), 'ek.certificate_malformed');
    for (const place of [ISSUER, SUBJECT, KEY])
      await refusesLeaf({ editTbs: inPlaceOf(place, Uint8Array.of(0x30, ...length)) }, 'ek.certificate_malformed');
  }
});

test('A84 refuses an object identifier of ten thousand bytes, and one that is cut off', async () => {
  const arcs = new Uint8Array(10_000).fill(0x81);
  arcs[arcs.length - 1] = 1;
  const long = tlv(0x06, arcs);
  const unending = tlv(0x06, Uint8Array.of(0x2a, 0x81));
  for (const type of [long, unending]) {
    await refusesLeaf(
      { extKeyUsage: null, extraExtensions: [{ oid: '2.5.29.37', value: sequence(type) }] },
      'ek.certificate_malformed',
    );
    await refusesLeaf(
      { editTbs: inPlaceOf(SUBJECT, sequence(tlv(0x31, sequence(type, utf8String('x'))))) },
      'ek.certificate_malformed',
    );
    await refusesLeaf(
      { editTbs: inPlaceOf(EXTENSIONS, explicit(3, sequence(sequence(type, octetString())))) },
      'ek.certificate_malformed',
    );
  }
});

test('A84 refuses a certificate with 900 or 100,000 extensions', async () => {
  const extensions = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ oid: `1.3.6.1.4.1.${i}`, value: new Uint8Array() }));
  await refusesLeaf({ extraExtensions: extensions(900) }, 'ek.certificate_malformed');
  await refusesLeaf(
    { editTbs: inPlaceOf(EXTENSIONS, explicit(3, sequence(...extensions(900).map(() => sequence())))) },
    'ek.certificate_malformed',
  );
  // As many as the size of a certificate does not hold.
  const many = concat(...Array.from({ length: 100_000 }, () => Uint8Array.of(0x30, 0)));
  await refuses(certified({ editTbs: inPlaceOf(EXTENSIONS, explicit(3, sequence(many))) }), 'evidence.malformed');
});

test('A84 survives fifty deeply nested certificates in one process', async () => {
  const { pid } = judge.host;
  const deep = sending(nested(3500));
  for (let i = 0; i < 50; i++) await refuses(deep, 'ek.certificate_malformed');
  await judge.admits(machine);
  expect(judge.host.pid).toBe(pid);
  expect(judge.records.filter(({ level }) => level === 'error')).toEqual([]);
});

test('A85 refuses an extension that occurs twice, with the same or other values', async () => {
  const constraints = (ca: boolean) => ({
    oid: '2.5.29.19',
    critical: true,
    value: sequence(...(ca ? [boolean(true)] : [])),
  });
  await refusesLeaf({ extraExtensions: [constraints(true)] }, 'ek.certificate_malformed');
  await refusesLeaf({ extraExtensions: [constraints(false)] }, 'ek.certificate_malformed');
  const unknown = { oid: '1.3.6.1.4.1.99999.1', value: sequence() };
  await refusesLeaf({ extraExtensions: [unknown, unknown] }, 'ek.certificate_malformed');
  await judge.admits(certified({ extraExtensions: [unknown, { ...unknown, oid: '1.3.6.1.4.1.99999.2' }] }));
});

test('A85 refuses anything behind the last field of TBSCertificate', async () => {
  for (const more of [
    Uint8Array.of(5, 0),
    sequence(),
    explicit(3, sequence()),
    explicit(4),
    Uint8Array.of(0),
    Uint8Array.of(0x41),
  ])
    await refusesLeaf({ editTbs: (elements) => [...elements, more] }, 'ek.certificate_malformed');
  await judge.admits(certified({ editTbs: (elements) => elements }));
});

test('A85 refuses a length or a number that is encoded longer than necessary', async () => {
  const longer = (element: Uint8Array): Uint8Array => {
    const [tag = 0, length = 0] = element;
    return length < 0x80
      ? concat(Uint8Array.of(tag, 0x81, length), element.slice(2))
      : concat(Uint8Array.of(tag, length + 1, 0), element.slice(2));
  };
  for (const place of [0, 1, 2, ISSUER, 4, SUBJECT, KEY, EXTENSIONS])
    await refusesLeaf(
      { editTbs: (elements) => elements.map((element, i) => (i === place ? longer(element) : element)) },
      'ek.certificate_malformed',
    );
  await refusesLeaf({ editTbsBytes: longer }, 'ek.certificate_malformed');
  await refusesLeaf({ editTbs: inPlaceOf(0, explicit(0, tlv(0x02, Uint8Array.of(0, 2)))) }, 'ek.certificate_malformed');
  const [leaf = new Uint8Array()] = machine.certificates;
  await refuses(sending(longer(leaf)), 'ek.certificate_malformed');
});

test('A85 leaves out a CA whose path length is encoded longer than necessary', async () => {
  const limited = (limit: Uint8Array): SoftwareDevice => {
    const value = sequence(boolean(true), tlv(0x02, limit));
    const extraExtensions = [{ oid: '2.5.29.19', critical: true, value }];
    return softwareDevice({ chain: { intermediate: { basicConstraints: null, extraExtensions } } });
  };
  await refuses(limited(Uint8Array.of(0, 0)), 'ek.unknown_issuer');
  await judge.admits(limited(Uint8Array.of(0)));
});

test('A85 refuses a boolean that is neither true nor false, and an unknown certificate version', async () => {
  const extension = (flag: number) => ({
    oid: '1.3.6.1.4.1.99999.1',
    critical: tlv(0x01, Uint8Array.of(flag)),
    value: sequence(),
  });
  for (const flag of [0x01, 0x7f])
    await refusesLeaf({ extraExtensions: [extension(flag)] }, 'ek.certificate_malformed');
  for (const version of [0, 1, 3, 0x7f])
    await refusesLeaf({ editTbs: inPlaceOf(0, explicit(0, integer(version))) }, 'ek.certificate_malformed');
});

test('A85 refuses a certificate whose signed and outer signature algorithms differ', () =>
  refusesLeaf({ innerAlgorithm: sequence(oid('1.2.840.10045.4.3.3')) }, 'ek.certificate_malformed'));

test('A85 refuses a certificate with bytes behind its public key, or with a second key', async () => {
  const spki = (elements: readonly Uint8Array[]): Uint8Array => elements[KEY] ?? new Uint8Array();
  await refusesLeaf(
    {
      editTbs: (elements) => elements.with(KEY, sequence(spki(elements).slice(4), Uint8Array.of(5, 0))),
    },
    'ek.certificate_malformed',
  );
  await refusesLeaf({ editTbs: (elements) => elements.toSpliced(KEY, 0, spki(elements)) }, 'ek.certificate_malformed');
});
