/** What a certificate says of its TPM in selectors and in the log: facts that can hide nothing, and no more of them than are proved. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { type CertificateRecipe, commonName, type TpmRecipe } from '../support/certificate-recipe.ts';
import { oid, sequence, set, tlv, utf8String } from '../support/der-writer.ts';
import { forger } from '../support/forger.ts';
import { useJudge } from '../support/judge.ts';
import { type Issuer, keyPair, mintAuthority, mintEkCertificate, spkiOf } from '../support/pki.ts';
import { pluginForger } from '../support/plugin-forger.ts';
import { pubHashOf, type SoftwareDevice, softwareDevice } from '../support/software-device.ts';

const folder = mkdtempSync(join(tmpdir(), 'selectors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const machine = softwareDevice();
writeFileSync(join(folder, 'hashes'), `${pubHashOf(machine)}\n`);

const judge = useJudge();
const listing = useJudge({
  config: `hash_path = ${JSON.stringify(join(folder, 'hashes'))}\nwire = "spire-tpm-plugin"`,
  preload: fileURLToPath(new URL('../support/clock-ahead.cjs', import.meta.url)),
});
const choosy = useJudge({ config: 'models = ["SLB 9670"]' });

const INTERMEDIATE: Issuer = { issuer: 'Test TPM Intermediate CA', key: keyPair('p256', 'intermediate') };
const issuerHash = createHash('sha256').update(spkiOf(INTERMEDIATE.key.publicKey)).digest('hex');

const certified = (leaf: CertificateRecipe): SoftwareDevice => softwareDevice({ chain: { leaf } });
const named = (san: TpmRecipe): SoftwareDevice => certified({ san });
const selectorsWith = (...facts: readonly string[]): readonly string[] => [
  `pub_hash:${pubHashOf(machine)}`,
  'ca:ca_path',
  ...facts,
  `ek_issuer:${issuerHash}`,
];
const hex = (text: string): string => Buffer.from(text, 'utf8').toString('hex');

const HOSTILE = [
  'x\nca:hardware',
  'x\r\ntpm:ca:hardware',
  'a:b',
  'a\0b',
  'spiffe://example.org/spire/server',
  '../../x',
  'SLB 9670\u202e',
  '\u200bSLB 9670',
  'SLB\u00a09670',
  'ＳＬＢ 9670',
  'SL\u0412 9670',
  '\u001b[31mSLB',
  'SLB_9670',
  ' SLB 9670',
  'SLB 9670 ',
  'SLB  9670',
  'x'.repeat(65),
  ' ',
  '\ud83d\ude00'.repeat(30),
];

test('A72 puts a model that is not a plain word into model_hex alone', async () => {
  for (const model of HOSTILE)
    expect(await judge.selectors(named({ model }))).toEqual(
      selectorsWith('manufacturer:IFX', `model_hex:${hex(model)}`, 'tpm_firmware:073f'),
    );
  // One that no datastore need have room for, and no part of it either.
  for (const model of [`${'\ud83d\ude00'.repeat(30)}x`, '\ud83d\ude00'.repeat(200)])
    expect(await judge.selectors(named({ model }))).toEqual(selectorsWith('manufacturer:IFX', 'tpm_firmware:073f'));
});

test('A72 puts a plain model into model, and gives no two models one selector', async () => {
  const plain = {
    'SLB 9670 TPM2.0': 'model:SLB_9670_TPM2.0',
    'SLB 9670': 'model:SLB_9670',
    'x-1': 'model:x-1',
    [`${'x'.repeat(64)}`]: `model:${'x'.repeat(64)}`,
  };
  const all: string[] = [];
  for (const [model, selector] of Object.entries(plain)) {
    const selectors = await judge.selectors(named({ model }));
    expect(selectors).toEqual(selectorsWith('manufacturer:IFX', selector, 'tpm_firmware:073f'));
    all.push(...selectors.filter((one) => one.startsWith('model')));
  }
  for (const model of HOSTILE)
    all.push(...(await judge.selectors(named({ model }))).filter((one) => one.startsWith('model')));
  expect(new Set(all).size).toBe(all.length);
  for (const selector of all) expect(selector).toMatch(/^[a-z_]+:[A-Za-z0-9._-]+$/);
});

/** A subject alternative name whose model is of this string type. */
const modelOf = (value: Uint8Array): CertificateRecipe => {
  const attribute = (type: string, text: Uint8Array): Uint8Array => set(sequence(oid(type), text));
  const names = sequence(
    attribute('2.23.133.2.1', utf8String('id:49465800')),
    attribute('2.23.133.2.2', value),
    attribute('2.23.133.2.3', utf8String('id:073F')),
  );
  return { san: null, extraExtensions: [{ oid: '2.5.29.17', critical: true, value: sequence(tlv(0xa4, names)) }] };
};
const utf16 = (text: string): Uint8Array => Buffer.from(text, 'utf16le').swap16();

test('A72 reads every string type alike, and refuses a model that is not text', async () => {
  const facts = (model: string): readonly string[] => selectorsWith('manufacturer:IFX', model, 'tpm_firmware:073f');
  expect(await judge.selectors(certified(modelOf(tlv(0x1e, utf16('SLB 9670')))))).toEqual(facts('model:SLB_9670'));
  const injected = 'x\nca:hardware';
  for (const value of [tlv(0x1e, utf16(injected)), tlv(0x14, Buffer.from(injected)), tlv(0x13, Buffer.from(injected))])
    expect(await judge.selectors(certified(modelOf(value)))).toEqual(facts(`model_hex:${hex(injected)}`));
  for (const value of [
    tlv(0x04, Buffer.from('SLB 9670')),
    tlv(0x1e, Uint8Array.of(1)),
    tlv(0x0c, Uint8Array.of(0xff)),
    utf8String(''),
  ])
    await judge.refuses({ device: certified(modelOf(value)) }, 'ek.profile');
});

