/** The operator's own lists: who is admitted by hash, with and without a certificate, and who is kept out. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { STATUS } from '../../src/spire/status.ts';
import type { Forger } from '../support/forger.ts';
import { forger } from '../support/forger.ts';
import { type Judge, useJudge } from '../support/judge.ts';
import { mintEkChain, pem } from '../support/pki.ts';
import { pluginForger } from '../support/plugin-forger.ts';
import { eccAk, pubHashOf, type SoftwareDevice, softwareDevice, TRUST_DOMAIN } from '../support/software-device.ts';

const folder = mkdtempSync(join(tmpdir(), 'lists-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, ...lines: readonly string[]): string => {
  writeFileSync(join(folder, name), lines.join('\n'));
  return JSON.stringify(join(folder, name));
};

const [listed, unlisted, upper, behindComment, denied] = [
  softwareDevice({ label: 'listed' }),
  softwareDevice({ label: 'unlisted' }),
  softwareDevice({ label: 'upper case' }),
  softwareDevice({ label: 'behind a comment' }),
  softwareDevice({ label: 'denied' }),
];
const uncertified = (device: SoftwareDevice): SoftwareDevice => ({ ...device, certificates: [] });

const SERIAL = Uint8Array.of(0x00, 0xa1, 0xb2, 0x03);
const ZEROS = Uint8Array.of(0x1f, 0x2e, 0x3d);
const withSerial = (label: string, serial: Uint8Array): SoftwareDevice =>
  softwareDevice({ label, chain: { leaf: { serial } } });
const bySerial = withSerial('denied by serial', SERIAL);
const beside = withSerial('beside it', Uint8Array.of(0x00, 0xa1, 0xb2, 0x04));

const hashPath = `hash_path = ${file(
  'hashes',
  '\ufeff# machines of this house',
  `${pubHashOf(listed)} # rack 7\r`,
  `${pubHashOf(denied)}`,
  `${pubHashOf(bySerial)}`,
  pubHashOf(upper).toUpperCase(),
  `# ${pubHashOf(behindComment)}`,
  '',
)}`;
const denyPath = `deny_path = ${file(
  'denied',
  '# given away',
  `pub_hash:${pubHashOf(denied).toUpperCase()} # rack 7`,
  'serial:0000A1:B2:03 # rack 7',
  `serial:1F2E3D`,
)}`;

const { root, intermediate } = mintEkChain();
// The wire of spire-tpm-plugin brings no intermediate along.
writeFileSync(join(folder, 'wire.pem'), pem(root.der, intermediate.der));

const control = (): Forger => forger(listed);
const both = useJudge({ config: `${hashPath}\nmode = "both"`, control });
const hash = useJudge({
  caPath: null,
  config: `${hashPath}\nmode = "hash"`,
  control: () => forger(uncertified(listed)),
});
const either = useJudge({ config: `${hashPath}\n${denyPath}` });
const certificate = useJudge({
  caPath: join(folder, 'wire.pem'),
  config: `${denyPath}\nwire = "spire-tpm-plugin"`,
});

const admittedBy = async (judge: Judge, device: SoftwareDevice): Promise<unknown> => {
  const before = judge.records.length;
  await judge.admits(device);
  const told = () => judge.records.slice(before).find(({ message }) => message === 'node attested');
  await judge.until(() => told() !== undefined);
  return told()?.fields['admitted_by'];
};

test('A69 refuses with mode = "both" a machine with only a certificate or only a list entry', async () => {
  await both.refuses({ device: unlisted }, 'ek.not_listed');
  await both.refuses({ device: uncertified(listed) }, 'ek.no_certificate');
  await both.refuses({ device: uncertified(unlisted) }, 'ek.no_certificate', 'ek.not_listed');
  const notAfter = new Date('2021-01-01T00:00:00Z');
  await both.refuses({ device: softwareDevice({ label: 'listed', chain: { leaf: { notAfter } } }) }, 'ek.expired');
  expect(await admittedBy(both, listed)).toBe('both');
});

test('A69 refuses with mode = "hash" an unlisted machine with a certificate', async () => {
  await hash.refuses({ device: unlisted }, 'ek.not_listed');
  expect(await hash.selectors(listed)).toEqual([`pub_hash:${pubHashOf(listed)}`]);
  expect(await admittedBy(hash, listed)).toBe('hash');
});

test('A69 refuses a machine whose line in the list is a comment or in upper case', async () => {
  for (const device of [upper, behindComment]) await hash.refuses({ device }, 'ek.not_listed');
  const warned = hash.records.filter(({ message }) => message.includes('can admit no machine'));
  expect(warned).toMatchObject([{ level: 'warn', message: expect.stringContaining('line 5') }]);
});

test('A55 refuses a denied machine with any certificate, list entry or attestation key', async () => {
  for (const judge of [either, certificate]) await judge.refuses({ device: denied }, 'ek.denied');
  await either.refuses({ device: uncertified(denied) }, 'ek.denied');
  await either.refuses({ device: { ...denied, ak: eccAk({ label: 'new AK' }) } }, 'ek.denied');
  await certificate.refused(await certificate.judge(pluginForger(denied)), 'ek.denied');
  expect(await certificate.judge(pluginForger(listed))).toMatchObject({ outcome: 'admitted' });
  // The log says which machine it was, as far as that was claimed.
  const refused = either.records.filter(({ fields }) => fields['finding'] === 'ek.denied');
  expect(refused.map(({ fields }) => fields['claimed_pub_hash'])).toEqual(refused.map(() => pubHashOf(denied)));
});

test('A55 refuses a certificate with a denied serial number in any spelling', async () => {
  for (const judge of [either, certificate]) {
    await judge.refuses({ device: bySerial }, 'ek.denied');
    await judge.refuses({ device: withSerial('zeros', ZEROS) }, 'ek.denied');
    await judge.refuses({ device: withSerial('zeros', Uint8Array.of(0, 0, ...ZEROS)) }, 'ek.denied');
    await judge.admits(beside);
    // A number that ends or begins like a denied one.
    await judge.admits(withSerial('zeros', Uint8Array.of(1, ...ZEROS)));
    await judge.admits(withSerial('zeros', Uint8Array.of(...ZEROS, 0)));
  }
});

test('A55 denies by serial number only a sender of that certificate, and by hash every sender', async () => {
  // Listed, which will do for both of them without a certificate.
  await either.refuses({ device: uncertified(denied) }, 'ek.denied');
  await either.admits(uncertified(bySerial));
  await certificate.refuses({ device: uncertified(bySerial) }, 'ek.no_certificate');
});

test('A55 refuses a deny list with a line that is not exactly one hash or serial number', async () => {
  const wrong = [
    'nobody',
    pubHashOf(denied).slice(1),
    'serial:',
    'serial:0xa1',
    'serial:-1',
    'serial:00 A1 B2 03',
    'serial:a1 b2',
    `${pubHashOf(listed)} ${pubHashOf(denied)}`,
    `${pubHashOf(listed)}\r${pubHashOf(denied)}`,
  ];
  for (const line of wrong) {
    const answer = certificate.host.configure(
      `ca_path = ${JSON.stringify(join(folder, 'wire.pem'))}\ndeny_path = ${file('wrong', line)}`,
      TRUST_DOMAIN,
    );
    await expect(answer, line).rejects.toMatchObject({
      code: STATUS.INVALID_ARGUMENT,
      message: expect.stringContaining('line 1'),
    });
  }
  await certificate.refuses({ device: denied }, 'ek.denied');
  await certificate.admits(listed);
});

test('A79 refuses a pipe in place of any configured file, and does not wait for a writer', async () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const anchor = `ca_path = ${JSON.stringify(join(folder, 'wire.pem'))}\n`;
  const options = ['ca_path', 'hash_path', 'deny_path', 'crl_path'];
  for (const option of options) {
    const rest = option === 'ca_path' ? '' : anchor;
    const answer = certificate.host.configure(`${rest}${option} = ${JSON.stringify(pipe)}`, TRUST_DOMAIN);
    // Whoever waited for it is let go, and has waited.
    let hasWaited = false;
    const release = setTimeout(() => {
      hasWaited = true;
      closeSync(openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK));
    }, 10_000);
    await expect(answer, option).rejects.toMatchObject({ message: expect.stringContaining('is not a regular file') });
    clearTimeout(release);
    expect(hasWaited, option).toBe(false);
  }
  await certificate.admits(listed);
});
