import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { refuseOtherFiles } from '../../src/tpm/device/tcti.ts';
import { Tpm } from '../../src/tpm/device/tpm.ts';
import { cli, demoCli } from '../support/cli.ts';
import { mintEkChain, pem } from '../support/pki.ts';
import { startSwtpm } from '../support/swtpm.ts';

const PRECIOUS = 'what nobody has a copy of';
const folder = mkdtempSync(join(tmpdir(), 'tcti-'));
const path = (name: string): string => join(folder, name);
const server = createServer();

beforeAll(async () => {
  writeFileSync(path('file'), PRECIOUS);
  symlinkSync('file', path('link'));
  writeFileSync(path('cas.pem'), pem(mintEkChain().root.der));
  execFileSync('mkfifo', [path('pipe')]);
  await once(server.listen(path('socket')), 'listening');
  const libraries = execFileSync('sh', ['-c', 'ls /usr/lib/*/libtss2-tcti-device.so.0'], { encoding: 'utf8' });
  symlinkSync(libraries.trim().split('\n')[0] ?? '', path('another-name.so'));
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a file that is no TPM is refused before it is opened', () => {
  const MODULES = ['device', 'libtss2-tcti-device.so.0', 'libtss2-tcti-device.so', 'pcap:device', 'pcap:pcap:device'];

  test.each([...MODULES, 'libtss2-tcti-pcap.so.0:device', '@another-name.so', 'pcap:@another-name.so'])(
    'through %s',
    async (modules) => {
      const tcti = `${modules.replace('@', `${folder}/`)}:${path('file')}`;
      await expect(Tpm.open(tcti)).rejects.toMatchObject({
        code: 'ERR_TCTI',
        message: expect.stringContaining(`${path('file')}, which is a regular file: `),
      });
      expect(readFileSync(path('file'), 'utf8')).toBe(PRECIOUS);
    },
  );

  test.each([
    ['link', 'a regular file'],
    ['.', 'a folder'],
    ['pipe', 'a pipe'],
    ['socket', 'a socket'],
    ['/dev/null', 'another character device'],
  ])('%s is %s', async (name, kind) => {
    const named = name.startsWith('/') ? name : path(name);
    await expect(Tpm.open(`device:${named}`)).rejects.toMatchObject({
      code: 'ERR_TCTI',
      message: expect.stringContaining(
        `${named}, which is ${kind}: a TPM is a character device, and nothing was opened`,
      ),
    });
    expect(readFileSync(path('file'), 'utf8')).toBe(PRECIOUS);
  });

  test.each(['swtpm:path=', 'mssim:path=', 'swtpm:port=1,path='])('%s takes a socket alone', (module) => {
    expect(() => refuseOtherFiles(`${module}${path('file')}`)).toThrow('the socket on which the software TPM listens');
    refuseOtherFiles(`${module}${path('socket')}`);
  });

  test('libtpms takes a file of its own', () => {
    expect(() => refuseOtherFiles(`libtpms:${folder}`)).toThrow('keeps its state');
    refuseOtherFiles(`libtpms:${path('file')}`);
  });
});

test.each([
  'device:/nonesuch',
  'device:/proc/1/root/nonesuch',
  'swtpm:host=x,port=1',
  'nonesuch:/dev/null',
  'tabrmd',
  '',
])('%j is left to tpm2-tss', (tcti) => {
  expect(() => refuseOtherFiles(tcti)).not.toThrow();
});

test('a software TPM behind a link is one', async () => {
  const software = await startSwtpm();
  for (const end of ['', '.ctrl']) symlinkSync(`${software.socketPath}${end}`, path(`tpm.sock${end}`));
  await (await Tpm.open(`swtpm:path=${path('tpm.sock')}`)).close();
  await software.stop();
});

test.each([
  ...[
    ['tpm', 'info'],
    ['tpm', 'quote', '--nonce', '00', '-o', '-'],
    ['ek', 'show'],
    ['ek', 'hash'],
    ['ek', 'doctor'],
  ],
  ['demo', '--ca-path', 'cas.pem'],
])('%s %s says so, exit code 2', async (first, ...others) => {
  const command = first === 'demo' ? others : [first, ...others];
  const { code, stdout, stderr } = await (first === 'demo' ? demoCli : cli)(
    [...command, '--tcti', `device:${path('link')}`],
    { cwd: folder },
  );
  expect(code).toBe(2);
  expect(stdout).not.toContain('certificate');
  expect(stderr).toContain(
    `leads to ${path('link')}, which is a regular file: a TPM is a character device, and nothing was opened; give the device`,
  );
  expect(readFileSync(path('file'), 'utf8')).toBe(PRECIOUS);
});
