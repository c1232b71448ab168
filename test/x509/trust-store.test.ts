import { Buffer } from 'node:buffer';
import { expect, test } from 'vitest';
import { looksLikePem, readPem } from '../../src/x509/file/pem.ts';
import { trustStoreFrom } from '../../src/x509/file/trust-store.ts';
import { MalformedCertificateError } from '../../src/x509/malformed-certificate.ts';
import { keyPair, mintAuthority, mintEkChain, pem } from '../support/pki.ts';

const { root, intermediate } = mintEkChain();
const text = (content: string): Uint8Array => Buffer.from(content, 'latin1');
const fingerprints = (files: Parameters<typeof trustStoreFrom>[0]): string[] =>
  trustStoreFrom(files).anchors.certificates.map(({ fingerprint }) => fingerprint);

test('reads DER, and PEM with comments, Windows line ends and no last line end', () => {
  const both = [root.certificate.fingerprint, intermediate.certificate.fingerprint];
  const bundle = pem(root.der, intermediate.der);
  expect(
    fingerprints([
      { name: 'a', bytes: root.der },
      { name: 'b', bytes: intermediate.der },
    ]),
  ).toEqual(both);
  for (const content of [bundle, `# the CAs\n\n${bundle}\nend`, bundle.replaceAll('\n', '\r\n'), bundle.trimEnd()]) {
    expect(fingerprints([{ name: 'bundle', bytes: text(content) }])).toEqual(both);
    expect(trustStoreFrom([{ name: 'bundle', bytes: text(content) }]).problems).toEqual([]);
  }
});

test('the same certificate in two files counts once', () => {
  expect(
    fingerprints([
      { name: 'a', bytes: root.der },
      { name: 'b', bytes: text(pem(root.der, root.der)) },
    ]),
  ).toHaveLength(1);
});

test('certificates of one name are found under it, all of them', () => {
  const key = keyPair('p256', 'other');
  const twin = mintAuthority('TEST tpm root ca', key, { issuer: 'TEST tpm root ca', key });
  const { anchors } = trustStoreFrom([
    { name: 'a', bytes: root.der },
    { name: 'b', bytes: twin.der },
    { name: 'c', bytes: intermediate.der },
  ]);
  expect(anchors.bySubject.get(root.certificate.subject.canonical)).toHaveLength(2);
  expect(anchors.bySubject.size).toBe(2);
});

test('what cannot be read is reported by file and line, and the rest is kept', () => {
  const broken = Uint8Array.from(root.der);
  broken[4] = 0x31;
  const { anchors, problems } = trustStoreFrom([
    { name: 'mixed.pem', bytes: text(`${pem(root.der)}${pem(broken)}${pem(intermediate.der)}`) },
    { name: 'empty', bytes: new Uint8Array() },
    { name: 'notes.txt', bytes: text('hello') },
  ]);
  expect(anchors.certificates).toHaveLength(2);
  const line = pem(root.der).split('\n').length;
  expect(problems.map(({ name }) => name)).toEqual([`mixed.pem:${line}`, 'empty', 'notes.txt']);
});

const block = pem(root.der);
const refused: readonly [string, string][] = [
  ['a private key', block.replaceAll('CERTIFICATE', 'PRIVATE KEY')],
  [
    'a private key beside a certificate',
    `${block}-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n`,
  ],
  ['a trusted certificate of OpenSSL', block.replaceAll('CERTIFICATE', 'TRUSTED CERTIFICATE')],
  ['a block that does not end', block.replace('-----END CERTIFICATE-----', '')],
  ['a block that ends as another', block.replace('END CERTIFICATE', 'END X509 CRL')],
  ['an end without a begin', `-----END CERTIFICATE-----\n${block}`],
  ['a block inside a block', block.replace('\n', '\n-----BEGIN CERTIFICATE-----\n')],
  ['an empty block', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'],
  ['a character that is not base64', block.replace('\nMI', '\n!MI')],
  ['padding in the middle', block.replace('\nMI', '\nMI==')],
  ['a header line in the block', block.replace('\n', '\nProc-Type: 4,ENCRYPTED\n')],
  ['a comment in the block', block.replace('\n', '\n# comment\n')],
  ['base64url', '-----BEGIN CERTIFICATE-----\nMII_\n-----END CERTIFICATE-----\n'],
  ['base64 with bits left over', '-----BEGIN CERTIFICATE-----\nMIJ=\n-----END CERTIFICATE-----\n'],
  ['a block of 40 kB', `-----BEGIN CERTIFICATE-----\n${'AAAA'.repeat(10_000)}\n-----END CERTIFICATE-----\n`],
];

test.each(refused)('PEM: rejects %s', (_, content) => {
  expect(looksLikePem(text(content)) || content.startsWith('-----END')).toBe(true);
  expect(() => readPem(text(content))).toThrow(MalformedCertificateError);
  expect(trustStoreFrom([{ name: 'ca.pem', bytes: text(content) }]).problems).toHaveLength(1);
});

test('PEM: rejects bytes after the certificate in a block', () => {
  const { anchors, problems } = trustStoreFrom([
    { name: 'ca.pem', bytes: text(pem(Buffer.concat([root.der, Uint8Array.of(0)]))) },
  ]);
  expect(anchors.certificates).toEqual([]);
  expect(problems).toHaveLength(1);
});

test('a refused label in a message cannot forge a log line', () => {
  const content = text('-----BEGIN \x1b[31mX\r-----');
  expect(() => readPem(content)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('\x1b') }));
});