test('A72 refuses a TPM model that is longer than any real one', async () => {
  await judge.refuses({ device: named({ model: 'x'.repeat(1100) }) }, 'ek.profile');
  await judge.refuses({ device: named({ model: 'x'.repeat(64 * 1024) }) }, 'evidence.malformed');
  await judge.admits(named({ model: 'x'.repeat(1000) }));
});

test('A72 refuses a manufacturer or a version that is not hexadecimal digits', async () => {
  for (const manufacturer of ['id:49465800\n', 'id:4946580', 'IFX', 'id:49465800\0', 'id:IFX', 'id:494658000', ''])
    await judge.refuses({ device: named({ manufacturer }) }, 'ek.profile');
  for (const version of ['id:073F\n', 'id:7', 'id:0x7F', '7.63', 'id:', 'id:07 3F', 'id:000000001'])
    await judge.refuses({ device: named({ version }) }, 'ek.profile');
});

test('A72 gives an unknown manufacturer as its digits, even when they spell letters', async () => {
  for (const id of ['49465820', '49465000', '0a63613a', '49425800'])
    expect(await judge.selectors(named({ manufacturer: `id:${id.toUpperCase()}` }))).toEqual(
      selectorsWith(`manufacturer:${id}`, 'model:SLB_9670', 'tpm_firmware:073f'),
    );
});

test('A73 gives no certificate selectors when the certificate is missing or not sound', async () => {
  const bare = [`pub_hash:${pubHashOf(machine)}`];
  const full = selectorsWith('manufacturer:IFX', 'model:SLB_9670', 'tpm_firmware:073f');
  expect(await listing.selectors({ ...machine, certificates: [] })).toEqual(bare);
  expect(await listing.selectors(certified({ notAfter: new Date('2015-01-01T00:00:00Z') }))).toEqual(bare);
  expect(await listing.selectors(certified({ extKeyUsage: ['1.3.6.1.5.5.7.3.1'] }))).toEqual(bare);
  expect(await listing.selectors(certified({ signer: keyPair('p256', 'foreign').privateKey }))).toEqual(bare);
  expect(await listing.selectors(machine)).toEqual(full);
  // The wire that proves less says so, for the same machine.
  expect(await listing.judge(pluginForger(machine))).toMatchObject({ selectors: [...bare, 'proof:credential-only'] });
});

test('A74 gives a machine fewer selectors once its certificate has expired', async () => {
  const notAfter = new Date(Math.ceil(Date.now() / 1000) * 1000 + 30 * 60_000);
  const device = certified({ notAfter });
  const full = selectorsWith('manufacturer:IFX', 'model:SLB_9670', 'tpm_firmware:073f');
  expect(await listing.selectors(device)).toEqual(full);
  expect(await listing.selectors(device)).toEqual(full);
  process.kill(listing.host.pid, 'SIGUSR2');
  await listing.until(() => listing.records.some(({ message }) => message.includes('the clock is ahead')));
  expect(await listing.selectors(device)).toEqual([`pub_hash:${pubHashOf(machine)}`]);
});

/** Every way that these tests know to end a line, a string or a colour. */
const FORGED = 'x\n{"@level":"error","@message":"forged"}\r\u001b[2K\u0085\u2028\u202e\u0000","finding":"none';

test('A75 lets no text of a certificate forge or colour a log line', async () => {
  const publicKey = spkiOf(keyPair('rsa2048', 'machine L-1').publicKey);
  const sending = (...certificates: readonly Uint8Array[]): SoftwareDevice => ({ ...machine, certificates });
  const root: Issuer = { issuer: 'Test TPM Root CA', key: keyPair('p256', 'root') };
  const forged: Issuer = { issuer: FORGED, key: keyPair('p256', 'forged') };
  const unusable = mintAuthority(FORGED, forged.key, root, { basicConstraints: { ca: false } }).der;
  await choosy.refuses({ device: sending(mintEkCertificate(forged, { publicKey }).der) }, 'ek.unknown_issuer');
  await choosy.refuses({ device: sending(mintEkCertificate(forged, { publicKey }).der, unusable) }, 'ek.chain');
  const subject = { subject: commonName(FORGED), extKeyUsage: ['1.3.6.1.5.5.7.3.1'] };
  await choosy.refuses({ device: certified(subject) }, 'ek.usage');
  await choosy.refuses({ device: named({ model: FORGED }) }, 'ek.model');
  await choosy.refuses({ device: named({ manufacturer: FORGED }) }, 'ek.profile');
  expect(await choosy.judge(forger(softwareDevice()))).toMatchObject({ outcome: 'admitted' });
  for (const { level, message, fields } of choosy.records) {
    expect(JSON.stringify([message, ...Object.values(fields)])).not.toMatch(
      /\\[nrt]|\\u00|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u,
    );
    expect(level).not.toBe('error');
    expect(message).not.toBe('forged');
  }
  expect(choosy.records.some(({ message }) => message.includes('forged'))).toBe(true);
});
