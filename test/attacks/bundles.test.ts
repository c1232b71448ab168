/** CAs in bundles: what each may vouch for, and that none of them lends another its word. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import type { FindingCode } from '../../src/verifier/findings.ts';
import type { CertificateRecipe } from '../support/certificate-recipe.ts';
import { sequence, utf8String } from '../support/der-writer.ts';
import { forger } from '../support/forger.ts';
import { useJudge } from '../support/judge.ts';
import { type Issuer, keyPair, mintAuthority, mintEkCertificate, pem, spkiOf } from '../support/pki.ts';
import { type SoftwareDevice, softwareDevice } from '../support/software-device.ts';

const folder = mkdtempSync(join(tmpdir(), 'bundles-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const machine = softwareDevice();
const publicKey = spkiOf(keyPair('rsa2048', 'machine L-1').publicKey);

const authority = (issuer: string): Issuer => ({ issuer, key: keyPair('p256', issuer) });
const by = (issuer: Issuer, recipe: CertificateRecipe = {}): Uint8Array =>
  mintEkCertificate(issuer, { publicKey, ...recipe }).der;
const link = (ca: Issuer, above: Issuer = ca, recipe: CertificateRecipe = {}): Uint8Array =>
  mintAuthority(ca.issuer, ca.key, above, recipe).der;
const sending = (...certificates: readonly Uint8Array[]): SoftwareDevice => ({ ...machine, certificates });

const ROOTS = {
  hardware: authority('Hardware Root CA'),
  cloud: authority('Cloud Root CA'),
  google: authority('Google Private Root CA'),
  software: authority('Software Root CA'),
  st: authority('STM TPM Root CA'),
  old: authority('Old Root CA'),
};

function bundle(name: string, rules: string, ...anchors: readonly Uint8Array[]): string {
  const file = join(folder, `${name}.pem`);
  writeFileSync(file, pem(...anchors));
  return `bundle "${name}" {\n  ca_path = ${JSON.stringify(file)}\n  ${rules}\n}\n`;
}

/** One name and two keys, without key identifiers: the name alone does not tell them apart. */
const ANONYMOUS = { authorityKeyId: null, subjectKeyId: null };
const [FIRST, SECOND] = ['first', 'second'].map((which) => ({
  issuer: 'Shared Name Root CA',
  key: keyPair('p256', `${which} of the shared name`),
})) as [Issuer, Issuer];

const judge = useJudge({
  caPath: null,
  config: [
    bundle('hardware', '', link(ROOTS.hardware), link(FIRST, FIRST, ANONYMOUS)),
    bundle('cloud', 'kind = "cloud"', link(ROOTS.cloud), link(SECOND, SECOND, ANONYMOUS)),
    bundle('gce', 'kind = "cloud"\n  allow_gce_profile = true', link(ROOTS.google)),
    bundle('software', 'kind = "software"', link(ROOTS.software)),
    bundle('st', 'manufacturers = ["STM"]\n  models = ["ST33*"]\n  min_firmware = "00490008"', link(ROOTS.st)),
    bundle('old', 'allow_expired_ek = true\n  allow_tpm12 = true\n  allow_sha1_signatures = true', link(ROOTS.old)),
  ].join(''),
  control: () => forger(sending(by(ROOTS.hardware))),
});

const SOON = new Date(Math.ceil(Date.now() / 1000) * 1000 + 30 * 60_000);
const BOTH = authority('CA of both bundles');
const later = useJudge({
  caPath: null,
  config: [bundle('soon', '', link(BOTH, BOTH, { notBefore: SOON })), bundle('already', '', link(BOTH))].join(''),
  preload: fileURLToPath(new URL('../support/clock-ahead.cjs', import.meta.url)),
});

const HARDWARE = { manufacturer: 'id:494E5443' };
const CLOUD = { manufacturer: 'id:474F4F47', model: 'vTPM', version: 'id:20160511' };
const SOFTWARE = { manufacturer: 'id:00001014', model: 'swtpm', version: 'id:20191023' };
const ST = { manufacturer: 'id:53544D20', model: 'ST33HTPHAHB4', version: 'id:00490008' };

