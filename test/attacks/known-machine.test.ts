/** Machines that were admitted a moment ago: what is remembered of them opens the door for nobody, nor for them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { publicKeyHash, publicKeyOf } from '../../src/tpm/public-key.ts';
import type { CertificateRecipe } from '../support/certificate-recipe.ts';
import { useJudge } from '../support/judge.ts';
import { type Issuer, keyPair, mintAuthority, mintEkCertificate, mintEkChain, pem, spkiOf } from '../support/pki.ts';
import { type SoftwareDevice, softwareDevice, TRUST_DOMAIN } from '../support/software-device.ts';

const folder = mkdtempSync(join(tmpdir(), 'known-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const OTHER_ROOT: Issuer = { issuer: 'Other TPM Root CA', key: keyPair('p256', 'other root') };
const hashPath = mkdtempSync(join(folder, 'hashes-'));
const caPath = mkdtempSync(join(folder, 'cas-'));
const otherCa = join(caPath, 'other.pem');
writeFileSync(join(caPath, 'root.pem'), pem(mintEkChain().root.der));
writeFileSync(otherCa, pem(mintAuthority(OTHER_ROOT.issuer, OTHER_ROOT.key, OTHER_ROOT).der));

const CONFIG = `hash_path = ${JSON.stringify(hashPath)}`;
const judge = useJudge({
  caPath,
  config: `${CONFIG}\nallow_software_tpm = true`,
  preload: fileURLToPath(new URL('../support/clock-ahead.cjs', import.meta.url)),
});

const MINUTES = 60_000;
const soon = (): Date => new Date(Math.ceil(Date.now() / 1000) * 1000 + 30 * MINUTES);

function machine(label: string, chain: { leaf?: CertificateRecipe; intermediate?: CertificateRecipe } = {}) {
  return softwareDevice({ label, chain });
}

function keyOf({ ek }: SoftwareDevice): NonNullable<ReturnType<typeof publicKeyOf>> {
  const key = publicKeyOf(ek.publicArea);
  if (key === undefined) throw new Error('the machine has no key');
  return key;
}

/** Twice: the second time it is remembered. */
async function becomesKnown(device: SoftwareDevice): Promise<void> {
  const id = await judge.admits(device);
  expect(await judge.admits(device)).toBe(id);
}

test("A62 refuses a known machine's certificate with another key, and its key with another certificate", async () => {
  const [known, thief] = [machine('known'), machine('thief')];
  await becomesKnown(known);
  await becomesKnown(thief);
  await judge.refuses({ device: { ...thief, certificates: known.certificates } }, 'ek.key_mismatch');
  await judge.refuses({ device: { ...known, certificates: thief.certificates } }, 'ek.key_mismatch');
});

test("A62 refuses a sender that replays a known machine's payload without its keys", async () => {
  const [known, thief] = [machine('known'), machine('thief')];
  await becomesKnown(known);
  const device = { ...thief, ek: { ...thief.ek, publicArea: known.ek.publicArea }, certificates: known.certificates };
  await judge.refuses({ device: { ...device, ak: known.ak } }, 'credential.secret');
});

test('A69 refuses a known machine that was taken off the allow-list', async () => {
  const listed = { ...machine('listed'), certificates: [] };
  const entry = join(hashPath, publicKeyHash(keyOf(listed)));
  writeFileSync(entry, '');
  await becomesKnown(listed);
  rmSync(entry);
  await judge.refuses({ device: listed }, 'ek.no_certificate');
  writeFileSync(entry, '');
  await judge.admits(listed);
});

test('A63 refuses a known machine when its certificate, or a CA above, has expired since', async () => {
  const notAfter = soon();
  const [leaf, below] = [machine('brief', { leaf: { notAfter } }), machine('below', { intermediate: { notAfter } })];
  await becomesKnown(leaf);
  await becomesKnown(below);
  process.kill(judge.host.pid, 'SIGUSR2');
  await judge.until(() => judge.records.some(({ message }) => message.includes('the clock is ahead')));
  await judge.refuses({ device: leaf }, 'ek.expired');
  await judge.refuses({ device: below }, 'ek.expired');
});

test('A62 refuses a known machine when its CA was removed', async () => {
  const device = machine('under the other CA');
  const leaf = mintEkCertificate(OTHER_ROOT, { publicKey: spkiOf(keyOf(device)) }).der;
  const known = { ...device, certificates: [leaf] };
  await becomesKnown(known);
  rmSync(otherCa);
  await judge.host.configure(`ca_path = ${JSON.stringify(caPath)}\n${CONFIG}\nallow_software_tpm = true`, TRUST_DOMAIN);
  await judge.refuses({ device: known }, 'ek.unknown_issuer');
});

test('A67 refuses a known software TPM once software TPMs are no longer allowed', async () => {
  const software = machine('software', { leaf: { san: { manufacturer: 'id:00001014', model: 'swtpm' } } });
  await becomesKnown(software);
  await judge.host.configure(`ca_path = ${JSON.stringify(caPath)}\n${CONFIG}`, TRUST_DOMAIN);
  await judge.refuses({ device: software }, 'ek.software_tpm');
});
