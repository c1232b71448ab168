/** EK files in all formats that people have, made from test certificates. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode } from '../../src/tpm/structures/codec.ts';
import { tpmtPublic } from '../../src/tpm/structures/public.ts';
import { crlPem, mintCrl } from './crl-recipe.ts';
import { bitString, explicit, integer, octetString, oid, sequence, set, time, utf8String } from './der-writer.ts';
import { ekTemplate } from './open-tpm.ts';
import { type EkChain, keyPair, mintEkChain, pem, spkiOf } from './pki.ts';

export type Contents = string | Uint8Array;

export const rsaChain: EkChain = mintEkChain({ keyAlgorithm: 'rsa2048' });
export const eccChain: EkChain = mintEkChain();
const { leaf, intermediate, root } = rsaChain;

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const wrapped = (bytes: Uint8Array): string => base64(bytes).replace(/(.{64})/g, '$1\n');
const spki: Uint8Array = spkiOf(keyPair('rsa2048', 'ek').publicKey);
export const spkiPem: string = String(keyPair('rsa2048', 'ek').publicKey.export({ format: 'pem', type: 'spki' }));
const modulus = Buffer.from(String(keyPair('rsa2048', 'ek').publicKey.export({ format: 'jwk' }).n), 'base64url');
export const tpmt: Uint8Array = encode(tpmtPublic, { ...ekTemplate('L-1'), unique: Uint8Array.from(modulus) } as never);
const tpm2b: Uint8Array = Uint8Array.from([tpmt.length >> 8, tpmt.length & 0xff, ...tpmt]);
const pkcs1: Uint8Array = keyPair('rsa2048', 'ek').publicKey.export({ format: 'der', type: 'pkcs1' });

const utf16 = (text: string, mark = '\ufeff'): Buffer => Buffer.from(mark + text, 'utf16le');
const json = (value: unknown): string => JSON.stringify(value, null, 2);
/** A literal block of YAML in the form of gcloud. */
const literal = (text: string): string => `|\n${text.trimEnd().replace(/^/gm, '    ')}\n`;

