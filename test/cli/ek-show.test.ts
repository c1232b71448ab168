import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { readEkFile } from '../../src/enrolment/ek-file.ts';
import { readDenyList } from '../../src/policy/deny-list.ts';
import { certificateAddresses } from '../../src/tpm/certificate-services.ts';
import { cli } from '../support/cli.ts';
import { storeIndex } from '../support/ek-storage.ts';
import { leftInTpm } from '../support/open-tpm.ts';
import { keyPair, mintEkChain, pem, spkiOf } from '../support/pki.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';
import { interpose, type TpmInterposer } from '../support/tpm-interposer.ts';

let tpm: SoftwareTpm;
afterEach(() => tpm.stop());

describe('a key without certificate', () => {
  let bus: TpmInterposer;
  afterEach(() => bus.stop());

  /** The software TPM, under another manufacturer's name. */
  async function startAs(manufacturerId: string, templates: readonly 'L-1'[] = []): Promise<void> {
    tpm = await startSwtpm({ templates });
    const property = Buffer.from('00000105', 'hex');
    bus = await interpose(tpm, async (name, command, transmit) => {
      const answer = await transmit(command);
      const at = name === 'TPM2_GetCapability' ? answer.indexOf(property) : -1;
      if (at >= 0) answer.write(manufacturerId, at + property.length, 'hex');
      return answer;
    });
  }

  async function urlsFor(manufacturerId: string): Promise<readonly string[]> {
    await tpm.tpm2('tpm2_createek', ['-G', 'rsa', '-c', 'ek.ctx', '-u', 'ek.pub']);
    await tpm.tpm2('tpm2_flushcontext', ['-t']);
    const { publicKey } = readEkFile(readFileSync(join(tpm.folder, 'ek.pub')));
    return certificateAddresses(publicKey, manufacturerId).map(({ url }) => url);
  }

  test.each([
    ['494e5443', /^https:\/\/ekop\.intel\.com\/ekcertservice\/[\w-]{43}%3D$/],
    ['414d4400', /^https:\/\/ftpm\.amd\.com\/pki\/aia\/[0-9A-F]{32}$/],
  ])('of manufacturer %s is shown with where its certificate may be', async (id, form) => {
    await startAs(id);
    const report = JSON.parse((await cli(['ek', 'show', '--json', '--tcti', bus.tcti])).stdout);
    expect(report).toMatchObject({ certificate: null, certificate_source: null });
    expect(report.certificate_urls).toEqual([expect.stringMatching(form)]);
    expect(report.certificate_urls).toEqual(await urlsFor(id));
    const { stdout } = await cli(['ek', 'show', '--tcti', bus.tcti]);
    expect(stdout).toContain(`its manufacturer may have it: ${report.certificate_urls[0]}\n`);
  });

  test('of another manufacturer is shown without', async () => {
    await startAs('49465800');
    const { stdout } = await cli(['ek', 'show', '--json', '--tcti', bus.tcti]);
    expect(JSON.parse(stdout).certificate_urls).toEqual([]);
  });

  test('is not what a key with one is: no address is shown', async () => {
    await startAs('494e5443', ['L-1']);
    const { stdout } = await cli(['ek', 'show', '--json', '--tcti', bus.tcti]);
    expect(JSON.parse(stdout)).toMatchObject({ certificate_source: 'NV index 0x01c00002', certificate_urls: [] });
    const text = (await cli(['ek', 'show', '--tcti', bus.tcti])).stdout;
    expect(text).toMatch(/ to [^,\n]+, without CA certificates above it\n/);
  });
});

