import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addFiles } from '../../src/cli/ca/ca-folder.ts';
import type { ImportReport } from '../../src/cli/ca/ca-import-report.ts';
import { readSources } from '../../src/cli/ca/ca-sources.ts';
import { readTrustStore } from '../../src/policy/trust-files.ts';
import { type CabinetFile, writeCabinet } from '../support/cabinet-writer.ts';
import { certificateFolder } from '../support/certificate-corpus.ts';
import { type CertificateRecipe, commonName } from '../support/certificate-recipe.ts';
import { CLI, cli } from '../support/cli.ts';
import { describeCorpus } from '../support/corpus.ts';
import { execute } from '../support/execute.ts';
import { keyPair, type Minted, mintAuthority, mintEkChain, pem } from '../support/pki.ts';
import { until } from '../support/processes.ts';

const AT = ['--at', '2026-06-01T12:00:00Z'];
const { root, intermediate, leaf } = mintEkChain();
const named = (name: string, recipe: CertificateRecipe = {}): Minted => {
  const key = keyPair('p256', name);
  return mintAuthority(
    'x',
    key,
    { issuer: 'x', key },
    { subject: commonName(name), issuer: commonName(name), ...recipe },
  );
};
const intel = named('www.intel.com');
const old = named('Old', { notAfter: new Date('2021-01-01T00:00:00Z') });
const web = named('Good Web Root G2');
const software = named('swtpm-localca');
const cloud = named('Global Virtual TPM CA - 01');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'import-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (name: string, contents: string | Uint8Array): void => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), contents);
};
const listed = (name = 'cas'): readonly string[] => readdirSync(join(folder, name)).sort();
const fileNameOf = ({ certificate }: Minted, manufacturer: string, role = 'root'): string =>
  `${manufacturer}-${role}-${certificate.fingerprint.slice(0, 16)}.pem`;

