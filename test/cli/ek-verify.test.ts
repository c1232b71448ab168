/** `tpm-attestor ek verify` as it ships: its verdicts, its two forms of answer, and how it ends. */
import { createPublicKey, hash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EkReport } from '../../src/enrolment/ek-report.ts';
import { type Certificate, parseCertificate } from '../../src/x509/certificate.ts';
import { takeCertificate } from '../../src/x509/intake.ts';
import {
  authorities,
  authorityFiles,
  certificateFile,
  certificateFolder,
  type LeafRow,
  leafRows,
} from '../support/certificate-corpus.ts';
import { commonName, DEFAULT_VALIDITY, NOW, tpmName } from '../support/certificate-recipe.ts';
import { type CliOptions, cli } from '../support/cli.ts';
import { describeCorpus } from '../support/corpus.ts';
import { crlPem, mintCrl } from '../support/crl-recipe.ts';
import { boolean, sequence } from '../support/der-writer.ts';
import { type Execution, execute } from '../support/execute.ts';
import { mintEkChain, pem } from '../support/pki.ts';

let folder: string;
const path = (name: string): string => join(folder, name);
const write = (name: string, contents: string | Uint8Array): string => {
  writeFileSync(path(name), contents);
  return path(name);
};
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ek-verify-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const AT = NOW.toISOString();
const verify = (args: readonly string[], options: CliOptions = {}): Promise<Execution> =>
  cli(['ek', 'verify', ...args], { cwd: folder, ...options });

/** What it says to programs; its exit code must say the same. */
async function judge(...args: readonly string[]): Promise<EkReport> {
  const { code, stdout, stderr } = await verify([...args, '--json']);
  expect(stderr, args.join(' ')).not.toMatch(/^tpm-attestor: /m);
  const report: EkReport = JSON.parse(stdout);
  expect(code).toBe(report.verdict === 'trusted' ? 0 : 1);
  expect(report.findings.length === 0).toBe(report.verdict === 'trusted');
  return report;
}
const codes = ({ findings }: EkReport): readonly string[] => findings.map(({ code }) => code);

