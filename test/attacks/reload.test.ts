/** Files that change under a running server: what they say now counts, for known machines too, and what they cannot say does not. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { type CertificateRecipe, commonName } from '../support/certificate-recipe.ts';
import { crlPem, longSerial, mintCrl } from '../support/crl-recipe.ts';
import { forger } from '../support/forger.ts';
import { useJudge } from '../support/judge.ts';
import { type Issuer, keyPair, mintAuthority, mintEkCertificate, pem, spkiOf } from '../support/pki.ts';
import { pubHashOf, type SoftwareDevice, softwareDevice } from '../support/software-device.ts';

/** Longer than changed files may go unseen. */
const LOOK_MS = 8000;
const BOTH = ['in force', 'denied'] as const;

const folder = mkdtempSync(join(tmpdir(), 'reload-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (...names: readonly string[]): string => join(folder, ...names);
const put = (text: string, ...names: readonly string[]): void => writeFileSync(at(...names), text);

const authority = (issuer: string): Issuer => ({ issuer, key: keyPair('p256', issuer) });
const link = (ca: Issuer, above: Issuer = ca): Uint8Array => mintAuthority(ca.issuer, ca.key, above).der;
const ROOTS = {
  kept: authority('Kept Root CA'),
  removed: authority('Removed Root CA'),
  added: authority('Added Root CA'),
  watched: authority('Watched Root CA'),
  late: authority('Late Root CA'),
};
const CA = authority('Intermediate CA');

/** A machine of its own, with a certificate by the intermediate CA below this root. */
function below(root: Issuer, label: string, recipe: CertificateRecipe = {}): SoftwareDevice {
  const device = softwareDevice({ label });
  const publicKey = spkiOf(keyPair('rsa2048', `${label} L-1`).publicKey);
  const leaf = mintEkCertificate(CA, { publicKey, ...recipe }).der;
  return { ...device, certificates: [leaf, link(CA, root)] };
}
const uncertified = (device: SoftwareDevice): SoftwareDevice => ({ ...device, certificates: [] });

const [SERIAL, OTHER, FREE] = [longSerial(1), longSerial(2), longSerial(3)];
function putLists(serial?: Uint8Array): void {
  const period = { thisUpdate: new Date('2020-01-01T00:00:00Z'), nextUpdate: new Date('2049-12-31T00:00:00Z') };
  const revoked = serial === undefined ? [] : [{ serial }];
  const list = ({ issuer, key }: Issuer, entries: typeof revoked): Uint8Array =>
    mintCrl({ issuer: commonName(issuer), signer: key.privateKey, revoked: entries, ...period });
  put(crlPem(list(ROOTS.watched, []), list(CA, revoked)), 'crls', 'lists.pem');
}

const kept = below(ROOTS.kept, 'kept');
const removed = below(ROOTS.removed, 'removed');
const added = below(ROOTS.added, 'added');
const denied = below(ROOTS.kept, 'denied');
const deniedBySerial = below(ROOTS.kept, 'denied by serial', { serial: OTHER });
const revoked = below(ROOTS.watched, 'revoked', { serial: SERIAL });
const spared = below(ROOTS.watched, 'spared', { serial: FREE });
const delisted = uncertified(softwareDevice({ label: 'delisted' }));
const listed = uncertified(softwareDevice({ label: 'listed' }));
const lessCertain = below(ROOTS.removed, 'less certain');

for (const name of ['kept', 'changing', 'crls']) mkdirSync(at(name));
put(pem(link(ROOTS.kept)), 'kept', 'kept.pem');
put(pem(link(ROOTS.watched)), 'watched.pem');
put(pem(link(ROOTS.removed)), 'changing', 'removed.pem');
put(pem(link(authority('Idle Root CA'))), 'changing', 'idle.pem');
put(`${pubHashOf(delisted)}\n${pubHashOf(lessCertain)}\n`, 'hashes');
put('# nobody yet\n', 'denied');
putLists();

const bundle = (name: string, path: string, policy = 'crl_policy = "off"'): string =>
  `bundle "${name}" {\n  ca_path = ${JSON.stringify(at(path))}\n  ${policy}\n}`;
const judge = useJudge({
  caPath: null,
  config: [
    bundle('kept', 'kept'),
    bundle('changing', 'changing'),
    bundle('watched', 'watched.pem', ''),
    ...Object.entries({ crl_path: 'crls', hash_path: 'hashes', deny_path: 'denied' }).map(
      ([option, name]) => `${option} = ${JSON.stringify(at(name))}`,
    ),
  ].join('\n'),
  control: () => forger(kept),
});

/** What the machine whose root goes had until then. */
let certain: readonly string[] = [];

let change: Promise<void> | undefined;
/** One wait for all that the tests below look at. */
const changed = (): Promise<void> => {
  change ??= makeKnownAndChange();
  return change;
};

async function makeKnownAndChange(): Promise<void> {
  // Twice each: the second time it is remembered.
  for (const device of [kept, removed, denied, deniedBySerial, revoked, spared, delisted, lessCertain]) {
    await judge.admits(device);
    await judge.admits(device);
  }
  certain = await judge.selectors(lessCertain);
  for (const device of [added, listed]) expect(await judge.judge(forger(device))).toMatchObject({ outcome: 'refused' });
  await judge.changes(
    () => {
      rmSync(at('changing', 'removed.pem'));
      put(pem(link(ROOTS.added)), 'changing', 'added.pem');
      put(`${pubHashOf(denied)}\nserial:${Buffer.from(OTHER).toString('hex')}\n`, 'denied');
      put(`${pubHashOf(lessCertain)}\n${pubHashOf(listed)}\n`, 'hashes');
      putLists(SERIAL);
    },
    ...BOTH,
  );
}

test('A62 refuses a known machine once its trust anchor is removed, with any CA it sends along', async () => {
  await changed();
  await judge.refuses({ device: removed }, 'ek.unknown_issuer');
  const [leaf = new Uint8Array(), intermediate = new Uint8Array()] = removed.certificates;
  for (const certificates of [
    [leaf, intermediate, link(ROOTS.removed)],
    [leaf, link(ROOTS.removed), intermediate],
    [leaf],
  ])
    await judge.refuses({ device: { ...removed, certificates } }, 'ek.unknown_issuer');
  // The intermediate CA is known below another root, and does not lend it this one.
  await judge.admits(kept);
});

test('A62 admits a machine once its CA is added', async () => {
  await changed();
  expect(await judge.selectors(added)).toContain('ca:changing');
  await judge.refuses({ device: { ...added, certificates: added.certificates.slice(0, 1) } }, 'ek.unknown_issuer');
});

test('A55 refuses a known machine once its hash or the serial number of its certificate is denied', async () => {
  await changed();
  await judge.refuses({ device: denied }, 'ek.denied');
  await judge.refuses({ device: deniedBySerial }, 'ek.denied');
  await judge.admits(kept);
});

test('A64 refuses a known machine once its certificate is revoked', async () => {
  await changed();
  await judge.refuses({ device: revoked }, 'ek.revoked');
  await judge.admits(spared);
});

test('A69 refuses a known machine once its line is removed, and admits a machine once its line is added', async () => {
  await changed();
  await judge.refuses({ device: delisted }, 'ek.no_certificate');
  await judge.admits(listed);
});

test('A74 gives a known machine fewer selectors once the bundle no longer vouches for it', async () => {
  await changed();
  const hash = `pub_hash:${pubHashOf(lessCertain)}`;
  expect(certain).toEqual(expect.arrayContaining([hash, 'ca:changing', 'manufacturer:IFX']));
  expect(await judge.selectors(lessCertain)).toEqual([hash]);
});

test('keeps all earlier files in force when a new one cannot be used, and says so once', async () => {
  await changed();
  const failures = () => judge.records.filter(({ level }) => level === 'error').map(({ message }) => message);
  const late = below(ROOTS.late, 'late');
  await judge.changes(
    () => {
      put('no certificate\n', 'kept', 'kept.pem');
      put(`${pubHashOf(listed)}\nnobody\n`, 'denied');
      put(pem(link(ROOTS.late)), 'changing', 'late.pem');
    },
    'not used',
    'deny list not used',
  );
  await judge.admits(kept);
  await judge.refuses({ device: denied }, 'ek.denied');
  await judge.admits(listed);
  await judge.refuses({ device: late }, 'ek.unknown_issuer');
  await delay(LOOK_MS);
  await judge.admits(kept);
  expect([...failures()].sort()).toEqual([
    expect.stringMatching(/not used, those from before stay in force: "deny_path" cannot be used: .*line 2/),
    expect.stringMatching(/not used, those from before stay in force: ca_path of bundle "kept" cannot be used: /),
  ]);
  await judge.changes(
    () => {
      put(pem(link(ROOTS.kept)), 'kept', 'kept.pem');
      put(`${pubHashOf(listed)}\n`, 'denied');
    },
    ...BOTH,
  );
  await judge.refuses({ device: listed }, 'ek.denied');
  await judge.admits(late);
  // Who stands in the list no longer is denied until nobody has written it for a while.
  await expect.poll(() => judge.judge(forger(denied)), { timeout: 20_000 }).toMatchObject({ outcome: 'admitted' });
});

test('A55 refuses a newly denied machine while other files are broken, long or change at each reading', async () => {
  await changed();
  put('', 'denied');
  await expect.poll(() => judge.judge(forger(listed)), { timeout: 20_000 }).toMatchObject({ outcome: 'admitted' });
  const many = `${pubHashOf(listed)}\n`.repeat(400_000);
  let count = 0;
  put('no certificate\n', 'kept', 'kept.pem');
  const busy = setInterval(() => put(`# ${count++}\n${many}`, 'hashes'), 200);
  try {
    await judge.changes(() => put(`${pubHashOf(listed)}\n`, 'denied'), 'denied');
    await judge.refuses({ device: listed }, 'ek.denied');
    rmSync(at('denied'));
    await judge.changes(() => {}, 'deny list not used');
    await judge.refuses({ device: listed }, 'ek.denied');
  } finally {
    clearInterval(busy);
  }
});