interface ImportOutcome extends ImportReport {
  readonly code: number | null;
  readonly stderr: string;
}
async function importing(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<ImportOutcome> {
  const { code, stdout, stderr } = await cli(['ca', 'import', ...args, '--to', 'cas', ...AT, '--json'], {
    cwd: folder,
    env,
  });
  expect(stderr).not.toMatch(/\n\s+at /);
  return { code, stderr, ...JSON.parse(stdout === '' ? '{}' : stdout) };
}

describe('files, bundles and folders', () => {
  test('become one PEM file for each CA, which OpenSSL and the server read, and are there the second time', async () => {
    put('root.der', root.der);
    put('sub/bundle.pem', pem(intermediate.der, root.der));
    put('sub/notes.txt', 'not a certificate');
    put('intel.pem', pem(intel.der));
    const p7b = ['crl2pkcs7', '-nocrl', '-certfile', join(folder, 'intel.pem'), '-outform', 'DER'];
    put('intel.p7b', execFileSync('openssl', p7b));
    rmSync(join(folder, 'intel.pem'));

    const { code, added, left_out, summary } = await importing(['root.der', 'sub', 'intel.p7b']);
    const names = [
      fileNameOf(intel, 'intel'),
      fileNameOf(root, 'unknown'),
      fileNameOf(intermediate, 'unknown', 'intermediate'),
    ].sort();
    expect([code, added.map(({ file }) => file), left_out]).toEqual([0, names, []]);
    expect(listed()).toEqual(names);
    expect(summary).toEqual({ added: 3, present: 0, left_out: 0, unreadable: 0, other_files: 1, codes: {} });
    for (const { file, fingerprint } of added) {
      const path = join(folder, 'cas', file);
      const { anchors, problems } = readTrustStore(path);
      expect([anchors.certificates.map((one) => one.fingerprint), problems]).toEqual([[fingerprint], []]);
      const said = execFileSync('openssl', ['x509', '-in', path, '-noout', '-fingerprint', '-sha256'], {
        encoding: 'utf8',
      });
      expect(said.replaceAll(':', '').trim().toLowerCase()).toMatch(new RegExp(`=${fingerprint}$`));
      expect(readFileSync(path, 'utf8')).toMatch(/^# subject {2}CN=.*\n# issuer {3}CN=.*\n# valid {4}2020-01-01T00/);
    }
    expect(await importing(['root.der', 'sub', 'intel.p7b'])).toMatchObject({
      code: 0,
      added: [],
      summary: { present: 3 },
    });
    expect(await cli(['ca', 'inspect', 'cas', ...AT], { cwd: folder })).toMatchObject({ code: 0 });
  });

  test('are known again by what they hold, not by the name of the file', async () => {
    put('cas/mine.pem', `# by hand\n${pem(root.der)}`);
    put('root.der', root.der);
    expect(await importing(['root.der'])).toMatchObject({ code: 0, added: [], summary: { present: 1 } });
    expect(listed()).toEqual(['mine.pem']);
  });

  test('leave out leaves, what has expired, software and clouds, each with its reason', async () => {
    put('all.pem', pem(leaf.der, old.der, software.der, cloud.der, intel.der));
    const { code, added, left_out } = await importing(['all.pem']);
    expect([code, added.map(({ subject }) => subject)]).toEqual([0, ['CN=www.intel.com']]);
    expect(left_out.map((one) => [one.code, one.fingerprint])).toEqual([
      ['not_a_ca', leaf.certificate.fingerprint],
      ['expired', old.certificate.fingerprint],
      ['software_authority', software.certificate.fingerprint],
      ['cloud_authority', cloud.certificate.fingerprint],
    ]);
    const text = await cli(['ca', 'import', 'all.pem', '--to', 'cas', ...AT], { cwd: folder });
    expect(text.stdout).toContain('left out    expired: "CN=Old" expired at 2021-01-01T00:00:00.000Z (all.pem)\n');
    expect(text.stdout).toContain('cas: 0 added, 1 there already, 4 left out, 0 unreadable; 0 other files\n');
  });

  test('of which all are left out are told with the option that takes each, and cost exit code 1', async () => {
    put('all.pem', pem(software.der, cloud.der, web.der));
    const run = (...more: string[]) => cli(['ca', 'import', 'all.pem', '--to', 'cas', ...AT, ...more], { cwd: folder });
    const { code, stdout } = await run();
    expect(code).toBe(1);
    expect(stdout).toMatch(/software_authority: .*; --allow-software takes it\n/);
    expect(stdout).toMatch(/cloud_authority: .*; --allow-cloud takes it\n/);
    expect(stdout).toMatch(/unknown_authority: .*; --allow-unknown takes it\n/);
    // The nearest neighbours: one that is added, and then one that is there.
    for (const sum of ['1 added, 0 there already', '0 added, 1 there already'])
      expect(await run('--allow-software')).toMatchObject({ code: 0, stdout: expect.stringContaining(sum) });
    expect((await cli(['ca', 'import', '--help'])).stdout).toContain('or all that was found is left out');
  });

  test.each([
    [['--allow-software'], [software]],
    [['--allow-cloud'], [cloud]],
    [
      ['--allow-software', '--allow-cloud'],
      [software, cloud],
    ],
  ])('take in what is allowed: %j', async (options, expected) => {
    put('all.pem', pem(leaf.der, software.der, cloud.der));
    const { added } = await importing(['all.pem', ...options]);
    expect(added.map(({ fingerprint }) => fingerprint).sort()).toEqual(
      expected.map(({ certificate }) => certificate.fingerprint).sort(),
    );
  });

  test('leave out CAs that tell nothing of TPMs, unless they are asked for; a CA above one that does is known', async () => {
    const above = named('Corporate Root');
    const below = mintAuthority('Corporate TPM CA', keyPair('p256', 'below'), {
      issuer: 'Corporate Root',
      key: keyPair('p256', 'Corporate Root'),
    });
    put('web/all.pem', pem(web.der, intel.der, above.der, below.der));
    const { code, added, left_out: leftOut } = await importing(['web']);
    expect([code, added.length]).toEqual([0, 3]);
    expect(leftOut.map(({ code: reason, fingerprint }) => [reason, fingerprint])).toEqual([
      ['unknown_authority', web.certificate.fingerprint],
    ]);
    expect(await importing(['web', '--allow-unknown'])).toMatchObject({
      code: 0,
      added: [{ subject: 'CN=Good Web Root G2' }],
    });
  });

  test('of the manufacturers that were named, by folder or by name', async () => {
    put('T/Acme Corp/RootCA/a.cer', root.der);
    put('T/Other/IntermediateCA/i.cer', intel.der);
    const acme = await importing(['T', '--manufacturer', 'acme corp', '--dry-run']);
    expect(acme.added.map(({ file }) => file)).toEqual([fileNameOf(root, 'acme-corp')]);
    expect(acme.left_out.map(({ code }) => code)).toEqual(['other_manufacturer']);
    const byName = await importing(['T', '--manufacturer', 'Intel', '--dry-run']);
    expect(byName.added.map(({ file }) => file)).toEqual([fileNameOf(intel, 'other')]);
    expect(await importing(['T', '--manufacturer', 'Intel', 'Nobody'])).toMatchObject({
      code: 2,
      stderr:
        'tpm-attestor: there is no certificate of a manufacturer "Nobody"; give one of: Acme Corp, Intel, Other\n',
    });
    expect(existsSync(join(folder, 'cas'))).toBe(false);
  });

  test('that cannot be read do not keep the others out, and cost exit code 1', async () => {
    put('T/broken.crt', 'junk');
    put('T/key.pem', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n');
    put('T/root.cer', root.der);
    const { code, added, unreadable } = await importing(['T']);
    expect([code, added.length]).toEqual([1, 1]);
    expect(unreadable.map(({ source }) => source)).toEqual(['T/broken.crt', 'T/key.pem']);
  });

  test('in text behind the one that the file begins with are not taken instead of it', async () => {
    const bundle = `\n-----BEGIN PKCS7-----\n${Buffer.from(intel.der).toString('base64')}\n-----END PKCS7-----\n`;
    put('T/a.cer', Buffer.concat([root.der, Buffer.from(`\n${pem(intel.der)}`)]));
    put('T/b.cer', Buffer.concat([root.der, Buffer.from(bundle)]));
    put('T/c.cer', `0\n${pem(intermediate.der)}`);
    const { code, added, unreadable } = await importing(['T']);
    expect([code, added.map(({ file }) => file)]).toEqual([1, [fileNameOf(intermediate, 'unknown', 'intermediate')]]);
    expect(unreadable).toEqual([
      { source: 'T/a.cer', message: expect.stringContaining('bytes too many') },
      { source: 'T/b.cer', message: expect.stringContaining('bytes too many') },
    ]);
  });

  test('whose name holds a line of PEM are read all the same', async () => {
    const odd = named('TPM\n-----BEGIN CERTIFICATE-----\n');
    put('odd.cer', odd.der);
    expect(await importing(['odd.cer'])).toMatchObject({ code: 0, added: [{ file: fileNameOf(odd, 'unknown') }] });
  });

  test('behind a link to a folder, or hidden, are not looked for', async () => {
    put('T/root.cer', root.der);
    put('T/.hidden/intel.cer', intel.der);
    symlinkSync('.', join(folder, 'T/loop'));
    symlinkSync('root.cer', join(folder, 'T/link.cer'));
    expect(await importing(['T'])).toMatchObject({ code: 0, summary: { added: 1, unreadable: 0 } });
  });

  test('beside a link that leads to itself are read, and the link is told', async () => {
    put('T/root.cer', root.der);
    symlinkSync('ring', join(folder, 'T/ring'));
    const { code, added, unreadable } = await importing(['T']);
    expect([code, added.length]).toEqual([1, 1]);
    expect(unreadable).toEqual([{ source: 'T/ring', message: 'too many symbolic links encountered' }]);
  });
});

describe('writes nothing', () => {
  test('in a dry run, and says what it would', async () => {
    put('root.der', root.der);
    expect(await importing(['root.der', '--dry-run'])).toMatchObject({ code: 0, dry_run: true, summary: { added: 1 } });
    expect(existsSync(join(folder, 'cas'))).toBe(false);
  });

  test.each([
    ['nothing can be read', ['junk.pem'], 'nothing there can be read as a certificate; give CA certificates'],
    ['a source is not there', ['root.der', 'nonesuch'], 'nonesuch cannot be read: no such file or directory'],
    ['a folder is too deep', ['root.der', 'deep'], 'more than 8 folders deep'],
  ])('where %s', async (_, sources, words) => {
    put('root.der', root.der);
    put('junk.pem', 'junk');
    put(`deep/${'d/'.repeat(9)}root.der`, root.der);
    const { code, stderr } = await importing(sources);
    expect([code, existsSync(join(folder, 'cas'))]).toEqual([2, false]);
    expect(stderr).toContain(words);
  });

  test('where the folder is a file', async () => {
    put('root.der', root.der);
    put('cas', 'kept');
    expect(await importing(['root.der'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is not a folder'),
    });
    expect(readFileSync(join(folder, 'cas'), 'utf8')).toBe('kept');
  });

  test('over a file of that name, and adds the others', async () => {
    put('all.pem', pem(root.der, intel.der));
    const mine = fileNameOf(root, 'unknown');
    put(`cas/${mine}`, 'kept');
    const { code, added, left_out } = await importing(['all.pem']);
    expect([code, added.map(({ file }) => file), left_out.map((one) => one.code)]).toEqual([
      1,
      [fileNameOf(intel, 'intel')],
      ['name_taken'],
    ]);
    expect(readFileSync(join(folder, 'cas', mine), 'utf8')).toBe('kept');
  });

  test('beside a link that leads nowhere, for which the server would refuse the folder, and names it', async () => {
    put('root.der', root.der);
    mkdirSync(join(folder, 'cas'));
    symlinkSync('nowhere', join(folder, 'cas/link.pem'));
    const sentence = `tpm-attestor: ${join(folder, 'cas/link.pem')} cannot be read: no such file or directory\n`;
    expect(await importing(['root.der'])).toMatchObject({ code: 2, stderr: sentence });
    expect(listed()).toEqual(['link.pem']);
  });

  test('more, and leaves nothing unfinished, when a name is taken meanwhile', async () => {
    put('cas/b.pem', 'kept');
    const files = ['a.pem', 'b.pem', 'c.pem'].map((name) => ({ name, text: 'new' }));
    await expect(addFiles(join(folder, 'cas'), files)).rejects.toThrow('b.pem was made by somebody else meanwhile');
    expect([listed(), readFileSync(join(folder, 'cas/b.pem'), 'utf8')]).toEqual([['a.pem', 'b.pem'], 'kept']);
  });
});

test('a signal is not kept waiting by many files, and finds all of them in place or none', async () => {
  const names = Array.from({ length: 20 }, (_, i) => `${i}.pem`);
  for (const name of names) put(`T/${name}`, root.der);
  put('cas/first.pem', 'kept');
  const seen: number[] = [];
  // Where this gets its turn a signal does, too.
  const look = (): void => {
    seen.push(listed().length);
    next = setImmediate(look);
  };
  let next = setImmediate(look);
  try {
    expect((await readSources([join(folder, 'T')])).certificates).toHaveLength(20);
    expect(seen.length).toBeGreaterThanOrEqual(19);
    await addFiles(
      join(folder, 'cas'),
      names.map((name) => ({ name, text: 'new' })),
    );
  } finally {
    clearImmediate(next);
  }
  expect(seen.length).toBeGreaterThanOrEqual(38);
  // With the hidden folder in which they are made.
  expect(seen.filter((files) => ![1, 2, 21, 22].includes(files))).toEqual([]);
});

test('what is written can be read by the server’s user, whatever the umask', async () => {
  put('root.der', root.der);
  const script = 'umask 077 && exec "$@"';
  const args = ['-c', script, 'sh', process.execPath, CLI, 'ca', 'import', 'root.der', '--to', 'cas', ...AT];
  expect(await execute('sh', args, { cwd: folder, env: process.env })).toMatchObject({ code: 0 });
  expect(statSync(join(folder, 'cas', fileNameOf(root, 'unknown'))).mode & 0o777).toBe(0o644);
});

test('a name in a certificate cannot begin a block of its own, for us or for OpenSSL', async () => {
  // OpenSSL reads a longer line in pieces of 254 bytes; with each ü escaped one would begin there.
  const evil = named(`${'ü'.repeat(36)}TPM -----BEGIN CERTIFICATE-----`);
  put('evil.pem', pem(evil.der));
  const { added } = await importing(['evil.pem']);
  const path = join(folder, 'cas', added[0]?.file ?? '');
  expect(readTrustStore(path)).toMatchObject({
    problems: [],
    anchors: { certificates: [{ fingerprint: evil.certificate.fingerprint }] },
  });
  const verified = await execute('openssl', ['verify', '-no_check_time', '-CAfile', path, path]);
  expect(verified).toMatchObject({ code: 0, stdout: `${path}: OK\n` });
  expect(readFileSync(path, 'latin1')).toMatch(/^[\n\x20-\x7e]*$/);
});

const cabextract = await execute('cabextract', ['--version']).catch(() => ({ code: 127 }));
const gcab = await execute('gcab', ['--version']).catch(() => ({ code: 127 }));

describe.skipIf(cabextract.code !== 0)('a cabinet (skipped where cabextract is not installed)', () => {
  const like: readonly CabinetFile[] = [
    { name: 'AMD\\RootCA\\amd.crt', contents: root.der },
    { name: 'Infineon\\IntermediateCA\\ifx.cer', contents: Buffer.from(pem(intermediate.der)) },
    { name: 'setup.ps1', contents: Buffer.alloc(50_000, '# nothing\n') },
    { name: 'Intel\\RootCA\\intel.cer', contents: intel.der },
    { name: 'version.txt', contents: Buffer.from('1.0') },
  ];
  const names = [
    fileNameOf(root, 'amd'),
    fileNameOf(intermediate, 'infineon', 'intermediate'),
    fileNameOf(intel, 'intel'),
  ];

  test.each(['none', 'mszip'] as const)(
    'is unpacked, its folders the manufacturers’ names: %s',
    async (compression) => {
      put('T.cab', writeCabinet(like, { compression }));
      const { code, added, summary } = await importing(['T.cab']);
      expect([code, added.map(({ file, manufacturer, source }) => [file, manufacturer, source])]).toEqual([
        0,
        [
          [names[0], 'AMD', 'T.cab:AMD/RootCA/amd.crt'],
          [names[1], 'Infineon', 'T.cab:Infineon/IntermediateCA/ifx.cer'],
          [names[2], 'Intel', 'T.cab:Intel/RootCA/intel.cer'],
        ],
      ]);
      expect(summary.other_files).toBe(2);
      expect(listed()).toEqual(names);
    },
  );

  test.skipIf(gcab.code !== 0)('that gcab made is unpacked, too (skipped where gcab is not installed)', async () => {
    for (const { name, contents } of like) put(`in/${name.replaceAll('\\', '/')}`, contents);
    const files = like.map(({ name }) => name.replaceAll('\\', '/'));
    execFileSync('gcab', ['-c', '-z', join(folder, 'T.cab'), ...files], { cwd: join(folder, 'in') });
    expect(await importing(['T.cab'])).toMatchObject({ code: 0, summary: { added: 3 } });
    expect(listed()).toEqual(names);
  });

  test('with names that lead elsewhere writes into the folder alone', async () => {
    const evil = [
      '..\\..\\up.pem',
      '/tmp/absolute.cer',
      '\\\\host\\RootCA\\unc.cer',
      '..\\RootCA\\x.cer',
      '\u001b[2J\n.cer',
    ];
    put('T.cab', writeCabinet(evil.map((name, i) => ({ name, contents: named(`TPM CA ${i}`).der }))));
    const { code, added } = await importing(['T.cab']);
    expect([code, added.length]).toEqual([0, 5]);
    expect(readdirSync(folder).sort()).toEqual(['T.cab', 'cas']);
    for (const name of listed()) expect(name).toMatch(/^(unknown|host)-root-[0-9a-f]{16}\.pem$/);
    expect(existsSync('/tmp/absolute.cer') || existsSync(join(folder, '../../up.pem'))).toBe(false);
    const { stdout } = await cli(['ca', 'import', 'T.cab', '--to', 'other'], { cwd: folder });
    expect(stdout).not.toContain('\u001b');
  });

  test('that is damaged, lies of its size or hides another is refused whole, and the other sources are read', async () => {
    const sound = writeCabinet(like, { compression: 'none' });
    const bad = Uint8Array.from(sound);
    bad.fill(0xff, 44, 52);
    const lies = like.map((file, i) => (i === 2 ? { ...file, claimedBytes: 60_000_000 } : file));
    put('damaged.cab', bad);
    put('short.cab', sound.subarray(0, -100));
    put('lies.cab', writeCabinet(lies));
    put('two.cab', Buffer.concat([sound, writeCabinet(like)]));
    put('nested.cab', writeCabinet([{ name: 'inner.cab', contents: sound }]));
    put('intel.cer', intel.der);
    const sources = ['damaged.cab', 'short.cab', 'lies.cab', 'two.cab', 'nested.cab'];
    const { code, added, unreadable } = await importing([...sources, 'intel.cer']);
    expect([code, added.map(({ file }) => file)]).toEqual([1, [names[2]]]);
    expect(unreadable.map(({ source }) => source.split(':')[0])).toEqual(sources);
    expect(unreadable[3]?.message).toBe('it holds more than its list of files says');
    expect(unreadable[4]).toEqual({ source: 'nested.cab:inner.cab', message: 'a cabinet in a cabinet' });
  });
});

describe('cabextract', () => {
  const stand = (script: string): NodeJS.ProcessEnv => {
    put('bin/cabextract', `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, 'bin/cabextract'), 0o755);
    return { PATH: `${join(folder, 'bin')}:/usr/bin:/bin`, TMPDIR: join(folder, 'tmp') };
  };
  beforeEach(() => {
    mkdirSync(join(folder, 'tmp'));
    put('-T.cab', writeCabinet([{ name: 'a.cer', contents: root.der }]));
    put('intel.cer', intel.der);
  });

  test('that is not installed is named with its package, and nothing is written', async () => {
    const { code, stderr } = await importing(['intel.cer', './-T.cab'], { PATH: join(folder, 'nowhere') });
    expect([code, stderr]).toEqual([
      2,
      'tpm-attestor: a cabinet needs cabextract, which is not installed; run apt-get install cabextract\n',
    ]);
    expect(existsSync(join(folder, 'cas'))).toBe(false);
  });

  test('is given options of ours and a path of ours, no name of the caller’s or the cabinet’s', async () => {
    await importing(['./-T.cab'], stand(`printf '%s\\n' "$@" >"${join(folder, 'arguments')}"; exit 1`));
    const said = readFileSync(join(folder, 'arguments'), 'utf8').replace(/cabinet-\w+/, 'cabinet-X');
    expect(said.split('\n')).toEqual([
      '--quiet',
      '--single',
      '--pipe',
      expect.stringMatching(/\/cabinet-X\/source\.cab$/),
      '',
    ]);
    expect(listed('tmp')).toEqual([]);
  });

  test('that never stops writing is ended at the size that the list gives', async () => {
    const { code, unreadable } = await importing(['intel.cer', './-T.cab'], stand('exec yes'));
    expect([code, unreadable]).toEqual([
      1,
      [{ source: './-T.cab', message: 'it holds more than its list of files says' }],
    ]);
  });

  test('and the command end together at a signal, and leave nothing', async () => {
    const pidFile = join(folder, 'pid');
    const env = {
      ...process.env,
      ...stand(`echo $$ >"${pidFile}.new"; mv "${pidFile}.new" "${pidFile}"; exec sleep 600`),
    };
    const args = [CLI, 'ca', 'import', 'intel.cer', './-T.cab', '--to', 'cas'];
    const child = spawn(process.execPath, args, { cwd: folder, env, stdio: 'ignore' });
    const ended = once(child, 'exit');
    await until(() => existsSync(pidFile));
    const pid = Number(readFileSync(pidFile, 'utf8'));
    expect(listed('tmp')).toHaveLength(1);
    child.kill('SIGTERM');
    expect(await ended).toEqual([143, null]);
    await until(() => !existsSync(`/proc/${pid}/exe`));
    expect([listed('tmp'), existsSync(join(folder, 'cas'))]).toEqual([[], false]);
  });
});

describeCorpus('the collection of real CAs', () => {
  test('is imported whole but for what is expired, software, a cloud’s, or for attestation keys', async () => {
    const bundles = readdirSync(certificateFolder('ca')).filter((name) => name.endsWith('.pem'));
    const { code, summary } = await importing(bundles.map((name) => join(certificateFolder('ca'), name)));
    expect(summary.codes).toMatchObject({ expired: 2, cloud_authority: 7, software_authority: 4 });
    expect([code, summary.unreadable]).toEqual([0, 0]);
    expect(summary.added).toBeGreaterThan(280);
    const { problems } = JSON.parse((await cli(['ca', 'inspect', 'cas', ...AT, '--json'], { cwd: folder })).stdout);
    const errors = problems.filter(({ severity }: { readonly severity: string }) => severity === 'error');
    expect(errors).toEqual([]);
  });
});
