/** What others say of the same certificates: OpenSSL and pkijs where they judge, @peculiar/x509 where it encodes. */
import type { webcrypto } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Set as Asn1Set, fromBER, Integer, ObjectIdentifier, Sequence, Utf8String } from 'asn1js';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { checkEkProfile } from '../../src/x509/ek/ek-profile.ts';
import { readTpmSpecification } from '../../src/x509/ek/tcg-attributes.ts';
import { anchorsOf } from '../../src/x509/file/trust-store.ts';
import { validatePath } from '../../src/x509/path/path.ts';
import { type CertificateRecipe, NOW, tpmName, tpmSpecification } from '../support/certificate-recipe.ts';
import { derNull, integer, oid, sequence, set, utf8String } from '../support/der-writer.ts';
import { execute } from '../support/execute.ts';
import { peculiar, pkijs } from '../support/other-pki.ts';
import { EK_USAGE, type EkChain, type EkChainRecipe, type KeyAlgorithm, mintEkChain, pem } from '../support/pki.ts';

const folder = mkdtempSync(join(tmpdir(), 'x509-'));
afterAll(() => rmSync(folder, { recursive: true }));

let serial = 0;

async function openssl({ root, intermediate, leaf }: EkChain): Promise<boolean> {
  const file = (name: string, der: Uint8Array): string => {
    const path = join(folder, `${serial++}-${name}.pem`);
    writeFileSync(path, pem(der));
    return path;
  };
  const files = [
    '-CAfile',
    file('root', root.der),
    '-untrusted',
    file('intermediate', intermediate.der),
    file('leaf', leaf.der),
  ];
  const time = ['-attime', String(NOW.getTime() / 1000)];
  // Level 2 refuses RSA below 2048 bits and SHA-1, as we do; -x509_strict would refuse shipped certificates.
  const run = await execute('openssl', ['verify', '-no-CApath', '-auth_level', '2', ...time, ...files]);
  return run.code === 0;
}

async function pki({ root, intermediate, leaf }: EkChain): Promise<boolean> {
  const read = (der: Uint8Array): unknown => pkijs.Certificate.fromBER(Uint8Array.from(der).buffer);
  const engine = new pkijs.CertificateChainValidationEngine({
    trustedCerts: [read(root.der)],
    certs: [read(intermediate.der), read(leaf.der)],
    checkDate: NOW,
  });
  return (await engine.verify()).result;
}

const ours = ({ leaf, intermediate, anchors }: EkChain): boolean =>
  validatePath({ leaf: leaf.certificate, intermediates: [intermediate.certificate], anchors, now: NOW }).ok;

test.each(['p256', 'p384', 'p521', 'rsa2048', 'rsa4096'] as const satisfies KeyAlgorithm[])(
  'a sound chain of %s keys is good to OpenSSL and pkijs as well',
  async (keyAlgorithm) => {
    const chain = mintEkChain({ keyAlgorithm });
    expect([ours(chain), await openssl(chain), await pki(chain)]).toEqual([true, true, true]);
  },
);

const unknown: CertificateRecipe = {
  extraExtensions: [{ oid: '1.3.6.1.4.1.99999.1', critical: true, value: derNull() }],
};
const faults: readonly [string, EkChainRecipe][] = [
  ['a CA without basicConstraints', { intermediate: { basicConstraints: null } }],
  ['a CA with cA false', { intermediate: { basicConstraints: { ca: false } } }],
  ['a CA without keyCertSign', { intermediate: { keyUsage: ['cRLSign'] } }],
  ['a path longer than allowed', { root: { basicConstraints: { ca: true, pathLength: 0 } } }],
  ['an unknown critical extension in the leaf', { leaf: unknown }],
  ['an unknown critical extension in a CA', { intermediate: unknown }],
  ['an expired CA', { intermediate: { notAfter: new Date(NOW.getTime() - 1000) } }],
  ['an expired anchor', { root: { notAfter: new Date(NOW.getTime() - 1000) } }],
  ['an expired leaf', { leaf: { notAfter: new Date(NOW.getTime() - 1000) } }],
  ['a leaf before its begin', { leaf: { notBefore: new Date(NOW.getTime() + 1000) } }],
  ['another key id', { leaf: { authorityKeyId: Uint8Array.of(1) } }],
  ['another issuer', { leaf: { issuer: [{ type: '2.5.4.3', text: 'Other' }] } }],
  ['SHA-1', { keyAlgorithm: 'rsa2048', leaf: { hash: 'sha1' } }],
  ['RSA of 1024 bits', { keyAlgorithm: 'rsa1024' }],
];

test.each(faults)('OpenSSL rejects %s, as we do', async (_, recipe) => {
  const chain = mintEkChain(recipe);
  expect([ours(chain), await openssl(chain)]).toEqual([false, false]);
});

