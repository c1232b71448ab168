/** The reader of endorsement keys: each form that people have is read, and whatever else a file holds is named. */
import { describe, expect, test } from 'vitest';
import { EkFileError, readEkFile } from '../../src/enrolment/ek-file.ts';
import { strangerKind } from '../../src/x509/file/file-kind.ts';
import { unmarked } from '../../src/x509/file/file-text.ts';
import { readKeyFile, StrangerError } from '../../src/x509/file/key-file.ts';
import { readPlainYaml } from '../../src/x509/file/plain-yaml.ts';
import { readServiceAnswer } from '../../src/x509/file/service-answers.ts';
import { trustStoreFrom } from '../../src/x509/file/trust-store.ts';
import { MalformedCertificateError } from '../../src/x509/malformed-certificate.ts';
import { crlsFrom } from '../../src/x509/path/revocation.ts';
import {
  CERTIFICATE_FILES,
  type Contents,
  eccChain,
  KEY_FILES,
  OTHER_FILES,
  pkcs7,
  rsaChain,
  spkiPem,
} from '../support/field-files.ts';
import { pem } from '../support/pki.ts';

const octets = (contents: Contents): Uint8Array => Uint8Array.from(Buffer.from(contents as Uint8Array));
const spkiHash = readEkFile(rsaChain.leaf.der).spkiHash;
const { leaf, intermediate, root } = rsaChain;

describe('an endorsement certificate is read', () => {
  test.each(Object.entries(CERTIFICATE_FILES))('from %s', (_, [form, contents]) => {
    const file = readEkFile(octets(contents));
    expect(file).toMatchObject({ form, spkiHash, key: { algorithm: 'rsa', bits: 2048 } });
    expect(file.certificate).toEqual(Uint8Array.from(leaf.der));
    expect(readKeyFile(octets(contents), 'certificate').certificates[0]?.der).toEqual(Uint8Array.from(leaf.der));
  });

  test('from PKCS#7 with its chain behind it, in whatever order the bundle has them', () => {
    for (const ders of [
      [leaf, intermediate, root],
      [root, leaf, intermediate],
    ]) {
      const { intermediates } = readEkFile(pkcs7('DER', ...ders.map(({ der }) => der)));
      expect(intermediates.map((der) => Buffer.from(der).toString('hex')).sort()).toEqual(
        [intermediate, root].map(({ der }) => Buffer.from(der).toString('hex')).sort(),
      );
    }
  });

  test('and where an answer has keys of two kinds, the RSA key is taken and the other is told', () => {
    const furtherKey = Object.entries(CERTIFICATE_FILES)
      .filter(([, [, contents]]) => readEkFile(octets(contents)).oddities.includes('further-key-in-file'))
      .map(([name]) => name);
    expect(furtherKey).toEqual([
      'Google’s answer',
      'Google’s answer in YAML',
      'Google’s answer in YAML, in UTF-16',
      'vSphere’s virtual TPM',
    ]);
  });
});

describe('an endorsement key without certificate', () => {
  test.each(Object.entries(KEY_FILES))('is read from %s, and is no certificate', (_, [form, contents]) => {
    expect(readEkFile(octets(contents))).toMatchObject({ form, spkiHash, certificate: undefined });
    expect(() => readKeyFile(octets(contents), 'certificate')).toThrow(
      /without certificate\. A key without certificate is admitted by its hash: run "tpm-attestor ek hash FILE"/,
    );
  });
});

describe('another file is named, with what to do', () => {
  test.each(Object.entries(OTHER_FILES))('%s', (_, [what, contents]) => {
    for (const wanted of ['certificate', 'key'] as const) {
      expect(() => readKeyFile(octets(contents), wanted)).toThrow(StrangerError);
      expect(() => readKeyFile(octets(contents), wanted)).toThrow(what);
      expect(() => readKeyFile(octets(contents), wanted)).toThrow(/^it is .+\. [A-Z]/);
    }
    expect(() => readEkFile(octets(contents))).toThrow(EkFileError);
    // Among CAs and lists it is left out by the same name.
    const files = [{ name: 'file', bytes: octets(contents) }];
    expect(trustStoreFrom(files).problems).toMatchObject([{ message: expect.stringContaining(what) }]);
    if (what !== 'revocation list')
      expect(crlsFrom(files).problems).toMatchObject([{ message: expect.stringContaining(what) }]);
  });

  test.each([
    ['two certificates that are no CAs', pkcs7('DER', leaf.der, eccChain.leaf.der), /certificates of several keys/],
    ['two public keys', spkiPem + spkiPem, /more than one public key/],
  ])('a file of %s', (_, contents, reason) => {
    expect(() => readKeyFile(octets(contents), 'key')).toThrow(StrangerError);
    expect(() => readKeyFile(octets(contents), 'key')).toThrow(reason);
  });
});

