/** Files that people really have, given to each command that reads one: read, or named with what to do and exit code 2. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CertificateFileError, readCertificateFile } from '../../src/agent/endorsement/ek-certificate-file.ts';
import { readEkFile } from '../../src/enrolment/ek-file.ts';
import { NOW } from '../support/certificate-recipe.ts';
import { cli } from '../support/cli.ts';
import { describeCorpus } from '../support/corpus.ts';
import type { Execution } from '../support/execute.ts';
import { CERTIFICATE_FILES, KEY_FILES, OTHER_FILES, pkcs7, rsaChain } from '../support/field-files.ts';
import { pem } from '../support/pki.ts';

const folder: string = mkdtempSync(join(tmpdir(), 'field-files-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { leaf, intermediate, root } = rsaChain;
const AT = ['--at', NOW.toISOString()];
const spkiHash = readEkFile(leaf.der).spkiHash;
const slug = (name: string): string => name.replace(/\W+/g, '-');
const run = (...args: readonly string[]): Promise<Execution> => cli(args, { cwd: folder });

beforeAll(() => {
  for (const name of ['certificates', 'keys', 'others', 'mixed', 'empty']) mkdirSync(join(folder, name));
  const groups = { certificates: CERTIFICATE_FILES, keys: KEY_FILES, others: OTHER_FILES };
  for (const [group, files] of Object.entries(groups))
    for (const [name, [, contents]] of Object.entries(files)) writeFileSync(join(folder, group, slug(name)), contents);
  writeFileSync(join(folder, 'cas.pem'), pem(root.der, intermediate.der));
  writeFileSync(join(folder, 'cas.p7b'), pkcs7('DER', root.der, intermediate.der));
  writeFileSync(join(folder, 'cas.b64'), Buffer.from(root.der).toString('base64'));
  writeFileSync(join(folder, 'leaf.der'), leaf.der);
  writeFileSync(join(folder, 'mixed/a.pem'), `\ufeff${pem(root.der)}`);
  writeFileSync(join(folder, 'mixed/b.p7b'), pkcs7('PEM', intermediate.der));
  writeFileSync(join(folder, 'mixed/c.crt'), '<html><body>Not Found</body></html>');
  writeFileSync(join(folder, 'mixed/d.der'), intermediate.der);
});

describe('every file that holds a certificate', () => {
  test.each([
    ...['PEM in UTF-16 with a mark', 'base64 without armour', 'PKCS#7 in DER', 'Google’s answer in YAML'],
    ...['vSphere’s virtual TPM', 'Windows’ key information as JSON, flat'],
  ])('is judged by ek verify: %s', async (name) => {
    const { code, stdout, stderr } = await run(
      ...['ek', 'verify', `certificates/${slug(name)}`, '--ca-path', 'cas.pem', ...AT, '--json'],
    );
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toMatchObject({ verdict: 'trusted', pub_hash: spkiHash });
  });

  test.each(Object.keys(CERTIFICATE_FILES))('is taken by the agent and its commands: %s', async (name) => {
    const { certificates } = await readCertificateFile(join(folder, 'certificates', slug(name)));
    expect(Buffer.from(certificates[0] ?? [])).toEqual(Buffer.from(leaf.der));
  });

  test('is hashed and diagnosed, with those of bare keys', async () => {
    const hashes = await run('ek', 'hash', 'certificates', 'keys');
    const count = Object.keys({ ...CERTIFICATE_FILES }).length + Object.keys(KEY_FILES).length;
    expect([hashes.code, hashes.stdout]).toEqual([0, `${spkiHash}\n`.repeat(count)]);
    expect(hashes.stderr.match(/it has several endorsement keys/g)).toHaveLength(4);
    const doctor = await run('ek', 'doctor', 'certificates', 'keys', '--ca-path', 'cas.pem', ...AT, '--json');
    expect(JSON.parse(doctor.stdout).eks).toHaveLength(count);
  });
});

describe('every other file', () => {
  test('is named by ek verify, ek hash and ek doctor with exit code 2', async () => {
    for (const name of ['an error page', 'a platform certificate', 'what PowerShell prints', 'other JSON', 'a word']) {
      const args = ['ek', 'verify', `others/${slug(name)}`, '--ca-path', 'cas.pem'];
      const { code, stdout, stderr } = await run(...args);
      expect([code, stdout], `${name}: ${stderr}`).toEqual([2, '']);
      expect(stderr).toContain(OTHER_FILES[name]?.[0]);
    }
    const hashes = await run('ek', 'hash', 'others');
    expect([hashes.code, hashes.stdout]).toEqual([2, '']);
    for (const [name, [what]] of Object.entries(OTHER_FILES))
      expect(
        hashes.stderr.split('\n').find((line) => line.startsWith(join(folder, 'others', `${slug(name)}: `))),
        name,
      ).toContain(what);
    const { code, stdout } = await run('ek', 'doctor', 'others', '--json');
    expect(code).toBe(2);
    const findings = JSON.parse(stdout).findings.filter((one: { code: string }) => one.code === 'file.unreadable');
    expect(findings).toHaveLength(Object.keys(OTHER_FILES).length);
  });

  test('is named by ca inspect and ca import, and left out of --ca-path', async () => {
    const inspected = await run('ca', 'inspect', 'others', '--json');
    expect(inspected.code).toBe(2);
    const problems: readonly { file: string; message: string }[] = JSON.parse(inspected.stdout).problems;
    for (const [name, [what]] of Object.entries(OTHER_FILES))
      expect(
        problems.find(({ file }) => file.replace(/:\d+$/, '') === `others/${slug(name)}`)?.message,
        name,
      ).toContain(what);
    const { code, stderr } = await run('ek', 'verify', 'leaf.der', '--ca-path', 'others', ...AT);
    expect(code).toBe(2);
    expect(stderr.match(/--ca-path: others\/.* is left out: it is /g)).toHaveLength(problems.length);
    const page = await run('ca', 'import', 'others/an-error-page', '--to', 'new', '--json');
    expect([page.code, JSON.parse(page.stdout).unreadable]).toEqual([
      2,
      [{ source: 'others/an-error-page', message: expect.stringContaining('a web page') }],
    ]);
  });

  test('is named by the agent, where its option names one', async () => {
    for (const [name, [what]] of Object.entries(OTHER_FILES)) {
      const reading = readCertificateFile(join(folder, 'others', slug(name)));
      await expect(reading).rejects.toThrow(CertificateFileError);
      await expect(reading).rejects.toThrow(what);
    }
    const { code, stderr } = await run('ek', 'show', '--ek-certificate', 'others/an-error-page', '--tcti', 'swtpm:');
    expect([code, stderr]).toEqual([2, expect.stringContaining('a web page')]);
  });
});

describe('CA certificates', () => {
  test('in PKCS#7 are for ca import, which ca inspect and --ca-path say', async () => {
    const inspected = await run('ca', 'inspect', 'cas.p7b');
    expect(inspected.code).toBe(2);
    expect(inspected.stdout).toContain('PKCS#7 bundle (.p7b)');
    expect(inspected.stdout).toContain('Run "tpm-attestor ca import FILE --to FOLDER"');
    const verified = await run('ek', 'verify', 'leaf.der', '--ca-path', 'cas.p7b', ...AT);
    expect([verified.code, verified.stdout]).toEqual([2, '']);
    expect(verified.stderr).toContain('Run "tpm-attestor ca import FILE --to FOLDER"');
    expect((await run('ca', 'import', 'cas.p7b', 'cas.b64', '--to', 'imported', ...AT)).code).toBe(0);
    expect((await run('ek', 'verify', 'leaf.der', '--ca-path', 'imported', ...AT)).code).toBe(0);
  });

  test('that only stand between are read from every form', async () => {
    writeFileSync(join(folder, 'root.pem'), pem(root.der));
    for (const file of ['cas.p7b', 'mixed/b.p7b', 'mixed'])
      expect(
        (await run('ek', 'verify', 'leaf.der', '--ca-path', 'root.pem', '--intermediates', file, ...AT)).code,
        file,
      ).toBe(0);
  });

  test('in a folder of all kinds are each judged for itself', async () => {
    const { code, stdout } = await run('ca', 'inspect', 'mixed', ...AT, '--json');
    const { certificates, problems } = JSON.parse(stdout);
    expect([code, certificates.length]).toEqual([1, 2]);
    expect(problems.map(({ file, message }: { file: string; message: string }) => [file, message]).slice(0, 2)).toEqual(
      [
        ['mixed/b.p7b', 'it is a PKCS#7 bundle (.p7b)'],
        ['mixed/c.crt', expect.stringContaining('it is a web page')],
      ],
    );
    const judged = await run('ek', 'verify', 'leaf.der', '--ca-path', 'mixed', ...AT);
    expect([judged.code, judged.stdout.split('\n')[0]]).toEqual([0, 'trusted']);
    expect(judged.stderr.match(/is left out: it is a/g)).toHaveLength(2);
  });

  test.each([
    ['ca inspect empty', 'empty has no files; '],
    ['ca import empty --to new', 'empty has no files; name a file or a folder with CA certificates'],
    ['ek verify leaf.der --ca-path empty', 'empty has no files; '],
    ['ek hash empty', 'this folder has no files'],
    ['ek doctor empty', 'this folder has no files'],
  ])('are not in an empty folder, and %s says so', async (command, words) => {
    const { code, stderr } = await run(...command.split(' '));
    expect(code).toBe(2);
    expect(stderr).toContain(words);
  });
});

describeCorpus('files of the field', () => {
  const field = (name: string): string =>
    join(
      process.env['TPM_CORPUS_DIR'] ?? fileURLToPath(new URL('../../../shared/corpus', import.meta.url)),
      'field',
      name,
    );

  test.each(['b.p7b', 'bom.pem', 'gcloud.yaml', 'intel.json'])('06/%s is read by ek verify', async (name) => {
    const { code, stdout } = await run('ek', 'verify', field(`06/${name}`), '--ca-path', field('06/cas.pem'));
    expect([code, stdout.split('\n')[0]]).toEqual([0, 'trusted']);
  });

  test('15/bom.pem is read by ca inspect, and 15/x.p7b sent to ca import', async () => {
    expect((await run('ca', 'inspect', field('15/bom.pem'))).code).toBe(0);
    const { code, stdout } = await run('ca', 'inspect', field('15/x.p7b'));
    expect([code, stdout]).toEqual([2, expect.stringContaining('tpm-attestor ca import')]);
  });
});
