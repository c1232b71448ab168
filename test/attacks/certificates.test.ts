/** Endorsement certificates: issued for this key, for this purpose, under a CA that the operator chose. */
import { constants, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { concat } from '../../src/bytes/bytes.ts';
import { publicKeyHash, publicKeyOf } from '../../src/tpm/public-key.ts';
import type { FindingCode } from '../../src/verifier/findings.ts';
import { type CertificateRecipe, commonName, name, tpmName } from '../support/certificate-recipe.ts';
import { explicit, integer, oid, sequence, tlv } from '../support/der-writer.ts';
import { forger } from '../support/forger.ts';
import { Judge, useJudge } from '../support/judge.ts';
import {
  EK_USAGE,
  type Issuer,
  keyPair,
  mintAuthority,
  mintEkCertificate,
  mintEkChain,
  pem,
  spkiOf,
} from '../support/pki.ts';
import { type SoftwareDevice, softwareDevice } from '../support/software-device.ts';

const folder = mkdtempSync(join(tmpdir(), 'listed-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const machine = softwareDevice();
const machineKey = publicKeyOf(machine.ek.publicArea);
if (machineKey === undefined) throw new Error('the machine has no key');
const publicKey = spkiOf(machineKey);
writeFileSync(join(folder, publicKeyHash(machineKey)), '');

const judge = useJudge();
const lenient = useJudge({ config: 'allow_expired_ek = true\nallow_software_tpm = true' });
const listing = useJudge({ caPath: null, config: `hash_path = ${JSON.stringify(folder)}` });

const ROOT: Issuer = { issuer: 'Test TPM Root CA', key: keyPair('p256', 'root') };
const INTERMEDIATE: Issuer = { issuer: 'Test TPM Intermediate CA', key: keyPair('p256', 'intermediate') };
const PAST = { notBefore: new Date('2010-01-01T00:00:00Z'), notAfter: new Date('2015-01-01T00:00:00Z') };
const FUTURE = { notBefore: new Date('2048-01-01T00:00:00Z') };

const withCertificates = (...certificates: readonly Uint8Array[]): SoftwareDevice => ({ ...machine, certificates });
const certified = (leaf: CertificateRecipe): SoftwareDevice => softwareDevice({ chain: { leaf } });
const refusesLeaf = (leaf: CertificateRecipe, ...codes: readonly FindingCode[]): Promise<void> =>
  judge.refuses({ device: certified(leaf) }, ...codes);
const refusesCa = (intermediate: CertificateRecipe, ...codes: readonly FindingCode[]): Promise<void> =>
  judge.refuses({ device: softwareDevice({ chain: { intermediate } }) }, ...codes);
const leafBy = (issuer: Issuer, recipe: CertificateRecipe = {}): Uint8Array =>
  mintEkCertificate(issuer, { publicKey, ...recipe }).der;

test('A61 refuses a certificate whose extended key usage is another one or absent', async () => {
  const [server, platform, aik, any] = ['1.3.6.1.5.5.7.3.1', '2.23.133.8.2', '2.23.133.8.3', '2.5.29.37.0'];
  for (const usage of [[server], [platform], [aik], [any], [server, aik]])
    await refusesLeaf({ extKeyUsage: usage }, 'ek.usage');
  await refusesLeaf({ extKeyUsage: null }, 'ek.usage');
});

test('A61 refuses a certificate whose key usage allows signing or lacks encryption', async () => {
  await refusesLeaf({ keyUsage: ['digitalSignature'] }, 'ek.usage');
  await refusesLeaf({ keyUsage: ['keyEncipherment', 'digitalSignature'] }, 'ek.usage');
  await refusesLeaf({ keyUsage: ['keyAgreement'] }, 'ek.usage');
  await refusesLeaf({ keyUsage: null }, 'ek.usage');
});

test('A61 refuses a CA certificate in place of an endorsement certificate', () =>
  refusesLeaf({ basicConstraints: { ca: true } }, 'ek.usage'));

test('A61 refuses a CA whose extended key usage excludes endorsement certificates', () =>
  refusesCa({ extKeyUsage: ['1.3.6.1.5.5.7.3.1'] }, 'ek.usage'));

const TPM_NAMES = { manufacturer: '2.23.133.2.1', model: '2.23.133.2.2', version: '2.23.133.2.3' };

test('A85 refuses a certificate that names two models, or none', async () => {
  const sanOf = (...models: readonly string[]): CertificateRecipe => {
    const texts = [
      [TPM_NAMES.manufacturer, 'id:49465800'],
      ...models.map((model) => [TPM_NAMES.model, model]),
      [TPM_NAMES.version, 'id:073F'],
    ];
    const directory = tlv(0xa4, name(texts.map(([type = '', text = '']) => ({ type, text }))));
    return { san: null, extraExtensions: [{ oid: '2.5.29.17', critical: true, value: sequence(directory) }] };
  };
  await judge.refuses({ device: certified(sanOf('SLB 9670', 'SLB 9672')) }, 'ek.profile');
  await judge.refuses({ device: certified(sanOf('SLB 9670', 'SLB 9670')) }, 'ek.profile');
  await judge.refuses({ device: certified(sanOf()) }, 'ek.profile');
  await judge.admits(certified(sanOf('SLB 9670')));
});

test('A85 refuses an RSA-PSS signature with one hash for the text and another for the mask', async () => {
  // RSASSA-PSS-params (RFC 4055 3.1). The signature is right for SHA-256 throughout, whatever they say of the mask.
  const root = keyPair('rsa2048', 'pss root');
  const sha256 = sequence(oid('2.16.840.1.101.3.4.2.1'));
  const signedBy = (mask: Uint8Array | undefined): CertificateRecipe => {
    const generator = mask === undefined ? new Uint8Array() : explicit(1, sequence(oid('1.2.840.113549.1.1.8'), mask));
    const parameters = sequence(explicit(0, sha256), generator, explicit(2, integer(32)));
    return {
      signatureAlgorithm: sequence(oid('1.2.840.113549.1.1.10'), parameters),
      signTbs: (tbs) =>
        sign('sha256', tbs, { key: root.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }),
    };
  };
  const issuer: Issuer = { issuer: 'PSS Root CA', key: root };
  const path = join(folder, 'pss.pem');
  writeFileSync(path, pem(mintAuthority('PSS Root CA', root, issuer).der));
  const own = new Judge();
  const deviceOf = (mask: Uint8Array | undefined) => withCertificates(leafBy(issuer, signedBy(mask)));
  await own.start({ caPath: path, control: () => forger(deviceOf(sha256)) });
  try {
    await own.refuses({ device: deviceOf(sequence(oid('1.3.14.3.2.26'))) }, 'ek.weak_signature');
    await own.refuses({ device: deviceOf(sequence(oid('2.16.840.1.101.3.4.2.2'))) }, 'ek.weak_signature');
    // SHA-1 where nothing is said.
    await own.refuses({ device: deviceOf(undefined) }, 'ek.weak_signature');
  } finally {
    await own.stop();
  }
});

test('A62 refuses a chain under a CA that the sender made', async () => {
  const key = keyPair('p256', 'foreign root');
  const own: Issuer = { issuer: 'Foreign Root CA', key };
  await judge.refuses({ device: withCertificates(leafBy(own)) }, 'ek.unknown_issuer');
  const root = mintAuthority('Foreign Root CA', key, own).der;
  await judge.refuses({ device: withCertificates(leafBy(own), root) }, 'ek.unknown_issuer');
});

test('A62 refuses a self-made root with the name of a trusted one', async () => {
  const key = keyPair('p256', 'foreign root');
  const namesake: Issuer = { issuer: ROOT.issuer, key };
  const root = mintAuthority(ROOT.issuer, key, namesake).der;
  await judge.refuses({ device: withCertificates(leafBy(namesake), root) }, 'ek.unknown_issuer');
  const anonymous = { authorityKeyId: null, subjectKeyId: null };
  const quietRoot = mintAuthority(ROOT.issuer, key, namesake, anonymous).der;
  const device = withCertificates(leafBy(namesake, anonymous), quietRoot);
  await judge.refuses({ device }, 'ek.chain');
});

test('A62 refuses a chain without its intermediate CA', () =>
  judge.refuses({ device: withCertificates(...machine.certificates.slice(0, 1)) }, 'ek.unknown_issuer'));

test('A62 refuses a certificate that its issuer did not sign', async () => {
  const signer = keyPair('p256', 'foreign root').privateKey;
  await refusesLeaf({ signer }, 'ek.chain');
  await refusesCa({ signer }, 'ek.chain');
});

test('A62 refuses a certificate whose authority key identifier names another issuer', () =>
  refusesLeaf({ authorityKeyId: new Uint8Array(20) }, 'ek.unknown_issuer'));

test('A62 refuses an issuer that is not a CA', async () => {
  await refusesCa({ basicConstraints: { ca: false } }, 'ek.chain');
  await refusesCa({ basicConstraints: null }, 'ek.chain');
});

test('A62 refuses an issuer that may not sign certificates', () =>
  refusesCa({ keyUsage: ['digitalSignature', 'cRLSign'] }, 'ek.chain'));

test('A62 refuses a CA below a CA whose path length allows none', async () => {
  const key = keyPair('p256', 'sub');
  const sub = mintAuthority('Sub CA', key, INTERMEDIATE).der;
  const leaf = leafBy({ issuer: 'Sub CA', key });
  const above = (pathLength: number): Uint8Array =>
    mintEkChain({ intermediate: { basicConstraints: { ca: true, pathLength } } }).intermediate.der;
  await judge.admits(withCertificates(leaf, sub, above(1)));
  await judge.refuses({ device: withCertificates(leaf, sub, above(0)) }, 'ek.chain');
});

test('A62 refuses a certificate that an endorsement key issued', async () => {
  const ek = keyPair('p256', 'an endorsement key');
  const issuing = mintEkCertificate(INTERMEDIATE, { publicKey: spkiOf(ek.publicKey), subject: commonName('EK') }).der;
  const [, intermediate = new Uint8Array()] = machine.certificates;
  const device = withCertificates(leafBy({ issuer: 'EK', key: ek }), issuing, intermediate);
  await judge.refuses({ device }, 'ek.chain');
});

test('A62 refuses a chain that is too long and one that is a circle', async () => {
  const key = (n: number) => keyPair('p256', `link ${n}`);
  const link = (n: number, above: number): Uint8Array =>
    mintAuthority(`Link ${n}`, key(n), { issuer: `Link ${above}`, key: key(above) }).der;
  const leaf = leafBy({ issuer: 'Link 0', key: key(0) });
  const last = mintAuthority('Link 8', key(8), ROOT).der;
  const long = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => link(n, n + 1));
  await judge.refuses({ device: withCertificates(leaf, ...long, last) }, 'ek.chain');
  await judge.refuses({ device: withCertificates(leaf, link(0, 1), link(1, 0)) }, 'ek.unknown_issuer');
});

test('A62 finds the right one of two intermediate CAs with one name, in either order', async () => {
  const anonymous = { authorityKeyId: null, subjectKeyId: null };
  const leaf = leafBy(INTERMEDIATE, anonymous);
  const right = mintAuthority(INTERMEDIATE.issuer, INTERMEDIATE.key, ROOT, anonymous).der;
  const namesake = mintAuthority(INTERMEDIATE.issuer, keyPair('p256', 'namesake'), ROOT, anonymous).der;
  await judge.admits(withCertificates(leaf, right, namesake));
  await judge.admits(withCertificates(leaf, namesake, right));
  await judge.refuses({ device: withCertificates(leaf, namesake) }, 'ek.chain');
});

test('A63 refuses an expired certificate or CA', async () => {
  await refusesLeaf(PAST, 'ek.expired');
  await refusesCa(PAST, 'ek.expired');
});

test('A63 refuses an expired CA even with allow_expired_ek', async () => {
  await lenient.admits(certified(PAST));
  await lenient.refuses({ device: softwareDevice({ chain: { intermediate: PAST } }) }, 'ek.expired');
});

test('A63 refuses a certificate or a CA that is not yet valid', async () => {
  await refusesLeaf(FUTURE, 'ek.not_yet_valid');
  await refusesCa(FUTURE, 'ek.not_yet_valid');
  await lenient.refuses({ device: certified(FUTURE) }, 'ek.not_yet_valid');
});

test('A63 admits a certificate without an end date', () =>
  judge.admits(certified({ notAfter: new Date('9999-12-31T23:59:59Z') })).then((id) => expect(id).not.toBe('')));

test('A65 refuses an unknown critical extension', async () => {
  const extraExtensions = [{ oid: '1.3.6.1.4.1.99999.1', critical: true, value: sequence() }];
  await refusesLeaf({ extraExtensions }, 'ek.critical_extension');
  await refusesCa({ extraExtensions }, 'ek.critical_extension');
  await judge.admits(certified({ extraExtensions: extraExtensions.map((e) => ({ ...e, critical: false })) }));
});

const unknown = (count: number, critical: boolean) =>
  Array.from({ length: count }, (_, i) => ({ oid: `1.3.6.1.4.1.99999.${i}`, critical, value: sequence() }));

test('refuses a certificate that is larger than any real one, and leaves out such a CA', async () => {
  const commas = (count: number) => ({
    subject: Array.from({ length: count }, () => commonName(','.repeat(240))).flat(),
  });
  await judge.admits(certified({ extraExtensions: unknown(16, false), ...commas(8) }));
  await refusesLeaf({ extraExtensions: unknown(32, false) }, 'ek.certificate_malformed');
  await refusesLeaf(commas(9), 'ek.certificate_malformed');
  await refusesCa({ extraExtensions: unknown(32, false) }, 'ek.unknown_issuer');
});

test('logs short findings for a certificate with many faults', async () => {
  const before = judge.records.length;
  const subject = Array.from({ length: 8 }, () => commonName(','.repeat(240))).flat();
  const extKeyUsage = Array.from({ length: 30 }, (_, i) => `1.3.6.1.4.1.99999.${i}`);
  await refusesLeaf(
    { subject, extKeyUsage, extraExtensions: unknown(20, true), ...PAST },
    'ek.critical_extension',
    'ek.expired',
    'ek.usage',
  );
  const findings = judge.records.slice(before).filter(({ fields }) => fields['finding'] !== undefined);
  expect(findings.length).toBe(3);
  expect(JSON.stringify(findings).length).toBeLessThan(4000);
});

test('A65 refuses an extension that occurs twice', async () => {
  const usage = { oid: '2.5.29.37', value: sequence(oid(EK_USAGE)) };
  await refusesLeaf({ extraExtensions: [usage] }, 'ek.certificate_malformed');
  const san = { oid: '2.5.29.17', critical: true, value: tpmName({}) };
  await refusesLeaf({ extraExtensions: [san] }, 'ek.certificate_malformed');
});

test('A66 refuses a certificate with trailing bytes, cut short or encoded in another way', async () => {
  const [leaf = new Uint8Array(), intermediate = new Uint8Array()] = machine.certificates;
  const respelled = concat(leaf.slice(0, 1), Uint8Array.of(0x83, 0), leaf.slice(2));
  const changed = [
    concat(leaf, Uint8Array.of(0x41)),
    concat(leaf, leaf),
    leaf.slice(0, -1),
    respelled,
    new Uint8Array(9),
  ];
  for (const der of changed)
    await judge.refuses({ device: withCertificates(der, intermediate) }, 'ek.certificate_malformed');
});

test('A66 refuses a serial number that is not positive', async () => {
  await refusesLeaf({ serial: Uint8Array.of(0xff) }, 'ek.profile');
  await refusesLeaf({ serial: Uint8Array.of(0) }, 'ek.profile');
});

test('A66 refuses a certificate that does not name its TPM, or names it twice', async () => {
  const named = (value: Uint8Array): CertificateRecipe => ({
    san: null,
    extraExtensions: [{ oid: '2.5.29.17', critical: true, value }],
  });
  await refusesLeaf({ san: null }, 'ek.profile');
  await refusesLeaf({ san: {}, sanCritical: false }, 'ek.profile');
  await refusesLeaf(named(sequence()), 'ek.profile');
  await refusesLeaf(named(Uint8Array.of(0x30, 5)), 'ek.profile');
  const general = tpmName({}).slice(2);
  await refusesLeaf(named(sequence(general, general)), 'ek.profile');
  await refusesLeaf({ san: { manufacturer: 'Infineon' } }, 'ek.profile');
});

test('A66 refuses the certificate of a TPM of family 1.2', () => refusesLeaf({ family: '1.2' }, 'ek.tpm_family'));

test('A66 refuses certificates signed over SHA-1 or by an unknown algorithm', async () => {
  await refusesLeaf({ hash: 'sha1' }, 'ek.weak_signature');
  await refusesCa({ hash: 'sha1' }, 'ek.weak_signature');
  await refusesLeaf({ signatureAlgorithm: sequence(oid('1.2.3.4')) }, 'ek.weak_signature');
});

test('A66 refuses a CA with a weak key', () => {
  const key = keyPair('rsa1024', 'weak CA');
  const weak = mintAuthority('Weak CA', key, ROOT).der;
  const device = withCertificates(leafBy({ issuer: 'Weak CA', key }), weak);
  return judge.refuses({ device }, 'ek.weak_signature');
});

test('A67 refuses software TPMs and simulators under a trusted CA', async () => {
  for (const manufacturer of ['id:00001014', 'id:49424D20', 'id:49424d20', 'id:54434700'])
    await refusesLeaf({ san: { manufacturer, model: 'swtpm' } }, 'ek.software_tpm');
  await lenient.admits(certified({ san: { manufacturer: 'id:00001014', model: 'swtpm' } }));
});

test('A69 refuses a machine that has no certificate and is not listed', () =>
  judge.refuses({ device: withCertificates() }, 'ek.no_certificate'));

test('A69 refuses an unlisted endorsement key, with or without a certificate', async () => {
  const stranger = softwareDevice({ label: 'stranger' });
  await listing.refuses({ device: stranger }, 'ek.not_listed');
  await listing.refuses({ device: { ...stranger, certificates: [] } }, 'ek.not_listed');
  await listing.admits({ ...machine, certificates: [] });
});

test('A69 refuses a listed key with the certificate of another machine', () =>
  listing.refuses(
    { device: { ...machine, certificates: softwareDevice({ label: 'stranger' }).certificates } },
    'ek.key_mismatch',
  ));