describeCorpus('certificates of the field', () => {
  const pool = new Map(
    (['root', 'intermediate'] as const)
      .flatMap((role) => authorities(role).anchors.certificates)
      .map((one) => [one.fingerprint, one]),
  );
  const authority = (fingerprint: string): string => {
    const { subject, subjectPublicKeyInfo } = pool.get(fingerprint) as Certificate;
    return subject.canonical + hash('sha256', subjectPublicKeyInfo.der, 'hex');
  };
  const at = ({ expected, notBefore }: LeafRow): string => expected.validTogether?.[0] ?? notBefore;
  /** What the row takes to be an endorsement certificate, by name. */
  const allowances = ({ tpm, tpmFamily, expected }: LeafRow): readonly string[] => [
    ...(['id:00001014', 'id:54434700'].includes(tpm?.tpmManufacturer ?? '') ? ['software-tpm'] : []),
    ...(tpmFamily === '1.2' ? ['allow_tpm12', 'sha1'] : []),
    ...(expected.isEkUnderProfile === undefined ? [] : ['gce-profile']),
  ];
  const judgeRow = (row: LeafRow, allow: readonly string[]): Promise<EkReport> =>
    judge(
      ...[certificateFolder(row.file), '--ca-path', path('roots'), '--intermediates', path('intermediates')],
      ...['--at', at(row), ...(allow.length === 0 ? [] : ['--allow', ...allow])],
    );

  beforeAll(() => {
    for (const role of ['root', 'intermediate'] as const) {
      mkdirSync(path(`${role}s`));
      for (const file of authorityFiles(role)) copyFileSync(certificateFolder(`ca/${file}`), path(`${role}s/${file}`));
    }
  });

  test.each(leafRows)('$file has the verdict, the chain and the words that its manifest expects', async (row) => {
    const { expected, tpm } = row;
    const report = await judgeRow(row, allowances(row));
    const isEk = expected.isEkUnderProfile ?? expected.isEk;
    expect(report.verdict).toBe(isEk && expected.verifies ? 'trusted' : 'untrusted');
    expect(report.chain[0]).toBe(row.certificateSha256);
    // Of a certificate that is none for an endorsement key, up to the CA that may not issue such.
    const chain = report.chain.slice(1).map(authority);
    const whole = expected.chain?.map(authority) ?? [];
    expect(chain).toEqual(report.verdict === 'trusted' ? whole : whole.slice(0, chain.length));
    expect(report.missing_issuer === null).toBe(expected.verifies);
    expect(report.oddities).toEqual(row.oddities);
    if (tpm !== null)
      expect([report.manufacturer, report.model, report.firmware].map((text) => text?.toLowerCase())).toEqual(
        [tpm.tpmManufacturer, tpm.tpmModel, tpm.tpmVersion].map((text) => text.toLowerCase()),
      );
    const leaf = parseCertificate(takeCertificate(certificateFile(row.file)).der);
    expect([report.not_before, report.not_after]).toEqual([leaf.notBefore, leaf.notAfter].map((time) => time.toJSON()));
    // As of a plain RSA key, which a certificate for RSAES-OAEP or RSASSA-PSS does not hold in that form.
    if (row.tpmFamily === '1.2') expect(report.pub_hash).toBe(plainHash(leaf));
    else if (!row.file.includes('-pss-')) expect(report.pub_hash).toBe(row.spkiSha256);
  });

  test.each(leafRows.filter((row) => allowances(row).length > 0))(
    '$file is distrusted where nothing is overlooked',
    async (row) => {
      const { expected, tpmFamily } = row;
      const report = await judgeRow(row, []);
      expect(report.verdict).toBe('untrusted');
      const code =
        tpmFamily === '1.2'
          ? 'ek.tpm_family'
          : expected.isEkUnderProfile === undefined
            ? 'ek.software_tpm'
            : 'ek.gce_profile';
      expect(codes(report)).toContain(code);
    },
  );

  test('a missing issuer is named with its key and where it is to be had', async () => {
    const [row] = leafRows.filter(({ file }) => file.includes('infineon-slb9670-rsa2048'));
    if (row === undefined) throw new Error('the corpus has no such leaf');
    const leaf = certificateFolder(row.file);
    const report = await judge(leaf, '--ca-path', path('roots'), '--at', at(row));
    expect(codes(report)).toEqual(['ek.unknown_issuer']);
    expect(report.chain).toEqual([row.certificateSha256]);
    expect(report.missing_issuer).toMatchObject({
      name: expect.stringContaining('Infineon OPTIGA(TM)'),
      key_id: expect.stringMatching(/^[0-9a-f]{40}$/),
      aia: [expect.stringMatching(/^http:\/\/pki\.infineon\.com\/.+\.crt$/)],
    });
    const { stdout } = await verify([leaf, '--ca-path', path('roots'), '--at', at(row)]);
    const missing = report.missing_issuer;
    for (const text of [missing?.name, missing?.key_id, missing?.aia[0]]) expect(stdout).toContain(text);
  });
});

/** By OpenSSL's encoding of the numbers of the key. */
function plainHash({ publicKey }: Certificate): string {
  const jwk = publicKey?.export({ format: 'jwk' }) ?? {};
  return hash('sha256', createPublicKey({ key: jwk, format: 'jwk' }).export({ format: 'der', type: 'spki' }), 'hex');
}

