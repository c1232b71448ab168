/** A policy that is not enforced: what it overlooks is told, and what nobody may do stays forbidden. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { useJudge } from '../support/judge.ts';
import { pluginForger } from '../support/plugin-forger.ts';
import { rocaKeyPair } from '../support/roca-key.ts';
import { pubHashOf, rsaAk, type SoftwareDevice, softwareDevice } from '../support/software-device.ts';

const folder = mkdtempSync(join(tmpdir(), 'enforcement-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const denied = softwareDevice({ label: 'denied' });
writeFileSync(join(folder, 'denied'), `${pubHashOf(denied)}\nserial:4d4d\n`);
writeFileSync(join(folder, 'hashes'), `${'0'.repeat(64)}\n`);
const denyPath = `deny_path = ${JSON.stringify(join(folder, 'denied'))}`;
const judge = useJudge({ config: `enforce = false\nwire = "spire-tpm-plugin"\n${denyPath}` });
const both = useJudge({
  config: `enforce = false\nmode = "both"\nhash_path = ${JSON.stringify(join(folder, 'hashes'))}\n${denyPath}`,
});

const PAST = { notAfter: new Date('2015-01-01T00:00:00Z') };
const uncertified = (device: SoftwareDevice): SoftwareDevice => ({ ...device, certificates: [] });
const expired = softwareDevice({ label: 'expired', chain: { leaf: PAST } });

test('admits with enforce = false what the policy would refuse, gives the selector enforced:false and logs the findings', async () => {
  const before = judge.records.length;
  expect(await judge.selectors(expired)).toEqual([`pub_hash:${pubHashOf(expired)}`, 'enforced:false']);
  expect(await judge.selectors(uncertified(expired))).toContain('enforced:false');
  await judge.until(
    () => judge.records.slice(before).filter(({ message }) => message === 'node attested').length === 2,
  );
  const told = judge.records.slice(before).filter(({ message }) => message.startsWith('not enforced: '));
  expect(told.map(({ level, fields }) => [level, fields['finding']])).toEqual([
    ['warn', 'ek.expired'],
    ['warn', 'ek.no_certificate'],
  ]);
  const attested = judge.records.slice(before).filter(({ message }) => message === 'node attested');
  expect(attested.map(({ fields }) => fields['admitted_by'])).toEqual(['unenforced', 'unenforced']);
  expect(await both.selectors(softwareDevice())).toContain('enforced:false');
});

test('gives the full selectors with enforce = false to a machine without findings', async () => {
  const selectors = await judge.selectors(softwareDevice());
  expect(selectors).toContain('ca:ca_path');
  expect(selectors).not.toContain('enforced:false');
});

test('refuses with enforce = false a certificate for another key', async () => {
  const { certificates } = softwareDevice({ label: 'victim' });
  for (const one of [judge, both])
    await one.refuses({ device: { ...softwareDevice({ label: 'thief' }), certificates } }, 'ek.key_mismatch');
  const pem = { certificate: certificates[0] };
  const forged = pluginForger(softwareDevice({ label: 'thief' }), { pem: (honest) => ({ ...honest, ...pem }) });
  await judge.refused(await judge.judge(forged), 'ek.key_mismatch');
});

test('refuses with enforce = false a sender that does not hold the endorsement key', async () => {
  const [thief, victim] = [softwareDevice({ label: 'thief' }), softwareDevice({ label: 'victim' })];
  const claiming = { ...thief, ek: { ...thief.ek, publicArea: victim.ek.publicArea } };
  for (const certificates of [victim.certificates, expired.certificates.slice(0, 0)])
    for (const one of [judge, both]) await one.refuses({ device: { ...claiming, certificates } }, 'credential.secret');
  await judge.refuses({ device: expired, forgery: { secret: () => new Uint8Array(32) } }, 'credential.secret');
});

test('refuses with enforce = false a denied machine', async () => {
  for (const one of [judge, both]) {
    await one.refuses({ device: denied }, 'ek.denied');
    await one.refuses({ device: uncertified(denied) }, 'ek.denied');
    const serial = Uint8Array.of(0x4d, 0x4d);
    await one.refuses(
      { device: softwareDevice({ label: 'serial', chain: { leaf: { serial, ...PAST } } }) },
      'ek.denied',
    );
  }
});

test('refuses with enforce = false weak keys, ROCA keys and keys of an unaccepted kind', async () => {
  await judge.refuses({ device: uncertified(softwareDevice({ key: rocaKeyPair('EK') })) }, 'ek.roca');
  await judge.refuses({ device: softwareDevice({ ak: rsaAk({ key: rocaKeyPair('AK') }) }) }, 'ak.roca');
  await judge.refuses({ device: softwareDevice({ ak: rsaAk({ algorithm: 'rsa1024' }) }) }, 'ak.weak_key');
  await judge.refuses({ device: softwareDevice({ ek: 'L-2' }) }, 'ek.algorithm');
});

test('refuses with enforce = false a quote with a finding', () =>
  judge.refuses({ device: expired, forgery: { extraData: () => new Uint8Array(32) } }, 'quote.commitment'));
