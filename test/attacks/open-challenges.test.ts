/** What an operator decides while a machine works on its challenge: the answer is judged by the lists of its own time. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type Forger, forger } from '../support/forger.ts';
import { challenged, useJudge } from '../support/judge.ts';
import { mintEkChain, pem } from '../support/pki.ts';
import { pluginForger } from '../support/plugin-forger.ts';
import { pubHashOf, type SoftwareDevice, softwareDevice, TRUST_DOMAIN } from '../support/software-device.ts';

const folder = mkdtempSync(join(tmpdir(), 'open-challenges-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (...names: readonly string[]): string => join(folder, ...names);
const put = (name: string, ...lines: readonly string[]): void => writeFileSync(at(name), `${lines.join('\n')}\n`);
const option = (name: string, path: string): string => `${name} = ${JSON.stringify(at(path))}`;

const { root, intermediate } = mintEkChain();
writeFileSync(at('ca.pem'), pem(root.der, intermediate.der));
const serial = Uint8Array.of(0x2f, 0x01, 0x77);
const [listed, both, denied, bySerial, spared] = [
  { ...softwareDevice({ label: 'listed' }), certificates: [] },
  softwareDevice({ label: 'listed and certified' }),
  softwareDevice({ label: 'denied' }),
  softwareDevice({ label: 'denied by serial', chain: { leaf: { serial } } }),
  softwareDevice({ label: 'spared' }),
];
put('denied', '# nobody yet');
put('hashes', pubHashOf(listed), pubHashOf(both), pubHashOf(spared));
mkdirSync(at('folder'));
const inFolder = (device: SoftwareDevice): string => at('folder', pubHashOf(device));
for (const device of [both, spared]) writeFileSync(inFolder(device), '');

const config = ['wire = "spire-tpm-plugin"', option('hash_path', 'hashes'), option('deny_path', 'denied')].join('\n');
const judge = useJudge({ caPath: at('ca.pem'), config });
const hash = useJudge({
  caPath: null,
  config: option('hash_path', 'folder'),
  control: () => forger({ ...spared, certificates: [] }),
});
const unenforced = useJudge({
  caPath: null,
  config: `${option('hash_path', 'folder')}\nenforce = false`,
  control: () => forger({ ...spared, certificates: [] }),
});

test('A55 refuses a machine that is denied while its challenge is open, by hash and by serial number, on both wires', async () => {
  put('denied', '# nobody yet');
  const open = (machines: readonly Forger[]) => Promise.all(machines.map((machine) => challenged(judge, machine)));
  const kept = await open([forger(denied), forger(bySerial), pluginForger(denied), pluginForger(bySerial)]);
  const admitted = await open([forger(spared), pluginForger(spared)]);
  await judge.changes(() => put('denied', pubHashOf(denied), 'serial:2f0177'), 'denied');
  for (const answer of kept) await judge.refused(await answer(), 'ek.denied');
  for (const answer of admitted) expect(await answer()).toMatchObject({ outcome: 'admitted' });
});

test('A55 refuses a known machine that is denied while its challenge is open', async () => {
  await judge.admits(spared);
  await judge.admits(spared);
  const answer = await challenged(judge, forger(spared));
  await judge.changes(() => put('denied', pubHashOf(spared)), 'denied');
  await judge.refused(await answer(), 'ek.denied');
});

test('A55 refuses a machine that a new configuration denies while its challenge is open', async () => {
  put('others', pubHashOf(denied));
  put('denied', '# nobody yet');
  await judge.host.configure(`${option('ca_path', 'ca.pem')}\n${config}`, TRUST_DOMAIN);
  const [kept, admitted] = [await challenged(judge, forger(denied)), await challenged(judge, forger(spared))];
  await judge.host.configure(
    `${option('ca_path', 'ca.pem')}\n${config.replace(option('deny_path', 'denied'), option('deny_path', 'others'))}`,
    TRUST_DOMAIN,
  );
  await judge.refused(await kept(), 'ek.denied');
  expect(await admitted()).toMatchObject({ outcome: 'admitted' });
  await judge.host.configure(`${option('ca_path', 'ca.pem')}\n${config}`, TRUST_DOMAIN);
});

test('A69 refuses a machine that is taken off the allow-list while its challenge is open, unless a CA admits it', async () => {
  const uncertified: readonly Forger[] = [forger(listed), pluginForger(listed)];
  const refused = await Promise.all(uncertified.map((machine) => challenged(judge, machine)));
  const admitted = await challenged(judge, forger(both));
  await judge.changes(() => put('hashes', pubHashOf(spared)));
  for (const answer of refused) await judge.refused(await answer(), 'ek.not_listed');
  // Its certificate admits it by itself.
  expect(await admitted()).toMatchObject({
    outcome: 'admitted',
    selectors: expect.arrayContaining(['ca:ca_path']),
  });
});

test('A69 refuses a machine whose file is removed from the folder of hashes while its challenge is open', async () => {
  const machine = { ...both, certificates: [] };
  const [refused, admitted] = [
    await challenged(hash, forger(machine)),
    await challenged(hash, forger({ ...spared, certificates: [] })),
  ];
  const overlooked = await challenged(unenforced, forger(machine));
  rmSync(inFolder(both));
  await hash.refused(await refused(), 'ek.not_listed');
  expect(await admitted()).toMatchObject({ outcome: 'admitted' });
  expect(await overlooked()).toMatchObject({
    outcome: 'admitted',
    selectors: expect.arrayContaining(['enforced:false']),
  });
});
