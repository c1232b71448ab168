/** JSON of strangers: on the wire of spire-tpm-plugin, and in the files that the command judges. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { evidenceToJson } from '../../src/evidence/json.ts';
import { decodePayload } from '../../src/evidence/messages.ts';
import { CLI } from '../support/cli.ts';
import { execute } from '../support/execute.ts';
import { forger } from '../support/forger.ts';
import { useJudge } from '../support/judge.ts';
import { mintEkChain, pem } from '../support/pki.ts';
import { pluginForger } from '../support/plugin-forger.ts';
import { softwareDevice, TRUST_DOMAIN } from '../support/software-device.ts';

const folder = mkdtempSync(join(tmpdir(), 'json-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const caPath = join(folder, 'ca.pem');
const { root, intermediate } = mintEkChain();
writeFileSync(caPath, pem(root.der, intermediate.der));
writeFileSync(
  join(folder, 'policy.hcl'),
  `trust_domain = "${TRUST_DOMAIN}"\nca_path = ${JSON.stringify(caPath)}\nwire = "spire-tpm-plugin"\n`,
);

const judge = useJudge({ caPath, config: 'wire = "spire-tpm-plugin"' });
const machine = softwareDevice();
const MEGABYTE = 1_000_000;
const DIGITS = '7'.repeat(MEGABYTE);

type Edit = (text: string) => string;

async function refusedOnTheWire(edit: Edit): Promise<void> {
  const payloadBytes = (bytes: Uint8Array) => Uint8Array.from(Buffer.from(edit(Buffer.from(bytes).toString())));
  await judge.refused(await judge.judge(pluginForger(machine, { payloadBytes })), 'evidence.malformed');
}

const evidence = evidenceToJson({
  payload: decodePayload(forger(machine).payload),
  challenge: undefined,
  response: undefined,
});

/** By `challenge`, which reads the payload of a machine. */
async function readFromFile(edit: Edit): Promise<{ readonly code: number | null; readonly stderr: string }> {
  const file = join(folder, 'evidence.json');
  writeFileSync(file, edit(evidence));
  const args = ['challenge', file, '--policy', join(folder, 'policy.hcl'), '-o', join(folder, 'challenge.json')];
  return execute(process.execPath, [CLI, ...args]);
}

async function refusedInFile(edit: Edit, reason: RegExp): Promise<void> {
  const { code, stderr } = await readFromFile(edit);
  expect([code, stderr]).toEqual([2, expect.stringMatching(reason)]);
  expect(stderr.length).toBeLessThan(1000);
}

test('A80 refuses names that every JavaScript object has, such as constructor', async () => {
  for (const name of ['__proto__', 'constructor', 'prototype']) {
    const member = `${JSON.stringify(name)}:{"EK":"","allow_software_tpm":true}`;
    await refusedOnTheWire((text) => text.replace('{"EK"', `{${member},"EK"`));
    await refusedOnTheWire((text) => text.replace('{"Public"', `{${member},"Public"`));
    await refusedInFile((text) => text.replace('{', `{${member},`), new RegExp(`${name} is not a known field|${name}`));
    await refusedInFile((text) => text.replace('"payload": {', `"payload": {${member},`), new RegExp(name));
  }
});

test('A81 refuses overlong numbers and overlong base64', async () => {
  await refusedOnTheWire((text) => text.replace('false', DIGITS.slice(0, 60_000)));
  await refusedOnTheWire((text) => text.replace('false', DIGITS.slice(0, 240_000)));
  await refusedOnTheWire((text) => text.replace(/"Public":"[^"]*"/, `"Public":"${'A'.repeat(60_001)}"`));
  await refusedInFile(
    (text) => text.replace(/"versions": \[[^\]]*\]/, `"versions": [${DIGITS}]`),
    /over 524288 characters/,
  );
  const digits = DIGITS.slice(0, 400_000);
  await refusedInFile((text) => text.replace(/"versions": \[[^\]]*\]/, `"versions": [${digits}]`), /unsigned 32-bit/);
  await refusedInFile(
    (text) => text.replace(/"akPublic": "[^"]*"/, `"akPublic": "${'A'.repeat(400_001)}"`),
    /akPublic.*not canonical base64/,
  );
});

test('A82 refuses base64 that is not canonical', async () => {
  const spellings: readonly Edit[] = [
    (base64) => `${base64.slice(0, 8)}\\n${base64.slice(8)}`,
    (base64) => `${base64.slice(0, 8)} ${base64.slice(8)}`,
    (base64) => `${base64.slice(0, 8)}-${base64.slice(9)}`,
    (base64) => `${base64.slice(0, 8)}_${base64.slice(9)}`,
    (base64) => `${base64}=`,
    (base64) => `${base64.replace(/=+$/, '')}A`,
    (base64) => `*${base64}`,
    (base64) => Buffer.from(base64, 'base64').toString('hex').slice(1),
  ];
  for (const spelling of spellings) {
    const respelt =
      (pattern: RegExp): Edit =>
      (text) =>
        text.replace(pattern, (_all, before: string, base64: string) => `${before}${spelling(base64)}"`);
    await refusedOnTheWire(respelt(/("Public":")([^"]*)"/));
    await refusedInFile(respelt(/("akPublic": ")([^"]*)"/), /akPublic/);
  }
});

test('accepts the same JSON without these changes', async () => {
  expect(await judge.judge(pluginForger(machine))).toMatchObject({ outcome: 'admitted' });
  expect(await readFromFile((text) => text)).toMatchObject({ code: 0 });
});