describe('ek hash', () => {
  const run = (...words: readonly string[]) => cli(['ek', 'hash', ...words, '--tcti', tpm.tcti], { cwd: tpm.folder });
  afterEach(async () => expect(await leftInTpm(tpm)).toEqual([]));

  test('says which key it is that the agent sends, and what lets a server accept it', async () => {
    tpm = await startSwtpm({ templates: ['L-1'] });
    const byDefault = await run();
    expect(byDefault.stdout).toMatch(/^[0-9a-f]{64}\n$/);
    expect(byDefault.stderr).toBe('this is the key that the agent sends: ek = "auto", template L-1 (rsa-2048)\n');
    const other = await run('--ek', 'ecc');
    expect(other.stderr).toContain('ek = "ecc", template L-2 (ecc-P-256)\n');
    expect(other.stderr).toContain(
      'the server does not accept this key by default; set ek_algorithms = ["rsa", "ecc"] there\n',
    );
  });

  test('--all prints every hash of the machine as deny_path takes them, that of the agent first', async () => {
    tpm = await startSwtpm({ templates: ['L-1', 'H-1'] });
    const { code, stdout, stderr } = await run('--all');
    const lines = stdout.trimEnd().split('\n');
    expect(code).toBe(0);
    expect(lines.map((line) => line.replace(/^[0-9a-f]{64} # /, ''))).toEqual([
      'L-1, the key that the agent sends: ek = "auto"',
      'L-2',
      'H-1',
      'H-2',
      'H-3',
      'H-4',
      'H-6',
    ]);
    expect(stderr).toContain('making the key of template H-7\nthe TPM cannot make a key of template H-7\n');
    expect(stderr).not.toContain('the TPM cannot make a key of template H-6');
    const file = join(tpm.folder, 'denied');
    await writeFile(file, stdout);
    const { isDenied } = readDenyList(file);
    for (const ek of ['rsa', 'ecc'] as const) {
      const pubHash = (await run('--ek', ek)).stdout.trim();
      expect(isDenied({ pubHash, serial: undefined })).toBe(true);
    }
    expect(isDenied({ pubHash: '0'.repeat(64), serial: undefined })).toBe(false);
  });

  test('--all has the key of a template or nonce in NV beside the one without', async () => {
    tpm = await startSwtpm({ templates: ['L-1'] });
    await storeIndex(tpm, 0x01c0000b, new Uint8Array(20).fill(9));
    await storeIndex(tpm, 0x01c00013, Uint8Array.of(1, 2, 3));
    const { code, stdout } = await run('--all');
    expect([code, stdout.match(/ # .*$/gm)?.map((name) => name.slice(3, 6))]).toEqual([
      0,
      ['L-1', 'L-2', 'L-2', 'H-1', 'H-2', 'H-3', 'H-4', 'H-6'],
    ]);
  });

  test('--all is about the TPM, and files are not', async () => {
    tpm = await startSwtpm({ templates: [] });
    const { code, stderr } = await cli(['ek', 'hash', '--all', 'x.pem'], { cwd: tpm.folder });
    expect([code, stderr]).toEqual([2, expect.stringContaining('--all cannot be used with files')]);
  });
});

describe('--ek-certificate', () => {
  const run = (...words: readonly string[]) => cli([...words, '--tcti', tpm.tcti], { cwd: tpm.folder });

  async function certify(): Promise<void> {
    await tpm.tpm2('tpm2_createek', ['-G', 'ecc', '-c', 'ek.ctx', '-u', 'ek.pub']);
    await tpm.tpm2('tpm2_flushcontext', ['-t']);
    const { publicKey } = readEkFile(readFileSync(join(tpm.folder, 'ek.pub')));
    const { leaf, intermediate } = mintEkChain({ leaf: { publicKey: spkiOf(publicKey) } });
    await writeFile(join(tpm.folder, 'ek.pem'), pem(leaf.der, intermediate.der));
  }

  test('says which key is shown, hashed and quoted with', async () => {
    tpm = await startSwtpm({ templates: ['L-1'] });
    await certify();
    const shown = JSON.parse((await run('ek', 'show', '--json', '--ek-certificate', 'ek.pem')).stdout);
    expect(shown).toMatchObject({ template: 'L-2', chain: 1, certificate_source: 'ek.pem' });
    expect((await run('ek', 'hash', '--ek-certificate', 'ek.pem')).stdout).toBe(`${shown.pub_hash}\n`);
    expect((await run('ek', 'hash')).stdout).not.toBe(`${shown.pub_hash}\n`);
    const quote = ['tpm', 'quote', '--nonce', '00', '-o', 'evidence.json', '--ek-certificate', 'ek.pem'];
    expect(await run(...quote)).toMatchObject({ code: 0 });
    const { payload } = JSON.parse(readFileSync(join(tpm.folder, 'evidence.json'), 'utf8'));
    expect(payload.ekCertificates).toHaveLength(2);
  });

  test('of another machine ends with exit code 2, both keys and what to do', async () => {
    tpm = await startSwtpm({ templates: ['L-1'] });
    const { leaf } = mintEkChain({ leaf: { publicKey: spkiOf(keyPair('rsa2048', 'another machine').publicKey) } });
    await writeFile(join(tpm.folder, 'ek.der'), leaf.der);
    for (const command of ['show', 'hash']) {
      const { code, stdout, stderr } = await run('ek', command, '--ek-certificate', 'ek.der');
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(
        /is for the key with pub_hash \w{64}, but this TPM has other endorsement keys: L-1 \w{64}, .*certificate of this TPM/,
      );
    }
  });

  test('is never written over, and said to be absent before the TPM is asked', async () => {
    tpm = await startSwtpm({ templates: ['L-1'] });
    await writeFile(join(tpm.folder, 'ek.pem'), 'kept');
    const { code } = await run('tpm', 'quote', '--nonce', '00', '-o', 'ek.pem', '--ek-certificate', 'ek.pem');
    expect([code, readFileSync(join(tpm.folder, 'ek.pem'), 'utf8')]).toEqual([2, 'kept']);
    const absent = await run('ek', 'hash', '--ek-certificate', 'absent.pem');
    expect([absent.code, absent.stderr]).toEqual([
      2,
      expect.stringContaining('absent.pem cannot be read: no such file'),
    ]);
  });
});
