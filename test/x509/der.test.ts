import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assertDer, DerReader, TAG } from '../../src/x509/der.ts';
import { MalformedCertificateError } from '../../src/x509/malformed-certificate.ts';
import { integer, oid, sequence, tlv } from '../support/der-writer.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const read = (text: string): unknown => {
  const reader = new DerReader(hex(text), 'input');
  const { tag, content } = reader.next('value');
  reader.finish();
  return { tag, content: Buffer.from(content).toString('hex') };
};

test.each([
  ['an empty sequence', '30 00', { tag: 0x30, content: '' }],
  ['a length of 127 in one octet', `04 7f${'00'.repeat(127)}`, { tag: 0x04, content: '00'.repeat(127) }],
  ['a length of 128 in two octets', `04 81 80${'00'.repeat(128)}`, { tag: 0x04, content: '00'.repeat(128) }],
  ['a length of 256 in three octets', `04 82 01 00${'00'.repeat(256)}`, { tag: 0x04, content: '00'.repeat(256) }],
])('reads %s', (_, bytes, value) => {
  expect(read(bytes)).toEqual(value);
});

test.each([
  ['nothing', '', 'ends inside'],
  ['a tag alone', '30', 'ends inside'],
  ['an indefinite length', '30 80 00 00', 'indefinite length'],
  ['127 in the long form', `04 81 7f${'00'.repeat(127)}`, 'shortest form'],
  ['a long form with a leading zero', `04 82 00 80${'00'.repeat(128)}`, 'shortest form'],
  ['a length cut off', '04 82 01', 'ends inside'],
  ['a length of 2^31', '30 84 80 00 00 00', 'claims 2147483648 bytes'],
  ['a length of 2^32 - 1', '30 84 ff ff ff ff', 'claims 4294967295 bytes'],
  ['a length in five octets', '30 85 01 00 00 00 00', 'in 5 octets'],
  ['one byte too few', '04 02 00', 'claims 2 bytes, 1 are left'],
  ['one byte too many', '04 01 00 00', '1 bytes too many'],
  ['a tag of two octets', '1f 81 00', 'more than one octet'],
])('rejects %s', (_, bytes, reason) => {
  expect(() => read(bytes)).toThrow(MalformedCertificateError);
  expect(() => read(bytes)).toThrow(reason);
});

test('an error names the field and the offset from the start of the input', () => {
  const reader = new DerReader(sequence(integer(1), sequence(tlv(0x05))), 'input');
  const outer = reader.enter(TAG.SEQUENCE, 'outer');
  outer.integer('number');
  const inner = outer.enter(TAG.SEQUENCE, 'inner');
  expect(() => inner.integer('second')).toThrow(
    expect.objectContaining({ code: 'ERR_MALFORMED_CERTIFICATE', path: 'input.outer.inner.second', offset: 7 }),
  );
});

test('a value is a view of the input, not a copy', () => {
  const bytes = hex('04 02 aa bb');
  const element = new DerReader(bytes, 'input').next('value');
  expect(element.content.buffer).toBe(bytes.buffer);
  expect(element.der).toEqual(bytes);
});

const nested = (depth: number): Uint8Array => {
  let bytes = tlv(0x05);
  for (let i = 0; i < depth; i++) bytes = sequence(bytes);
  return bytes;
};

test('walks fifteen levels of nesting, and refuses a few more as surely as twenty thousand', () => {
  expect(() => assertDer(nested(15), 'value')).not.toThrow();
  for (const depth of [17, 300, 5000, 20_000]) {
    expect(() => assertDer(nested(depth), 'value')).toThrow('nested deeper than 16 levels');
  }
});

test.each([
  ['a constructed string', '24 04 04 02 00 00'],
  ['a primitive SEQUENCE', '10 00'],
  ['a primitive SET', '11 00'],
  ['an indefinite length inside', '30 04 30 80 00 00'],
  ['a padded length inside', '30 04 04 81 01 00'],
  ['bytes after the value', '30 00 00'],
])('a walk rejects %s', (_, bytes) => {
  expect(() => assertDer(hex(bytes), 'value')).toThrow(MalformedCertificateError);
});

test('object identifiers are read as they are written', () => {
  const arc = fc.oneof(fc.bigInt({ min: 0n, max: 300n }), fc.bigInt({ min: 0n, max: 2n ** 128n }));
  const dotted = fc
    .tuple(fc.integer({ min: 0, max: 2 }), arc, fc.array(arc, { maxLength: 2 }))
    .map(([first, second, rest]) => [first, first < 2 ? second % 40n : second, ...rest].join('.'));
  fc.assert(
    fc.property(dotted, (text) => {
      expect(new DerReader(oid(text), 'oid').next('value').objectIdentifier()).toBe(text);
    }),
  );
});

test.each([
  ['without content', '06 00'],
  ['with a padded arc', '06 03 2a 80 01'],
  ['that ends inside an arc', '06 02 2a 86'],
])('rejects an object identifier %s', (_, bytes) => {
  expect(() => new DerReader(hex(bytes), 'oid').next('value').objectIdentifier()).toThrow(MalformedCertificateError);
});

test('rejects an object identifier of 10 kB without reading it', () => {
  const long = tlv(0x06, new Uint8Array(10_240).fill(0x81));
  expect(() => new DerReader(long, 'oid').next('value').objectIdentifier()).toThrow('more than 64');
});

test.each([
  ['padded with zeros', '02 02 00 01'],
  ['padded with ones', '02 02 ff 80'],
  ['without content', '02 00'],
])('rejects an integer %s', (_, bytes) => {
  expect(() => new DerReader(hex(bytes), 'input').integer('value')).toThrow(MalformedCertificateError);
});

test('any bytes are read or refused with the typed error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        assertDer(bytes, 'value');
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedCertificateError);
      }
    }),
    { numRuns: 2000 },
  );
});