describe('a minted certificate', () => {
  const chain = mintEkChain();
  const crlOf = (revoked: readonly Uint8Array[]): Uint8Array =>
    mintCrl({
      issuer: commonName('Test TPM Intermediate CA'),
      signer: chain.intermediateKey.privateKey,
      revoked: revoked.map((serial) => ({ serial })),
    });
  const rootCrl = mintCrl({ issuer: commonName('Test TPM Root CA'), signer: chain.rootKey.privateKey });
  beforeAll(() => {
    write('leaf.der', chain.leaf.der);
    write('leaf.pem', pem(chain.leaf.der));
    write('chain.pem', `made by hand\n${pem(chain.leaf.der, chain.intermediate.der)}`);
    write('root.pem', pem(chain.root.der));
    write('intermediate.der', chain.intermediate.der);
    write('other-root.pem', pem(mintEkChain({ root: { subject: commonName('Another') } }).root.der));
    write('none.crl', crlPem(crlOf([])));
    write('revoked.crl', crlOf([Uint8Array.of(0x01, 0x23)]));
    write('root.crl', crlPem(rootCrl));
  });
  const sound = ['chain.pem', '--ca-path', 'root.pem', '--at', AT];

  test.each([
    ['in PEM with its chain behind it', 'chain.pem', []],
    ['in DER, its chain in a file', 'leaf.der', ['--intermediates', 'intermediate.der']],
    [
      'in PEM, its chain in one of several files',
      'leaf.pem',
      ['--intermediates', 'root.pem', '--intermediates', 'intermediate.der'],
    ],
  ] as const)('%s is trusted', async (_, file, more) => {
    const report = await judge(file, '--ca-path', 'root.pem', '--at', AT, ...more);
    expect(report).toMatchObject({
      verdict: 'trusted',
      findings: [],
      manufacturer: 'id:49465800',
      manufacturer_name: 'Infineon',
      model: 'SLB 9670',
      firmware: 'id:073f',
      key: { algorithm: 'ecc-p-256', bits: 256 },
      serial: '0123',
      bundle: 'ca_path',
      chain: [chain.leaf, chain.intermediate, chain.root].map(({ certificate }) => certificate.fingerprint),
      missing_issuer: null,
    });
  });

  test('comes from standard input as well, in either form', async () => {
    const options = ['--ca-path', 'root.pem', '--ca-path', 'intermediate.der', '--at', AT];
    const { code, stdout } = await verify(['-', ...options], { input: pem(chain.leaf.der) });
    expect([code, stdout.split('\n')[0]]).toEqual([0, 'trusted']);
    expect(await verify(['-', ...options], { input: '' })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('standard input holds no endorsement certificate: it is an empty file'),
    });
  });

  test('needs each of several --ca-path that its path leads to, and one is enough', async () => {
    expect(await judge(...sound, '--ca-path', 'other-root.pem')).toMatchObject({ verdict: 'trusted' });
    const [, ...others] = sound;
    expect(await judge('chain.pem', ...others.with(1, 'other-root.pem'))).toMatchObject({ verdict: 'untrusted' });
  });

  test('is told to people in the same words, remedies included', async () => {
    const { code, stdout } = await verify(sound);
    expect(code).toBe(0);
    expect(stdout.split('\n').slice(0, 4)).toEqual([
      'trusted',
      'manufacturer Infineon (id:49465800)',
      'model        SLB 9670',
      'firmware     id:073f',
    ]);
    for (const { certificate } of [chain.leaf, chain.intermediate, chain.root])
      expect(stdout).toContain(certificate.fingerprint);

    const refused = await verify(['leaf.der', '--ca-path', 'root.pem', '--at', AT]);
    expect(refused.code).toBe(1);
    expect(refused.stdout).toMatch(
      /^untrusted\n {2}ek\.unknown_issuer: no CA certificate "CN=Test TPM Intermediate CA" .*\n {4}If this TPM is yours/,
    );
    expect(refused.stdout).toMatch(/^missing CA {3}CN=Test TPM Intermediate CA$/m);
  });

  test.each([
    [DEFAULT_VALIDITY.notBefore, 0, undefined],
    [DEFAULT_VALIDITY.notBefore, -1000, 'ek.not_yet_valid'],
    [DEFAULT_VALIDITY.notAfter, 0, undefined],
    [DEFAULT_VALIDITY.notAfter, 1000, 'ek.expired'],
  ] as const)('is judged as of --at: %s and %i ms', async (date, ms, code) => {
    const report = await judge(...sound.with(-1, new Date(date.getTime() + ms).toISOString()));
    expect(new Set(codes(report))).toEqual(new Set(code === undefined ? [] : [code]));
  });

  test('is judged as of now without --at, and --at may be in another zone', async () => {
    const ended = mintEkChain({ leaf: { notAfter: new Date('2024-01-01T00:00:00Z') } });
    write('ended.pem', pem(ended.leaf.der, ended.intermediate.der));
    expect(codes(await judge('ended.pem', '--ca-path', 'root.pem'))).toEqual(['ek.expired']);
    const inZone = (time: string) => judge('ended.pem', '--ca-path', 'root.pem', '--at', time);
    expect(await inZone('2024-01-01t02:00:00+02:00')).toMatchObject({ verdict: 'trusted' });
    expect(await inZone('2024-01-01T02:00:00.5+02:00')).toMatchObject({ verdict: 'untrusted' });
  });

  const weak = mintEkChain({
    keyAlgorithm: 'rsa2048',
    leaf: {
      hash: 'sha1',
      notAfter: new Date('2024-01-01T00:00:00Z'),
      san: { manufacturer: 'id:00001014' },
      family: '1.2',
    },
  });
  const early = mintEkChain({ leaf: { notBefore: new Date('2030-01-01T00:00:00Z') } });
  const weakRows = [
    ['expired_ek', 'ek.expired'],
    ['software_tpm', 'ek.software_tpm'],
    ['sha1_signatures', 'ek.weak_signature'],
    ['tpm12', 'ek.tpm_family'],
  ] as const;
  const everything = weakRows.map(([name]) => name);

  test('has each of its faults overlooked by its own name, and told in a note', async () => {
    write('weak.pem', pem(weak.leaf.der, weak.intermediate.der));
    write('weak-root.pem', pem(weak.root.der));
    const allowing = (...names: readonly string[]) =>
      judge('weak.pem', '--ca-path', 'weak-root.pem', '--at', AT, ...(names.length > 0 ? ['--allow', ...names] : []));
    const report = await allowing(...everything);
    expect(report).toMatchObject({ verdict: 'trusted', notes: { length: 4 } });
    for (const [name] of weakRows)
      expect(report.notes.filter((note) => note.startsWith(`allow_${name}:`))).toHaveLength(1);
    for (const [name, code] of weakRows)
      expect(codes(await allowing(...everything.filter((other) => other !== name)))).toEqual([code]);
  });

  test('has an allowance by any spelling, and by none that is no name', async () => {
    write('early.pem', pem(early.leaf.der, early.intermediate.der));
    const allowing = (...words: readonly string[]) =>
      verify(['early.pem', '--ca-path', 'root.pem', '--at', AT, ...words]);
    const spellings = [
      'not_yet_valid',
      'not-yet-valid',
      'allow_not_yet_valid',
      'allow-not-yet-valid',
      'ALLOW_Not-Yet_Valid',
    ];
    for (const name of spellings) expect((await allowing('--allow', name)).code, name).toBe(0);
    expect((await allowing('--allow', 'tpm12', '--allow', 'not-yet-valid')).code).toBe(0);
    expect((await allowing('--allow', 'tpm12')).code).toBe(1);
    for (const name of ['not_yet', 'allow_', '', 'constructor', 'signatures', 'everything']) {
      const { code, stdout, stderr } = await allowing('--allow', name);
      expect([code, stdout], name).toEqual([2, '']);
      expect(stderr).toContain(
        'Give one of software_tpm, expired_ek, not_yet_valid, sha1_signatures, tpm12, gce_profile. Put FILE before --allow.',
      );
    }
  });

  test('is trusted with lists where they tell that nothing was revoked, and where they say nothing only with warn', async () => {
    const withLists = (...words: readonly string[]) => judge(...sound, ...words);
    const lists = ['--crl-path', 'none.crl', '--crl-path', 'root.crl'];
    expect(await withLists(...lists)).toMatchObject({ verdict: 'trusted', notes: [] });
    const open = await withLists('--crl-path', 'none.crl');
    expect(codes(open)).toEqual(['ek.revocation_unknown']);
    const warned = await withLists('--crl-path', 'none.crl', '--crl-policy', 'warn');
    expect(warned).toMatchObject({ verdict: 'trusted', notes: [expect.stringContaining('is not known')] });
    for (const policy of ['fail-closed', 'warn'])
      expect(
        codes(await withLists('--crl-path', 'revoked.crl', '--crl-path', 'root.crl', '--crl-policy', policy)),
      ).toEqual(['ek.revoked']);
    expect(await withLists('--crl-path', 'revoked.crl', '--crl-policy', 'off')).toMatchObject({ verdict: 'trusted' });
  });

  test('is judged by a policy whose lists of hashes are not on this machine; ek doctor asks for them', async () => {
    write('root.pem', pem(chain.root.der));
    write('chain.pem', pem(chain.leaf.der, chain.intermediate.der));
    write('elsewhere.hcl', 'ca_path = "root.pem"\nhash_path = "/nonesuch/hashes"\ndeny_path = "/nonesuch/denied"\n');
    expect(await judge('chain.pem', '--policy', path('elsewhere.hcl'), '--at', AT)).toMatchObject({
      verdict: 'trusted',
    });
    const { code, stderr } = await cli(['ek', 'doctor', path('chain.pem'), '--policy', path('elsewhere.hcl')]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('"hash_path" cannot be used: /nonesuch/hashes')]);
  });

  test('is judged by the bundles of a policy, whose paths are relative to it', async () => {
    mkdirSync(path('policy/cas'), { recursive: true });
    write('policy/cas/root.pem', pem(chain.root.der));
    const hcl = (manufacturer: string): string => `
      trust_domain = "example.org"
      bundle "hardware" {
        ca_path       = "cas"
        manufacturers = ["${manufacturer}"]
      }`;
    write('policy/ifx.hcl', hcl('IFX'));
    write('policy/stm.hcl', hcl('STM'));
    const by = (policy: string) => judge('chain.pem', '--policy', path(`policy/${policy}`), '--at', AT);
    expect(await by('ifx.hcl')).toMatchObject({ verdict: 'trusted', bundle: 'hardware' });
    const refused = await by('stm.hcl');
    expect(codes(refused)).toEqual(['ek.manufacturer']);
    expect(refused.bundle).toBeNull();
  });

  test('goes on without what is in its file and cannot be read, and says so', async () => {
    const broken = pem(chain.leaf.der, Uint8Array.of(0x30, 0x00), chain.intermediate.der);
    write('broken-chain.pem', broken);
    const { code, stderr } = await verify(['broken-chain.pem', '--ca-path', 'root.pem', '--at', AT]);
    expect(code).toBe(0);
    const line = broken.split('\n').indexOf('-----BEGIN CERTIFICATE-----', 2) + 1;
    expect(stderr).toMatch(new RegExp(`^${path('broken-chain.pem')}:${line} is left out: .*\n$`));
  });

  test('that cannot be read is distrusted, with every field of the answer there', async () => {
    const { stdout } = await verify([...sound, '--json']);
    for (const [name, contents] of Object.entries({
      'cut.pem': pem(chain.leaf.der).slice(0, -30),
      'cut.der': chain.leaf.der.subarray(0, -1),
      'large.der': Buffer.concat([chain.leaf.der, Buffer.alloc(16 * 1024, 0xff)]),
      'followed.der': Buffer.concat([chain.leaf.der, Buffer.from('x')]),
    })) {
      const report = await judge(write(name, contents), '--ca-path', 'root.pem', '--at', AT);
      expect(codes(report), name).toEqual(['ek.certificate_malformed']);
      expect(Object.keys(report)).toEqual(Object.keys(JSON.parse(stdout)));
    }
  });

  test('hides nothing in the names it brings along', async () => {
    const hostile = '\u001b[2J\u009b2Jtrusted\r\n\u202e\u{e0041}';
    const evil = mintEkChain({
      intermediate: { subject: commonName(hostile) },
      leaf: {
        issuer: commonName(hostile),
        san: null,
        extraExtensions: [
          { oid: '2.5.29.17', critical: true, value: tpmName({ model: hostile }) },
          // Authority information access that is none.
          { oid: '1.3.6.1.5.5.7.1.1', value: sequence(boolean(true)) },
        ],
      },
    });
    write('evil.pem', pem(evil.leaf.der));
    for (const args of [[], ['--json']]) {
      const { code, stdout, stderr } = await verify(['evil.pem', '--ca-path', 'root.pem', '--at', AT, ...args]);
      expect(code).toBe(1);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what must not be there
      expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u{e0041}]/u);
      expect(stdout.split('\n')).not.toContain('trusted');
      // And to a program nothing is changed.
      if (args.length > 0) expect(JSON.parse(stdout)).toMatchObject({ model: hostile });
    }
  });
});

