/** One bad NV index, in the range of endorsement keys and in that of the chain: every command that looks at a TPM. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { Attestor } from '../../src/agent/attest.ts';
import { attestTo, policyFor, TRUST_DOMAIN } from '../support/agent-attestation.ts';
import { cli, demoCli } from '../support/cli.ts';
import { lockoutCounter, ODD_INDICES, type OddIndexKind, storeOddIndex } from '../support/odd-index.ts';
import { leftInTpm } from '../support/open-tpm.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';

const L1_CERTIFICATE = 0x01c00002;
const CHAIN = 0x01c00100;
const KINDS = Object.keys(ODD_INDICES) as OddIndexKind[];

const folder = mkdtempSync(join(tmpdir(), 'odd-index-'));
let tpm: SoftwareTpm;
afterEach(() => tpm.stop());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const commands = (): readonly (readonly string[])[] => [
  ['tpm', 'info'],
  ['ek', 'show'],
  ['ek', 'hash'],
  ['ek', 'doctor', '--policy', 'doctor.hcl'],
  ['tpm', 'quote', '--nonce', '00', '--trust-domain', 'example.org', '-o', 'who.json'],
];

describe.each(KINDS)('an index that is odd: %s', (kind) => {
  const { note } = ODD_INDICES[kind];

  test('every command goes on with the good key, names it, and counts nothing', { timeout: 120_000 }, async () => {
    tpm = await startSwtpm({ templates: ['H-3'] });
    const options = ['allow_software_tpm = true', 'ek_templates = ["L-1", "H-3"]'];
    writeFileSync(join(folder, 'doctor.hcl'), [`ca_path = "${tpm.caPath}"`, ...options].join('\n'));
    const good = await cli(['ek', 'hash', '--tcti', tpm.tcti]);
    await storeOddIndex(tpm, L1_CERTIFICATE, kind);
    await storeOddIndex(tpm, CHAIN, kind);
    const counter = await lockoutCounter(tpm);
    for (const command of commands()) {
      const { code, stdout, stderr } = await cli([...command, '--tcti', tpm.tcti], { cwd: folder });
      const told = stdout + stderr;
      expect([command, code], told).toEqual([command, 0]);
      // Which key a certificate is for, only who makes the key can say.
      if (command[1] !== 'info' || !kind.startsWith('a certificate')) {
        expect(told, command.join(' ')).toContain(`NV index 0x01c00002 `);
        expect(told, command.join(' ')).toContain(note);
      }
      // A certificate of anybody's may stand in a chain.
      if (!kind.startsWith('a certificate')) expect(told, command.join(' ')).toContain('NV index 0x01c00100 ');
      if (command[1] === 'hash') expect(stdout).toBe(good.stdout);
      expect([command, await lockoutCounter(tpm)]).toEqual([command, counter]);
    }
    const agent = new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => tpm.tcti });
    for (const warm of [false, true]) {
      const attested = await attestTo(agent, policyFor(tpm));
      expect(attested).toMatchObject({
        warm,
        endorsement: { template: { name: 'H-3' } },
        verdict: { verdict: 'trusted' },
      });
      expect(attested.endorsement.notes.join()).toContain(`NV index 0x01c00002 `);
    }
    expect([await lockoutCounter(tpm), await leftInTpm(tpm)]).toEqual([counter, []]);
  });
});

test('where no other key has a certificate, the hash of the key is had and admits it', {
  timeout: 300_000,
}, async () => {
  tpm = await startSwtpm({ templates: [] });
  const { stdout } = await cli(['ek', 'hash', '--tcti', tpm.tcti]);
  for (const kind of KINDS) {
    for (const index of [L1_CERTIFICATE, 0x01c00003, 0x01c00004, CHAIN]) await storeOddIndex(tpm, index, kind);
    const counter = await lockoutCounter(tpm);
    // In an index for a nonce or a template they are no better.
    const isNonce = ODD_INDICES[kind].note.startsWith('holds') && (ODD_INDICES[kind].contents?.length ?? 0) <= 256;
    const listed = policyFor(tpm, { mode: 'hash', bundles: [], isListed: () => true });
    const agent = new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => tpm.tcti });
    const attested = await attestTo(agent, listed);
    expect([kind, attested.endorsement.template.name, attested.verdict.verdict]).toEqual([kind, 'L-1', 'trusted']);
    expect(attested.endorsement.certificates).toEqual([]);
    const hashed = await cli(['ek', 'hash', '--tcti', tpm.tcti]);
    expect([kind, hashed.code]).toEqual([kind, 0]);
    if (!isNonce) expect(hashed.stdout).toBe(stdout);
    expect(await lockoutCounter(tpm)).toBe(counter);
    for (const index of [L1_CERTIFICATE, 0x01c00003, 0x01c00004, CHAIN])
      await tpm.tpm2('tpm2_nvundefine', [`0x${index.toString(16)}`, '-C', 'p']);
  }
});

test.each(['own password, which counts towards lockout', 'a PIN that counts its failures'] as const)(
  'the other commands that reach a TPM count nothing either: %s',
  { timeout: 120_000 },
  async (kind) => {
    tpm = await startSwtpm({ templates: ['H-3'] });
    const tcti = ['--tcti', tpm.tcti];
    const policy = `trust_domain = "example.org"\nca_path = "${tpm.caPath}"\nallow_software_tpm = true\nek_templates = ["H-3"]\n`;
    writeFileSync(join(folder, 'policy.hcl'), policy);
    for (const index of [L1_CERTIFICATE, 0x01c00003, 0x01c00004, 0x01c0000a, CHAIN])
      await storeOddIndex(tpm, index, kind);
    const certificate = ['x509', '-inform', 'DER', '-in', join(folder, 'ek.der'), '-out', join(folder, 'ek.pem')];
    await tpm.tpm2('tpm2_nvread', ['0x01c00016', '-C', 'o', '-o', join(folder, 'ek.der')]);
    execFileSync('openssl', certificate, { stdio: 'ignore' });
    const counter = await lockoutCounter(tpm);
    const who = ['tpm', 'quote', '--nonce', '00', '--trust-domain', 'example.org', '-o', 'who.json', ...tcti];
    const answer = [
      'tpm',
      'quote',
      '--evidence',
      'who.json',
      '--challenge',
      'question.json',
      '-o',
      'answer.json',
      ...tcti,
    ];
    for (const command of [
      who,
      ['challenge', 'who.json', '--policy', 'policy.hcl', '-o', 'question.json'],
      answer,
      ['ek', 'show', '--ek-certificate', 'ek.pem', ...tcti],
    ]) {
      const { code, stdout, stderr } = await cli(command, { cwd: folder });
      expect([command, code], stdout + stderr).toEqual([command, 0]);
      expect([command, await lockoutCounter(tpm)]).toEqual([command, counter]);
    }
    const { code, stdout, stderr } = await demoCli([...tcti, '--ca-path', tpm.caPath]);
    expect(code, stdout + stderr).toBe(0);
    expect(await lockoutCounter(tpm)).toBe(counter);
  },
);