const refuses = (device: SoftwareDevice, ...codes: readonly FindingCode[]): Promise<void> =>
  judge.refuses({ device }, ...codes);
const bundleOf = async (device: SoftwareDevice): Promise<string | undefined> =>
  (await judge.selectors(device)).find((selector) => selector.startsWith('ca:'));

test('A68 refuses a virtual TPM under a CA for hardware, and a hardware TPM under a CA for clouds', async () => {
  await refuses(sending(by(ROOTS.hardware, { san: CLOUD })), 'ek.manufacturer');
  await refuses(sending(by(ROOTS.cloud, { san: HARDWARE })), 'ek.manufacturer');
  expect(await bundleOf(sending(by(ROOTS.hardware, { san: HARDWARE })))).toBe('ca:hardware');
  expect(await bundleOf(sending(by(ROOTS.cloud, { san: CLOUD })))).toBe('ca:cloud');
});

/** Google's private CA names zone, project and instance in an extension of its own, and no TPM. */
const GCE: CertificateRecipe = {
  san: null,
  extKeyUsage: null,
  extraExtensions: [{ oid: '1.3.6.1.4.1.11129.2.1.21', value: sequence(utf8String('europe-west3-a')) }],
};

test('A68 refuses a Google Compute Engine certificate under a bundle that does not allow them', async () => {
  await refuses(sending(by(ROOTS.hardware, GCE)), 'ek.gce_profile', 'ek.manufacturer');
  await refuses(sending(by(ROOTS.cloud, GCE)), 'ek.gce_profile');
  expect(await bundleOf(sending(by(ROOTS.google, GCE)))).toBe('ca:gce');
});

test('A61 refuses a Google certificate for an attestation key, which lists no extended key usage either', () =>
  refuses(sending(by(ROOTS.google, { ...GCE, keyUsage: ['digitalSignature'] })), 'ek.usage'));

test('A67 refuses a software TPM under a CA for hardware or clouds, and hardware under a CA for software', async () => {
  await refuses(sending(by(ROOTS.hardware, { san: SOFTWARE })), 'ek.software_tpm');
  await refuses(sending(by(ROOTS.cloud, { san: SOFTWARE })), 'ek.software_tpm');
  await refuses(sending(by(ROOTS.software, { san: HARDWARE })), 'ek.manufacturer');
  expect(await bundleOf(sending(by(ROOTS.software, { san: SOFTWARE })))).toBe('ca:software');
});

test('A68 refuses a certificate that names a manufacturer other than those of its bundle', async () => {
  await refuses(sending(by(ROOTS.st, { san: { ...ST, manufacturer: 'id:494E5443' } })), 'ek.manufacturer');
  expect(await bundleOf(sending(by(ROOTS.st, { san: ST })))).toBe('ca:st');
});

test('A56 refuses a certified firmware version below min_firmware, or of another length', async () => {
  await refuses(sending(by(ROOTS.st, { san: { ...ST, version: 'id:00490007' } })), 'ek.firmware');
  await refuses(sending(by(ROOTS.st, { san: { ...ST, version: 'id:4A08' } })), 'ek.firmware');
  await judge.admits(sending(by(ROOTS.st, { san: { ...ST, version: 'id:0049000a' } })));
});

test('A27 refuses a model that is not in models', async () => {
  await refuses(sending(by(ROOTS.st, { san: { ...ST, model: 'ST19' } })), 'ek.model');
  await refuses(sending(by(ROOTS.st, { san: { ...ST, model: 'XST33HTPHAHB4' } })), 'ek.model');
  await judge.admits(sending(by(ROOTS.st, { san: { ...ST, model: 'st33ktpm2x' } })));
});