describe('what claims to be a certificate and is broken is malformed, never another kind', () => {
  test.each<[string, Contents]>([
    ['cut off', leaf.der.subarray(0, -1)],
    ['PEM that is not base64', pem(leaf.der).replace('M', '*')],
    ['PEM without an end', pem(leaf.der).slice(0, -30)],
    ['a bundle that breaks off', pkcs7('DER', leaf.der).subarray(0, -1)],
    ['more behind it', Buffer.concat([leaf.der, Buffer.from('more')])],
  ])('%s', (_, contents) => {
    expect(strangerKind(octets(contents), 'key')).toBeUndefined();
    expect(() => readKeyFile(octets(contents), 'certificate')).toThrow(MalformedCertificateError);
  });
});

describe('among CA certificates', () => {
  const store = (contents: Contents) => trustStoreFrom([{ name: 'f', bytes: octets(contents) }]);

  test('PEM with a byte order mark and in UTF-16 count', () => {
    for (const name of ['PEM with a byte order mark', 'PEM in UTF-16 with a mark', 'PEM in UTF-16, big-endian'])
      expect(store(CERTIFICATE_FILES[name]?.[1] ?? '').anchors.certificates).toHaveLength(1);
  });

  test('what a server does not take is left out, and named', () => {
    for (const [name, [, contents]] of Object.entries({ ...CERTIFICATE_FILES, ...KEY_FILES })) {
      const { anchors, problems } = store(contents);
      if (/^PEM/.test(name) && name in CERTIFICATE_FILES) continue;
      expect([anchors.certificates.length, problems.length], name).toEqual([0, 1]);
      expect(problems[0]?.message, name).toMatch(/^it is .+\. [A-Z]/);
    }
    expect(store(pkcs7('PEM', root.der)).problems[0]?.message).toMatch(
      /PKCS#7.*"tpm-attestor ca import FILE --to FOLDER"/,
    );
  });

  test('a revocation list is for crl_path, and a certificate among lists for ca_path', () => {
    expect(store(OTHER_FILES['a revocation list']?.[1] ?? '').problems[0]?.message).toContain('Give it as crl_path');
    const { problems } = crlsFrom([{ name: 'f', bytes: root.der }]);
    expect(problems[0]?.message).toContain('Give it as ca_path');
  });
});

describe('an answer', () => {
  const intel = (certificate: unknown): string => JSON.stringify({ pubhash: 'x', certificate });

  test.each(['-_8w', '-_8wMA%3D%3D', '-_8wMA==', '-_8wMDA%3D'])('has base64url with any padding: %s', (text) => {
    expect(readServiceAnswer(intel(text))).toMatchObject({
      service: 'intel',
      certificates: [Uint8Array.from(Buffer.from(text.replace(/%3D|=/g, ''), 'base64url'))],
    });
  });

  test.each([
    ['a certificate that is no text', intel(7)],
    ['none', '{}'],
    ['other characters', intel('MI*I')],
    ['an empty certificate', intel('')],
    ['JSON that is cut off', '{"certificate":"MII'],
    ['inherited members', '{"attestation":"constructor"}'],
    ['lists in lists', `{"certificate":${'['.repeat(30_000)}${']'.repeat(30_000)}}`],
    ['a list that does not end', `{"certificate":${'['.repeat(30_000)}`],
    ['octets that are none', '{"endorsementKeyCertificate":[[256]]}'],
    ['nothing', ''],
  ])('is not %s', (_, text) => {
    expect(readServiceAnswer(text)).toBeUndefined();
  });
});

describe('YAML', () => {
  test('is read as tools print it', () => {
    expect(readPlainYaml('---\n# x\na: 1\nb:\n  c: \'d\'\n  e: |\n    x\n      y\n\n    z\nf: "g\\n"\nh:\n')).toEqual({
      a: '1',
      b: { c: 'd', e: 'x\n  y\n\nz\n' },
      f: 'g\n',
      h: '',
    });
  });

  test.each([
    'a',
    'a:b',
    '- a',
    'a: [b]',
    'a: &x b',
    'a: *x',
    'a: !t b',
    'a: >\n  b',
    ' a: b',
    'a: "b',
    'a:\n  b: c\n d: e',
  ])('of another form is left to its tool: %j', (text) => {
    expect(readPlainYaml(text)).toBeUndefined();
  });

  test('is not followed deeper than any answer goes', () => {
    const deep = Array.from({ length: 3000 }, (_, i) => `${' '.repeat(i)}a:\n`).join('');
    expect(readPlainYaml(deep)).toBeUndefined();
  });
});

test('what is not text stays as it is, byte for byte', () => {
  for (const bytes of [
    leaf.der,
    new Uint8Array(64).fill(0xff),
    Uint8Array.of(0, 0x23, 0, 0x0b, 0, 5),
    new Uint8Array(),
  ])
    expect(unmarked(bytes)).toBe(bytes);
});