test('where pkijs accepts an unknown critical extension and a path too long, we do not', async () => {
  for (const recipe of [
    { leaf: unknown },
    { intermediate: unknown },
    { root: { basicConstraints: { ca: true, pathLength: 0 } } },
  ]) {
    const chain = mintEkChain(recipe);
    expect([ours(chain), await pki(chain)]).toEqual([false, true]);
  }
});

test.each([
  ['ECDSA', { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }, { name: 'ECDSA', hash: 'SHA-256' }],
  [
    'RSA',
    { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', publicExponent: Uint8Array.of(1, 0, 1), modulusLength: 2048 },
    { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  ],
  [
    'RSA-PSS',
    { name: 'RSA-PSS', hash: 'SHA-384', publicExponent: Uint8Array.of(1, 0, 1), modulusLength: 2048 },
    { name: 'RSA-PSS', hash: 'SHA-384', saltLength: 48 },
  ],
])(
  'a chain that another encoder made with %s is trusted, and not with a bit changed',
  async (_, algorithm, signingAlgorithm) => {
    const usages: webcrypto.KeyUsage[] = ['sign', 'verify'];
    const generate = async (): Promise<webcrypto.CryptoKeyPair> =>
      (await crypto.subtle.generateKey(algorithm, true, usages)) as webcrypto.CryptoKeyPair;
    const rootKeys = await generate();
    const leafKeys = await generate();
    const period = { notBefore: new Date('2025-01-01'), notAfter: new Date('2060-01-01'), signingAlgorithm };
    const root = await peculiar.X509CertificateGenerator.createSelfSigned({
      name: 'C=DE, O=Example GmbH, CN=TPM Root',
      keys: rootKeys,
      extensions: [
        new peculiar.BasicConstraintsExtension(true, 1, true),
        new peculiar.KeyUsagesExtension(peculiar.KeyUsageFlags.keyCertSign, true),
        await peculiar.SubjectKeyIdentifierExtension.create(rootKeys.publicKey),
      ],
      ...period,
    });
    const leaf = await peculiar.X509CertificateGenerator.create({
      subject: '',
      issuer: root.subject,
      publicKey: leafKeys.publicKey,
      signingKey: rootKeys.privateKey,
      extensions: [
        new peculiar.KeyUsagesExtension(peculiar.KeyUsageFlags.keyEncipherment, true),
        new peculiar.ExtendedKeyUsageExtension([EK_USAGE]),
        new peculiar.Extension('2.5.29.17', true, tpmName({})),
        new peculiar.Extension('2.5.29.9', false, tpmSpecification('2.0')),
        await peculiar.AuthorityKeyIdentifierExtension.create(rootKeys.publicKey),
      ],
      ...period,
    });
    const anchors = anchorsOf([parseCertificate(new Uint8Array(root.rawData))]);
    const der = new Uint8Array(leaf.rawData);
    const certificate = parseCertificate(der);
    const question = { intermediates: [], anchors, now: NOW, requireEku: EK_USAGE };
    expect(validatePath({ ...question, leaf: certificate }).ok).toBe(true);
    expect(checkEkProfile(certificate).problems).toEqual([]);
    const changed = der.with(der.length - 40, (der.at(-40) ?? 0) ^ 1);
    expect(validatePath({ ...question, leaf: parseCertificate(changed) })).toMatchObject({
      problems: [{ code: 'bad_signature' }],
    });
  },
);

/** The specification as asn1js finds it. */
function specificationByAsn1js(value: Uint8Array): unknown {
  const { result } = fromBER(Uint8Array.from(value).buffer);
  const attributes = result instanceof Sequence ? result.valueBlock.value : [];
  for (const attribute of attributes) {
    const [type, values] = attribute instanceof Sequence ? attribute.valueBlock.value : [];
    if (!(type instanceof ObjectIdentifier && values instanceof Asn1Set)) continue;
    if (type.valueBlock.toString() !== '2.23.133.2.16') continue;
    const [specification] = values.valueBlock.value;
    const [family, level, revision] = specification instanceof Sequence ? specification.valueBlock.value : [];
    if (!(family instanceof Utf8String && level instanceof Integer && revision instanceof Integer)) return undefined;
    return { family: family.getValue(), level: level.valueBlock.valueDec, revision: revision.valueBlock.valueDec };
  }
  return undefined;
}

// asn1js gives numbers of up to three bytes.
test('a TPM specification reads as asn1js reads it', () => {
  const specification = fc.tuple(fc.string({ maxLength: 8, unit: 'grapheme' }), fc.nat(0xffff), fc.nat(0x7fffff));
  const other = sequence(oid('2.23.133.2.23'), set(sequence(integer(1))));
  fc.assert(
    fc.property(specification, fc.nat(2), ([family, level, revision], at) => {
      const ours = sequence(oid('2.23.133.2.16'), set(sequence(utf8String(family), integer(level), integer(revision))));
      const value = sequence(...[other, other].toSpliced(at, 0, ours));
      const read = readTpmSpecification(value);
      expect(read).toEqual({ family, level, revision });
      expect(read).toEqual(specificationByAsn1js(value));
    }),
  );
});
