import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { looksLikePkcs7, readPkcs7 } from '../../src/x509/file/pkcs7.ts';
import { MalformedCertificateError } from '../../src/x509/malformed-certificate.ts';
import { derNull, explicit, integer, oid, sequence, set } from '../support/der-writer.ts';
import { mintEkChain, pem } from '../support/pki.ts';

const folder: string = mkdtempSync(join(tmpdir(), 'pkcs7-'));
afterAll(() => rmSync(folder, { recursive: true }));

const { root, intermediate } = mintEkChain();
writeFileSync(join(folder, 'cas.pem'), pem(root.der, intermediate.der));
const bundle = (form: 'DER' | 'PEM'): Uint8Array =>
  Uint8Array.from(
    execFileSync('openssl', ['crl2pkcs7', '-nocrl', '-certfile', join(folder, 'cas.pem'), '-outform', form]),
  );

const SIGNED_DATA = '1.2.840.113549.1.7.2';
const content = (certificates: Uint8Array, ...rest: readonly Uint8Array[]): Uint8Array =>
  sequence(integer(1), set(), sequence(oid('1.2.840.113549.1.7.1')), certificates, set(), ...rest);
const wrapped = (signed: Uint8Array, type: string = SIGNED_DATA): Uint8Array =>
  sequence(oid(type), explicit(0, signed));

test.each(['DER', 'PEM'] as const)(
  'the certificates of a bundle that OpenSSL wrote are read as they are: %s',
  (form) => {
    const bytes = bundle(form);
    expect(looksLikePkcs7(bytes)).toBe(true);
    const sorted = (list: readonly Uint8Array[]): readonly string[] =>
      list.map((der) => Buffer.from(der).toString('hex')).sort();
    expect(sorted(readPkcs7(bytes))).toEqual(sorted([root.der, intermediate.der]));
  },
);

test('a bundle of none is empty', () => {
  expect(readPkcs7(wrapped(content(explicit(0))))).toEqual([]);
});

test('a certificate is not taken for a bundle, nor is PEM of certificates', () => {
  expect(looksLikePkcs7(root.der)).toBe(false);
  expect(looksLikePkcs7(Buffer.from(pem(root.der)))).toBe(false);
});

describe('refuses', () => {
  const good = wrapped(content(explicit(0, root.der)));
  test.each([
    ['another content type', wrapped(content(explicit(0, root.der)), '1.2.840.113549.1.7.3'), 'not SignedData'],
    ['bytes behind it', Buffer.concat([good, Uint8Array.of(0)]), 'bytes too many'],
    ['one that breaks off', good.subarray(0, -1), 'are left'],
    ['fields behind the signers', wrapped(content(explicit(0, root.der), derNull())), 'bytes too many'],
    ['a form of certificate that is not X.509’s', wrapped(content(explicit(0, explicit(1, root.der)))), 'expected tag'],
    ['indefinite length', Uint8Array.from([0x30, 0x80, ...good.subarray(4), 0, 0]), 'indefinite length'],
    ['a PEM block without an end', bundle('PEM').subarray(0, -30), 'without END line'],
    ['two PEM blocks', Buffer.concat([bundle('PEM'), bundle('PEM')]), 'more than one block'],
    ['what is not base64', Buffer.from('-----BEGIN PKCS7-----\n*\n-----END PKCS7-----\n'), 'not base64'],
  ])('%s', (_, bytes, reason) => {
    expect(() => readPkcs7(bytes)).toThrow(MalformedCertificateError);
    expect(() => readPkcs7(bytes)).toThrow(reason);
    expect(() => readPkcs7(good)).not.toThrow();
  });
});