describe('what the caller can put right ends with exit code 2 and one line', () => {
  beforeAll(async () => {
    const { leaf, root } = mintEkChain();
    mkdirSync(path('use'));
    for (const [name, contents] of Object.entries({
      'leaf.der': leaf.der,
      'root.pem': pem(root.der),
      'noise.pem': 'noise',
      'list.hcl': 'hash_path = "."\n',
      'by.hcl': 'ca_path = "root.pem"\n',
      'large.der': '',
    }))
      write(`use/${name}`, contents);
    truncateSync(path('use/large.der'), 4 * 1024 * 1024 + 1);
    truncateSync(write('use/large.pem', ''), 16 * 1024 * 1024 + 1);
    await execute('mkfifo', [path('use/pipe')]);
  });

  test.each([
    ['leaf.der', 'give --ca-path or --policy'],
    ['leaf.der --ca-path nonesuch', '--ca-path: '],
    ['leaf.der --ca-path noise.pem', 'noise.pem holds no certificate that can be read'],
    ['leaf.der --ca-path pipe', 'pipe is not a regular file'],
    ['leaf.der --ca-path large.pem', 'is larger than 16777216 bytes'],
    ['leaf.der --ca-path root.pem --intermediates nonesuch', '--intermediates: '],
    ['leaf.der --ca-path root.pem --crl-path nonesuch', '--crl-path: '],
    ['leaf.der --ca-path root.pem --crl-policy warn', 'give --crl-path'],
    ['leaf.der --policy by.hcl --ca-path root.pem', '--ca-path, --allow and --crl-… cannot be used with --policy'],
    ['leaf.der --policy by.hcl --allow tpm12', '--ca-path, --allow and --crl-… cannot be used with --policy'],
    ['leaf.der --policy list.hcl', 'list.hcl names no CAs to judge a certificate by; set ca_path or a bundle in it'],
    ['- --policy -', 'two files are "-"'],
    ['nonesuch --ca-path root.pem', 'nonesuch cannot be read: no such file or directory'],
    ['. --ca-path root.pem', 'cannot be read: it is a folder; give a file in it'],
    ['pipe --ca-path root.pem', 'pipe cannot be read: it is not a regular file'],
    ['large.der --ca-path root.pem', 'cannot be read: larger than 4194304 bytes'],
  ])('ek verify %s', async (command, said) => {
    const { code, stdout, stderr } = await verify(command.split(' '), {
      cwd: path('use'),
      input: 'ca_path = "root.pem"',
    });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(said);
    expect(stderr).toMatch(/^tpm-attestor: [^\n]+\n$/m);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  test.each([
    [['leaf.der', '--ca-path', ''], 'It must not be empty.'],
    [['leaf.der', '--ca-path', 'root.pem', '--crl-policy', 'soft'], 'Allowed choices are fail-closed, warn, off.'],
    ...['2026-01-31', '2026-01-31 12:00:00Z', '2026-01-31T12:00:00', '2026-13-31T12:00:00Z', 'now', '0', ''].map(
      (time) => [['leaf.der', '--ca-path', 'root.pem', '--at', time], 'Give a time such as'] as const,
    ),
    [[], "missing required argument 'certificate'"],
  ] as const)('ek verify %j', async (args, said) => {
    const { code, stdout, stderr } = await verify(args, { cwd: path('use') });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(said);
  });
});