/** A PKCS#7 bundle made by OpenSSL. */
export function pkcs7(form: 'DER' | 'PEM', ...ders: readonly Uint8Array[]): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'pkcs7-'));
  try {
    writeFileSync(join(folder, 'all.pem'), pem(...ders));
    const args = ['crl2pkcs7', '-nocrl', '-certfile', join(folder, 'all.pem'), '-outform', form];
    return Uint8Array.from(execFileSync('openssl', args));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** How PowerShell 5 prints an X509Certificate2: `flat` at its default depth of 2, `deep` at a greater depth. */
const rawData = { deep: (der: Uint8Array) => [...der], flat: (der: Uint8Array) => [...der].join(' ') };

const other = mintEkChain({ leaf: { publicKey: spkiOf(keyPair('p384', 'ak').publicKey) } }).leaf.der;
const google = {
  kind: 'compute#shieldedInstanceIdentity',
  signingKey: { ekCert: pem(other), ekPub: 'none' },
  encryptionKey: { ekCert: pem(leaf.der, intermediate.der), ekPub: spkiPem },
  eccP256EncryptionKey: { ekCert: pem(eccChain.leaf.der), ekPub: 'none' },
};
const googleYaml = `eccP256EncryptionKey:
  ekCert: ${literal(google.eccP256EncryptionKey.ekCert)}encryptionKey:
  ekCert: ${literal(google.encryptionKey.ekCert)}  ekPub: ${literal(spkiPem)}kind: ${google.kind}
signingKey:
  ekCert: ${literal(google.signingKey.ekCert)}`;

/** Each holds the certificate of `rsaChain.leaf`. */
export const CERTIFICATE_FILES: Readonly<Record<string, readonly [form: string, Contents]>> = {
  'PEM with a byte order mark': ['certificate-pem', `\ufeff${pem(leaf.der)}`],
  'PEM in UTF-16 with a mark': ['certificate-pem', utf16(pem(leaf.der))],
  'PEM in UTF-16, big-endian': ['certificate-pem', utf16(pem(leaf.der)).swap16()],
  'PEM in UTF-16 without a mark': ['certificate-pem', utf16(pem(leaf.der), '')],
  'PEM with line ends of Windows': ['certificate-pem', pem(leaf.der).replaceAll('\n', '\r\n')],
  'base64 without armour': ['certificate-base64', wrapped(leaf.der)],
  'base64 in one line, in UTF-16': ['certificate-base64', utf16(`${base64(leaf.der)}\r\n`)],
  'base64 of NV contents': ['certificate-base64', base64(Buffer.concat([leaf.der, Buffer.alloc(30, 0xff)]))],
  'PKCS#7 in DER': ['certificate-pkcs7', pkcs7('DER', root.der, intermediate.der, leaf.der)],
  'PKCS#7 in PEM': ['certificate-pkcs7', pkcs7('PEM', leaf.der)],
  'PKCS#7 in base64': ['certificate-base64', wrapped(pkcs7('DER', leaf.der, root.der))],
  'Intel’s answer': ['certificate-intel', json({ pubhash: 'x%3D', certificate: `${base64url(leaf.der)}%3D` })],
  'Intel’s answer with a byte order mark': ['certificate-intel', `\ufeff${json({ certificate: base64(leaf.der) })}`],
  'Google’s answer': ['certificate-google', json(google)],
  'Google’s answer in YAML': ['certificate-google', googleYaml],
  'Google’s answer in YAML, in UTF-16': ['certificate-google', utf16(googleYaml)],
  'vSphere’s answer for a host': [
    'certificate-vsphere',
    json([{ type: 'RSA_2048', public_area: base64(tpm2b), public_key: spkiPem, certificate: base64(leaf.der) }]),
  ],
  'vSphere’s virtual TPM': [
    'certificate-vsphere',
    json({ endorsementKeyCertificate: [base64(eccChain.leaf.der), base64(leaf.der)] }),
  ],
  'vSphere’s virtual TPM, in octets': ['certificate-vsphere', json({ endorsementKeyCertificate: [[...leaf.der]] })],
  ...Object.fromEntries(
    Object.entries(rawData).map(([depth, raw]) => [
      `Windows’ key information as JSON, ${depth}`,
      [
        'certificate-windows',
        json({
          IsPresent: true,
          PublicKey: { Oid: null, RawData: raw(pkcs1) },
          PublicKeyHash: null,
          ManufacturerCertificates: [],
          AdditionalCertificates: [{ Handle: 1, RawData: raw(intermediate.der) }, { RawData: raw(leaf.der) }],
        }),
      ] as const,
    ]),
  ),
};

/** Each holds the same key without a certificate. */
export const KEY_FILES: Readonly<Record<string, readonly [form: string, Contents]>> = {
  'PEM with a byte order mark': ['public-key-pem', `\ufeff${spkiPem}`],
  'PKCS#1 in DER': ['public-key-der', pkcs1],
  'PKCS#1 in PEM': [
    'public-key-pem',
    `-----BEGIN RSA PUBLIC KEY-----\n${wrapped(pkcs1)}\n-----END RSA PUBLIC KEY-----\n`,
  ],
  'base64 of a key': ['public-key-base64', base64(spki)],
  'base64 of a public area, as Azure’s tools print it': ['public-area-base64', base64(tpm2b)],
  'AWS’ answer, der': ['public-key-aws', json(aws('der', spki))],
  'AWS’ answer, tpmt': ['public-area-aws', json(aws('tpmt', tpmt))],
  'AWS’ answer, --output yaml': ['public-area-aws', `InstanceId: i-0\nKeyFormat: tpmt\nKeyValue: ${base64(tpmt)}\n`],
  'AWS’ answer, --query KeyValue': ['public-area-base64', `"${base64(tpmt)}"\n`],
  'Azure’s enrolment': [
    'public-area-azure',
    json({ attestation: { type: 'tpm', tpm: { endorsementKey: base64(tpm2b), storageRootKey: '' } } }),
  ],
  'Azure’s attestation mechanism': ['public-area-azure', json({ type: 'tpm', tpm: { endorsementKey: base64(tpm2b) } })],
  'Google’s answer without certificate': ['public-key-google', json({ encryptionKey: { ekPub: spkiPem } })],
  'vSphere’s answer without certificate': ['public-area-vsphere', json({ public_area: base64(tpm2b) })],
  'Windows’ key information without certificates': [
    'public-key-windows',
    json({ PublicKey: { RawData: [...pkcs1] }, ManufacturerCertificates: [], AdditionalCertificates: [] }),
  ],
};

function aws(KeyFormat: string, key: Uint8Array): object {
  return { InstanceId: 'i-0123456789abcdef0', KeyType: 'rsa-2048', KeyFormat, KeyValue: base64(key) };
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
const name = sequence(set(sequence(oid('2.5.4.3'), utf8String('A'))));
/** RFC 5755 §4.1, with version and issuer of the TCG Platform Certificate Profile. */
const attributeCertificate = sequence(
  sequence(
    integer(1),
    sequence(explicit(0, sequence(explicit(4, name)), integer(5))),
    explicit(0, sequence(explicit(4, name))),
    ...[algorithm, integer(7)],
    sequence(time(new Date('2051-01-01T00:00:00Z')), time(new Date('2052-01-01T00:00:00Z'))),
    sequence(),
  ),
  algorithm,
  bitString(new Uint8Array(8)),
);
const request = sequence(sequence(integer(0), name, spki, explicit(0)), algorithm, bitString(new Uint8Array(8)));
const armoured = (label: string, der: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${wrapped(der)}\n-----END ${label}-----\n`;
const list = mintCrl({ signer: rsaChain.rootKey.privateKey });
const privateKey = keyPair('p256', 'private').privateKey;

/** None of these holds an EK. Each has the words by which an error names its kind. */
export const OTHER_FILES: Readonly<Record<string, readonly [what: string, Contents]>> = {
  nothing: ['an empty file', ''],
  'an index of zeros': ['never filled', new Uint8Array(900)],
  'an index of ones': ['never filled', new Uint8Array(900).fill(0xff)],
  'an error page': ['a web page', '<!DOCTYPE html>\n<html><body><h1>404</h1></body></html>'],
  'an error page behind a mark': ['a web page', '\ufeff\r\n <html lang="en"><body>'],
  'an error in XML': ['a web page', '<?xml version="1.0"?><Error><Code>BlobNotFound</Code></Error>'],
  'the headers of an answer': ['HTTP answer', 'HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n'],
  'a platform certificate': ['a platform certificate', attributeCertificate],
  'a platform certificate in PEM': ['a platform certificate', armoured('ATTRIBUTE CERTIFICATE', attributeCertificate)],
  'a platform certificate under another label': [
    'a platform certificate',
    armoured('CERTIFICATE', attributeCertificate),
  ],
  'a signing request': ['signing request', request],
  'a signing request in PEM': ['signing request', armoured('CERTIFICATE REQUEST', request)],
  'a revocation list': ['revocation list', list],
  'a revocation list in PEM': ['revocation list', crlPem(list)],
  'a private key': ['a private key', String(privateKey.export({ format: 'pem', type: 'pkcs8' }))],
  'a private key in DER': ['a private key', privateKey.export({ format: 'der', type: 'pkcs8' })],
  'a private key in SEC1': ['a private key', privateKey.export({ format: 'der', type: 'sec1' })],
  'a private key beside a certificate': ['a private key', pem(leaf.der) + armoured('EC PRIVATE KEY', octetString())],
  'PKCS#12': ['PKCS#12', sequence(integer(3), sequence(oid('1.2.840.113549.1.7.1')))],
  'a certificate with settings of OpenSSL': ['TRUSTED CERTIFICATE', armoured('TRUSTED CERTIFICATE', leaf.der)],
  'PEM of another kind': ['PEM with the label "EC PARAMETERS"', armoured('EC PARAMETERS', list)],
  'a ZIP archive': ['a ZIP archive', Buffer.from('PK\x03\x04abc')],
  'a gzip archive': ['a gzip archive', Uint8Array.of(0x1f, 0x8b, 8, 0)],
  'a context of tpm2-tools': ['.ctx', Uint8Array.of(0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1)],
  'a quote': ['a quote', Uint8Array.of(0xff, 0x54, 0x43, 0x47, 0x80, 0x18)],
  'what PowerShell prints': [
    'Get-TpmEndorsementKeyInfo',
    utf16('\r\n\r\nIsPresent                : True\r\nPublicKey                : System.Security…\r\n'),
  ],
  'what OpenSSL prints': ['openssl x509', 'Certificate:\n    Data:\n        Version: 3 (0x2)\n'],
  'what tpm2_readpublic prints': ['tpm2-tools', 'name: 000b01\nqualified name: 000b02\nname-alg:\n  value: sha256\n'],
  'a list of hashes': ['a list of hashes', `${'0a'.repeat(32)} # edge-7\n`],
  'one hash': ['a list of hashes', '0a'.repeat(32)],
  hexadecimal: ['hexadecimal', Buffer.from(leaf.der).toString('hex')],
  'a dump of octets': ['hexadecimal', '00000000: 3082 0312 3082 0298 a003 0201 0202 1449\n'],
  'a key of SSH': ['SSH', 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ== me@here'],
  'other JSON': ['JSON or YAML', '{"message": "Not Found"}'],
  'answers for two machines': ['JSON or YAML', json([aws('der', spki), aws('der', spki)])],
  'Google’s attestation key alone': ['JSON or YAML', json({ signingKey: google.signingKey })],
  'other YAML': ['JSON or YAML', 'kind: compute#operation\nname: x\n'],
  'a word': ['text without a certificate', 'hello\n'],
  'octets of no meaning': ['of an unknown kind', new Uint8Array(300).map((_, i) => (i * 7919 + 3) % 251)],
};