test('A68 applies the allowances of a bundle to no other bundle', async () => {
  const [expired, tpm12, sha1] = [
    { notAfter: new Date('2021-01-01T00:00:00Z') },
    { family: '1.2' },
    { hash: 'sha1' },
  ] as const;
  for (const recipe of [expired, tpm12, sha1])
    expect(await bundleOf(sending(by(ROOTS.old, recipe), link(ROOTS.hardware)))).toBe('ca:old');
  await refuses(sending(by(ROOTS.hardware, expired), link(ROOTS.old)), 'ek.expired');
  await refuses(sending(by(ROOTS.hardware, tpm12), link(ROOTS.old)), 'ek.tpm_family');
  await refuses(sending(by(ROOTS.hardware, sha1), link(ROOTS.old)), 'ek.weak_signature');
});

test('A68 gives each bundle its own selector, even when CAs of another bundle are sent along', async () => {
  const [hardwareCa, cloudCa] = [authority('Hardware CA'), authority('Cloud CA')];
  const links = [link(hardwareCa, ROOTS.hardware), link(cloudCa, ROOTS.cloud), link(ROOTS.hardware), link(ROOTS.cloud)];
  for (const order of [links, links.toReversed()]) {
    expect(await bundleOf(sending(by(hardwareCa, { san: HARDWARE }), ...order))).toBe('ca:hardware');
    expect(await bundleOf(sending(by(cloudCa, { san: CLOUD }), ...order))).toBe('ca:cloud');
    await refuses(sending(by(cloudCa, { san: HARDWARE }), ...order), 'ek.manufacturer');
  }
});

test('A68 refuses a CA of one bundle that takes the name of a CA of another', async () => {
  const [hardwareCa, cloudCa] = [authority('Issuing CA of hardware'), authority('Issuing CA of a cloud')];
  const namesake: Issuer = { issuer: hardwareCa.issuer, key: cloudCa.key };
  const [real, posing] = [link(hardwareCa, ROOTS.hardware), link(namesake, ROOTS.cloud)];
  expect(await bundleOf(sending(by(hardwareCa, { san: HARDWARE }), real, posing))).toBe('ca:hardware');
  await refuses(sending(by(namesake, { san: HARDWARE }), real, posing), 'ek.manufacturer');
  const nameless = by(namesake, { san: HARDWARE, ...ANONYMOUS });
  await refuses(sending(nameless, real), 'ek.chain');
});

test('A68 refuses a CA below a root that only shares the name of the root in the bundle', async () => {
  const shared = { issuer: 'CA below a shared name', key: keyPair('p256', 'below a shared name') };
  const belowFirst = link(shared, FIRST, ANONYMOUS);
  // Now the link to the root of the first bundle is known to hold.
  expect(await bundleOf(sending(by(shared, { san: HARDWARE, ...ANONYMOUS }), belowFirst))).toBe('ca:hardware');
  await refuses(sending(by(shared, { san: CLOUD, ...ANONYMOUS }), belowFirst), 'ek.manufacturer');
  const belowSecond = link(shared, SECOND, ANONYMOUS);
  expect(await bundleOf(sending(by(shared, { san: CLOUD, ...ANONYMOUS }), belowSecond))).toBe('ca:cloud');
});

test('A62 refuses an admitted chain once a byte of its CA is changed', async () => {
  const ca = authority('Known CA');
  const [leaf, sound] = [by(ca), link(ca, ROOTS.hardware)];
  await judge.admits(sending(leaf, sound));
  const serial = Buffer.from(sound).indexOf(Uint8Array.of(0x02, 0x02, 0x01, 0x23)) + 3;
  expect(serial).toBeGreaterThan(3);
  for (const at of [serial, sound.length - 1]) {
    const changed = Uint8Array.from(sound);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await refuses(sending(leaf, changed), 'ek.chain');
  }
  await judge.admits(sending(leaf, sound));
});

test('A74 gives a known machine the selector of the bundle that vouches for it now', async () => {
  const device = sending(by(BOTH));
  // Twice: the second time it is remembered.
  for (const _ of [1, 2]) expect(await later.selectors(device)).toContain('ca:already');
  process.kill(later.host.pid, 'SIGUSR2');
  await later.until(() => later.records.some(({ message }) => message.includes('the clock is ahead')));
  expect(await later.selectors(device)).toContain('ca:soon');
});
