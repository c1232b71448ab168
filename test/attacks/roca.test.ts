/** CVE-2017-15361: keys that can be computed from their public half, wherever in the evidence they stand. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { forger } from '../support/forger.ts';
import { useJudge } from '../support/judge.ts';
import {
  type Issuer,
  type KeyPair,
  keyPair,
  mintAuthority,
  mintEkCertificate,
  mintEkChain,
  pem,
  spkiOf,
} from '../support/pki.ts';
import { pluginForger } from '../support/plugin-forger.ts';
import { rocaKeyPair } from '../support/roca-key.ts';
import { pubHashOf, rsaAk, type SoftwareDevice, softwareDevice } from '../support/software-device.ts';

const folder = mkdtempSync(join(tmpdir(), 'roca-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

const MARKED = rocaKeyPair('endorsement key');
const marked = softwareDevice({ label: 'marked', key: MARKED });
const sound = softwareDevice({ label: 'sound' });
const uncertified = (device: SoftwareDevice): SoftwareDevice => ({ ...device, certificates: [] });
const bothAreListed = `hash_path = ${JSON.stringify(file('hashes', `${pubHashOf(marked)}\n${pubHashOf(sound)}\n`))}`;

/** Chosen by the operator, key and all. */
const MARKED_ROOT: Issuer = { issuer: 'Marked Root CA', key: rocaKeyPair('root') };
const { root, intermediate } = mintEkChain();
const cas = file('cas.pem', pem(root.der, mintAuthority(MARKED_ROOT.issuer, MARKED_ROOT.key, MARKED_ROOT).der));
// The wire of spire-tpm-plugin brings no intermediate along.
const withIntermediate = file('wire.pem', pem(root.der, intermediate.der));

const certified = useJudge({ caPath: cas });
const either = useJudge({ config: bothAreListed });
const listing = useJudge({ caPath: null, config: bothAreListed, control: () => forger(uncertified(sound)) });
const lenient = useJudge({ config: 'enforce = false' });
const wire = useJudge({ caPath: withIntermediate, config: 'wire = "spire-tpm-plugin"' });

test('A26 refuses an endorsement key with the ROCA fingerprint, certified or listed', async () => {
  await certified.refuses({ device: marked }, 'ek.roca');
  await either.refuses({ device: marked }, 'ek.roca');
  await either.refuses({ device: uncertified(marked) }, 'ek.roca');
  await listing.refuses({ device: uncertified(marked) }, 'ek.roca');
  await lenient.refuses({ device: marked }, 'ek.roca');
  for (const judge of [certified, either, lenient]) await judge.admits(sound);
  for (const judge of [either, listing]) await judge.admits(uncertified(sound));
});

test('A26 refuses an attestation key with the ROCA fingerprint', async () => {
  const [weak, strong] = [rsaAk({ key: rocaKeyPair('attestation key') }), rsaAk({ label: 'strong' })];
  await certified.refuses({ device: softwareDevice({ ak: weak }) }, 'ak.roca');
  await lenient.refuses({ device: softwareDevice({ ak: weak }) }, 'ak.roca');
  await certified.admits(softwareDevice({ ak: strong }));
});

test('A26 refuses on the legacy wire either key with the ROCA fingerprint', async () => {
  const ak = rsaAk({ key: rocaKeyPair('attestation key') });
  await wire.refused(await wire.judge(pluginForger(softwareDevice({ ak }))), 'ak.roca');
  await wire.refused(await wire.judge(pluginForger(marked)), 'ek.roca');
  expect(await wire.judge(pluginForger(sound))).toMatchObject({ outcome: 'admitted' });
});

/** A machine whose CA has this key, itself below `above`. */
function below(key: KeyPair, above: Issuer): SoftwareDevice {
  const issuer = { issuer: 'RSA CA', key };
  const leaf = mintEkCertificate(issuer, { publicKey: spkiOf(keyPair('rsa2048', 'sound L-1').publicKey) }).der;
  return { ...sound, certificates: [leaf, mintAuthority(issuer.issuer, key, above).der] };
}

test('A26 refuses a CA below the trust anchor with the ROCA fingerprint', async () => {
  const above: Issuer = { issuer: 'Test TPM Root CA', key: keyPair('p256', 'root') };
  await certified.refuses({ device: below(rocaKeyPair('CA'), above) }, 'ek.roca');
  await certified.admits(below(keyPair('rsa2048', 'RSA CA'), above));
});

test('A26 admits a machine under a trust anchor with the ROCA fingerprint, which the operator chose', async () => {
  await certified.admits(below(keyPair('rsa2048', 'RSA CA'), MARKED_ROOT));
  await certified.refuses({ device: below(rocaKeyPair('CA'), MARKED_ROOT) }, 'ek.roca');
});
