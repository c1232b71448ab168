import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuthorityInventory } from '../../src/cli/ca/authority-inventory.ts';
import { readTrustStore } from '../../src/policy/trust-files.ts';
import { certificateFolder } from '../support/certificate-corpus.ts';
import { commonName } from '../support/certificate-recipe.ts';
import { CLI, cli } from '../support/cli.ts';
import { describeCorpus } from '../support/corpus.ts';
import { keyPair, mintAuthority, mintEkChain, pem } from '../support/pki.ts';
import { until } from '../support/processes.ts';

const AT = ['--at', '2026-06-01T12:00:00Z'];
const { root, intermediate, leaf } = mintEkChain();
const expired = mintAuthority(
  'Old TPM CA',
  keyPair('p256', 'old'),
  { issuer: 'Old TPM CA', key: keyPair('p256', 'old') },
  { notAfter: new Date('2021-01-01T00:00:00Z') },
);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'inspect-'));
  for (const name of ['sound', 'mixed', 'useless', 'hopeless', 'empty']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'sound/root.der'), root.der);
  writeFileSync(join(folder, 'sound/bundle.pem'), pem(intermediate.der, root.der));
  mkdirSync(join(folder, 'sound/older'));
  writeFileSync(join(folder, 'sound/.hidden.pem'), 'junk');
  const broken = pem(root.der).replace(/\n[A-Za-z0-9+/]{4}/, '\nAAAA');
  writeFileSync(join(folder, 'mixed/two.pem'), `${pem(intermediate.der)}${broken}${pem(root.der)}`);
  writeFileSync(join(folder, 'useless/leaf.pem'), pem(leaf.der));
  writeFileSync(join(folder, 'useless/old.pem'), pem(expired.der));
  writeFileSync(join(folder, 'hopeless/notes.txt'), 'no certificate');
});
afterAll(() => rmSync(folder, { recursive: true }));

async function inspect(...args: readonly string[]): Promise<{ readonly code: number | null } & AuthorityInventory> {
  const { code, stdout, stderr } = await cli(['ca', 'inspect', ...args, ...AT, '--json'], { cwd: folder });
  expect(stderr).not.toMatch(/\n\s+at /);
  return { code, ...JSON.parse(stdout) };
}

test('lists what the server would read, and is content with remarks', async () => {
  const { code, certificates, problems, summary } = await inspect('sound');
  expect(code).toBe(0);
  const read = readTrustStore(join(folder, 'sound')).anchors.certificates.map(({ fingerprint }) => fingerprint);
  expect(certificates.map(({ fingerprint }) => fingerprint).sort()).toEqual([...read].sort());
  expect(certificates).toMatchObject([
    { subject: 'CN=Test TPM Intermediate CA', role: 'intermediate', files: ['sound/bundle.pem'] },
    { subject: 'CN=Test TPM Root CA', role: 'root', files: ['sound/bundle.pem', 'sound/root.der'] },
  ]);
  expect(problems.map(({ code: problem, severity, file }) => [problem, severity, file])).toEqual([
    ['folder_left_out', 'remark', 'sound/older'],
    ['issuer_present', 'remark', 'sound/bundle.pem'],
    ['same_file', 'remark', 'sound/bundle.pem'],
  ]);
  expect(summary).toEqual({
    certificates: 2,
    roots: 1,
    intermediates: 1,
    errors: 0,
    warnings: 0,
    remarks: 3,
    codes: { folder_left_out: 1, issuer_present: 1, same_file: 1 },
  });
});

test('a file by itself is read like a folder', async () => {
  expect(await inspect('sound/root.der')).toMatchObject({
    code: 0,
    certificates: [{ fingerprint: root.certificate.fingerprint }],
  });
});

test('names what cannot be read by file and line, and lists the others', async () => {
  const { code, certificates, problems } = await inspect('mixed');
  expect([code, certificates.length]).toEqual([1, 2]);
  const line = pem(intermediate.der).split('\n').length;
  expect(problems[0]).toMatchObject({
    code: 'unreadable',
    severity: 'error',
    file: `mixed/two.pem:${line}`,
    fingerprint: null,
    remedy: expect.stringContaining('server leaves it out'),
  });
});

test('ends with 1 where certificates are of no use, and not once the time is another', async () => {
  const { code, problems } = await inspect('useless');
  expect(code).toBe(1);
  expect(new Set(problems.filter(({ severity }) => severity === 'error').map(({ code: problem }) => problem))).toEqual(
    new Set(['not_a_ca', 'missing_key_cert_sign', 'expired']),
  );
  const before = await cli(['ca', 'inspect', 'useless/old.pem', '--at', '2020-06-01T00:00:00+02:00'], { cwd: folder });
  expect(before).toMatchObject({ code: 0, stdout: expect.stringContaining('0 errors, 0 warnings, 0 remarks') });
});

test('--problems shows only those with errors and warnings, and counts all', async () => {
  const { code, certificates, problems, summary } = await inspect('sound', 'useless', '--problems');
  expect(code).toBe(1);
  expect(certificates.map(({ subject }) => subject).sort()).toEqual(['(empty name)', 'CN=Old TPM CA']);
  expect(problems.every(({ severity }) => severity !== 'remark')).toBe(true);
  expect(summary).toMatchObject({ certificates: 4, remarks: 4 });
});

