/** What the server plugin says in SPIRE's log of its configuration and of the files in it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LivePolicy } from '../../src/policy/live-policy.ts';
import { serverPlugin } from '../../src/server-plugin/server-plugin.ts';
import { createLogger, type LogRecord } from '../../src/spire/log/logger.ts';
import { commonName } from '../support/certificate-recipe.ts';
import { mintCrl } from '../support/crl-recipe.ts';
import { mintEkChain, pem } from '../support/pki.ts';

const { root, rootKey } = mintEkChain();
let folder: string;
let hcl: string;
const path = (name: string): string => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plugin-'));
  mkdirSync(path('crls'));
  writeFileSync(path('ca.pem'), pem(root.der));
  writeFileSync(path('denied'), '');
  hcl = `
    bundle "hardware" { ca_path = "${path('ca.pem')}" }
    bundle "lab" {
      ca_path = "${path('ca.pem')}"
      kind    = "software"
    }
    crl_path   = "${path('crls')}"
    crl_policy = "warn"
    deny_path  = "${path('denied')}"
    pcrs       = "sha256:0,7 sha384:0"`;
});
const opened: LivePolicy[] = [];
afterEach(() => {
  for (const live of opened.splice(0)) live.end();
  rmSync(folder, { recursive: true, force: true });
});

async function configured(): Promise<{ readonly live: LivePolicy; readonly said: () => readonly LogRecord[] }> {
  const records: LogRecord[] = [];
  const { config } = serverPlugin(createLogger({ write: (record) => records.push(record) }));
  const live = await config.configure({ trustDomain: 'example.org' }, hcl);
  opened.push(live);
  return { live, said: () => records.splice(0) };
}

const IN_FORCE = { cas: 2, bundles: 'hardware lab', crls: 0, hash_path: false, deny_path: true };

test('a configuration is told with what admits and whom it trusts, and each relaxation before', async () => {
  const { said } = await configured();
  const records = said();
  expect(records.at(-1)).toMatchObject({
    level: 'info',
    message: 'configured',
    fields: {
      trust_domain: 'example.org',
      id_segment: 'tpm',
      mode: 'certificate',
      pcrs: 'sha256:0,7 sha384:0',
      ...IN_FORCE,
    },
  });
  const warnings = records.slice(0, -1);
  expect(warnings.every(({ level }) => level === 'warn')).toBe(true);
  expect(warnings.map(({ message }) => message)).toContainEqual(
    expect.stringMatching(/^bundle "lab": kind: software TPMs, which anybody can copy, are admitted/),
  );
});

test('changed files are told when they are in force, with what is left out of them', async () => {
  const { live, said } = await configured();
  said();
  writeFileSync(path('crls/one.crl'), mintCrl({ issuer: commonName('Test TPM Root CA'), signer: rootKey.privateKey }));
  writeFileSync(path('crls/two.crl'), 'rubbish');
  await live.look();
  const records = said();
  expect(records.at(-1)).toMatchObject({
    level: 'info',
    message: 'files of the configuration changed and are in force',
    fields: { ...IN_FORCE, crls: 1 },
  });
  expect(records.slice(0, -1).map(({ level, message }) => `${level}: ${message}`)).toContainEqual(
    expect.stringMatching(/^warn: crl_path: .*\/two\.crl is left out: /),
  );
  writeFileSync(path('denied'), `${'0'.repeat(64)}\nserial:01\n`);
  await live.look();
  expect(said()).toMatchObject([
    { level: 'info', message: 'deny_path changed and is in force', fields: { denied: 2 } },
  ]);
});

test('files that cannot be used are an error each, once', async () => {
  const { live, said } = await configured();
  said();
  rmSync(path('ca.pem'));
  writeFileSync(path('denied'), 'edge-7');
  for (let look = 0; look < 3; look++) await live.look();
  const still = 'files of the configuration changed and are not used, those from before stay in force: ';
  const gone = (name: string): string =>
    `${still}ca_path of bundle "${name}" cannot be used: ${path('ca.pem')}: no such file or directory`;
  expect(said().map(({ level, message }) => [level, message])).toEqual([
    ['error', gone('hardware')],
    ['error', gone('lab')],
    ['error', expect.stringContaining(`${still}"deny_path" cannot be used: `)],
  ]);
});

test('a configuration looks by itself, and no longer once another one is in force', async () => {
  const records: LogRecord[] = [];
  const { config } = serverPlugin(createLogger({ write: (record) => records.push(record) }));
  const first = await config.configure({ trustDomain: 'example.org' }, hcl);
  const second = await config.configure({ trustDomain: 'example.org' }, hcl);
  writeFileSync(path('denied'), '0'.repeat(64));
  const told = (): number => records.filter(({ message }) => message.startsWith('deny_path changed')).length;
  await expect.poll(told, { timeout: 20_000 }).toBe(1);
  // Ended: it sees nothing even when it is made to look.
  await first.look();
  expect(told()).toBe(1);
  second.end();
});

test('what was denied while a new configuration was read is denied in it from its first moment', async () => {
  const { config } = serverPlugin(createLogger({ write: () => undefined }));
  const lines = Array.from({ length: 200_000 }, (_, i) => i.toString(16).padStart(64, '0'));
  writeFileSync(path('hashes'), `${lines.join('\n')}\n`);
  const listed = `hash_path = "${path('hashes')}"\ndeny_path = "${path('denied')}"`;
  const isDenied = (live: LivePolicy): boolean =>
    live.current().policy.isDenied?.({ pubHash: 'f'.repeat(64), serial: undefined }) === true;
  const first = await config.configure({ trustDomain: 'example.org' }, listed);
  const next = config.configure({ trustDomain: 'example.org' }, listed);
  opened.push(first);
  // Its deny list has been read; the hashes are not by far.
  for (let turns = 0; turns < 20; turns++) await turn();
  writeFileSync(path('denied'), 'f'.repeat(64));
  await first.look();
  expect(isDenied(first)).toBe(true);
  const second = await next;
  opened.push(second);
  expect(isDenied(second)).toBe(true);
});

test('what is wrong with bundles is one sentence each at Validate, and no reason to read files', async () => {
  const { config } = serverPlugin(createLogger({ write: () => undefined }));
  const wrong = 'bundle "a" { ca_pth = "/nonesuch" }\nbundle "b" { ca_path = "/nonesuch" }\nmode = "all"';
  await expect(config.validate({ trustDomain: 'example.org' }, wrong)).rejects.toMatchObject({
    problems: [
      'line 3: "mode" must be one of "certificate", "hash", "either", "both"',
      'line 1: bundle "a": line 1: "ca_pth" is not an option; did you mean "ca_path"?',
      'line 1: bundle "a": "ca_path" is required',
    ],
  });
});