test('for people each certificate has its lines, its problems with a remedy, and the end counts them', async () => {
  const { stdout } = await cli(['ca', 'inspect', 'sound', 'useless', 'mixed', ...AT], { cwd: folder });
  expect(stdout).toMatch(
    /^subject {6}CN=Old TPM CA\n(?:.+\n)+?error {8}expired: "CN=Old TPM CA" expired at .*\n {13}Remove it/m,
  );
  expect(stdout).toContain(`cert sha256  ${root.certificate.fingerprint}\n`);
  expect(stdout).toMatch(/^4 certificates: 2 roots, 2 intermediates; 4 errors, /m);
  expect(stdout).toMatch(/^error {12}1 expired$/m);
});

test('a file that is too large refuses the whole ca_path, and is named', async () => {
  writeFileSync(join(folder, 'large.pem'), Buffer.alloc(16 * 1024 * 1024 + 1));
  const { code, problems } = await inspect('sound', 'large.pem');
  rmSync(join(folder, 'large.pem'));
  expect(code).toBe(1);
  expect(problems).toContainEqual(
    expect.objectContaining({
      code: 'file_unusable',
      file: 'large.pem',
      message: expect.stringContaining('larger than'),
    }),
  );
});

describe('ends with 2', () => {
  test.each([
    ['hopeless', 'nothing there can be read as a certificate; give CA certificates\n'],
    ['empty', '/.*/empty has no files; '],
  ])('where nothing can be read: %s', async (name, words) => {
    const { code, stdout, stderr } = await cli(['ca', 'inspect', name, '--json'], { cwd: folder });
    expect([code, stderr]).toEqual([2, expect.stringMatching(`^tpm-attestor: ${words}`)]);
    expect(JSON.parse(stdout)).toMatchObject({ certificates: [] });
  });

  test.each([
    ['nonesuch', 'nonesuch cannot be read: no such file or directory'],
    ['', 'It must not be empty.'],
    ['sound --at yesterday', 'Give a time such as 2027-01-31T00:00:00Z.'],
    ['sound --at 2026-02-30T00:00:00Z', 'Give a time such as'],
    ['sound --at 2026-02-28', 'Give a time such as'],
  ])('ca inspect %s', async (args, words) => {
    const { code, stdout, stderr } = await cli(['ca', 'inspect', ...args.split(' ')], { cwd: folder });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(words);
  });
});

test('a name that would move the cursor, or forge a line, does not', async () => {
  const name = 'evil\u001b[2J\nerror  expired';
  const evil = keyPair('p256', 'evil');
  const made = mintAuthority(
    'x',
    evil,
    { issuer: 'x', key: evil },
    { subject: commonName(name), issuer: commonName(name) },
  );
  writeFileSync(join(folder, 'evil.pem'), pem(made.der));
  const { code, stdout } = await cli(['ca', 'inspect', 'evil.pem', ...AT], { cwd: folder });
  expect(code).toBe(0);
  expect(stdout).not.toContain('\u001b');
  expect(stdout).not.toMatch(/^error/m);
});

/** Enough to be at work on for seconds. */
const MANY_BYTES = 15 * 1024 * 1024;

test.each([
  ['ca inspect', ['ca', 'inspect', 'many.pem']],
  ['ek verify', ['ek', 'verify', 'sound/root.der', '--ca-path', 'many.pem']],
])('%s ends at a signal while it is at work on what it was given', async (_, args) => {
  const one = pem(root.der);
  writeFileSync(join(folder, 'many.pem'), one.repeat(MANY_BYTES / one.length));
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, stdio: 'ignore' });
  const ended = once(child, 'exit');
  await until(() => {
    const [, read = '0'] = /^rchar: (\d+)$/m.exec(readFileSync(`/proc/${child.pid}/io`, 'utf8')) ?? [];
    return Number(read) > MANY_BYTES;
  });
  child.kill('SIGTERM');
  expect(await ended).toEqual([null, 'SIGTERM']);
});

describeCorpus('the bundles of real CAs', () => {
  const bundles = readdirSync(certificateFolder('ca')).filter((name) => name.endsWith('.pem'));
  // What each is expected to be blamed for, at the moment of AT.
  const expectedErrors: Readonly<Record<string, readonly string[]>> = {
    'infineon-intermediates.pem': ['expired'],
    'infineon-roots.pem': ['expired'],
    'microsoft-intermediates.pem': ['eku'],
  };

  test('are all listed, with no errors but those that are known', async () => {
    expect(bundles.length).toBeGreaterThan(20);
    const paths = bundles.map((name) => join(certificateFolder('ca'), name));
    const { code, certificates, problems } = await inspect(...paths);
    expect(code).toBe(1);
    for (const [i, path] of paths.entries()) {
      const blamed = problems.filter(({ severity, file }) => severity === 'error' && file.startsWith(path));
      expect(
        blamed.map((problem) => problem.code),
        path,
      ).toEqual(expectedErrors[bundles[i] ?? ''] ?? []);
      const listed = certificates.filter(({ files }) => files.includes(path));
      expect(listed.length, path).toBe(readTrustStore(path).anchors.certificates.length);
    }
  });
});
