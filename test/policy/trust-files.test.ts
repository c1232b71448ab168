import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { LivePolicy } from '../../src/policy/live-policy.ts';
import { readTrustStore } from '../../src/policy/trust-files.ts';
import { commonName } from '../support/certificate-recipe.ts';
import { crlPem, mintCrl } from '../support/crl-recipe.ts';
import { openPolicy } from '../support/live-policy.ts';
import { keyPair, mintAuthority, mintEkChain, pem } from '../support/pki.ts';

const folder = mkdtempSync(join(tmpdir(), 'trust-files-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);
const { root, rootKey, intermediate } = mintEkChain();

function fifo(name: string): string {
  execFileSync('mkfifo', [path(name)]);
  return path(name);
}

test('reads a file, a link to one, and the files of a folder without what editors and mounts leave there', () => {
  mkdirSync(path('folder/below'), { recursive: true });
  writeFileSync(path('folder/root.pem'), pem(root.der));
  writeFileSync(path('folder/intermediate.der'), intermediate.der);
  writeFileSync(path('folder/.hidden.pem'), 'x');
  fifo('folder/pipe');
  symlinkSync(path('folder/root.pem'), path('link.pem'));
  expect(readTrustStore(path('folder')).problems).toEqual([]);
  expect(readTrustStore(path('folder')).anchors.certificates).toHaveLength(2);
  expect(readTrustStore(path('link.pem')).anchors.certificates).toHaveLength(1);
});

test('refuses a device, and a pipe that nobody writes into, and waits for neither', () => {
  expect(() => readTrustStore('/dev/zero')).toThrow('/dev/zero is not a regular file');
  expect(() => readTrustStore(fifo('pipe'))).toThrow(/pipe is not a regular file/);
});

test('reads 16 MiB and not a byte more, whatever size the file says it has', () => {
  const file = path('large.pem');
  writeFileSync(file, pem(root.der));
  truncateSync(file, 16 * 1024 * 1024);
  expect(readTrustStore(file).anchors.certificates).toHaveLength(1);
  truncateSync(file, 16 * 1024 * 1024 + 1);
  expect(() => readTrustStore(file)).toThrow(/large.pem is larger than 16777216 bytes/);
  // A regular file of size 0 that goes on and on.
  expect(() => readTrustStore('/proc/self/pagemap')).toThrow('is larger than');
});

test('CAs that tell nothing of TPMs are warned of together, and those above one that does are not', async () => {
  const web = ['Web Root 1', 'Web Root 2'].map((name) => {
    const key = keyPair('p256', name);
    return mintAuthority(name, key, { issuer: name, key }).der;
  });
  const top = mintAuthority('Plain Root', rootKey, { issuer: 'Plain Root', key: rootKey }).der;
  const below = mintAuthority('TPM CA', keyPair('p256', 'below'), { issuer: 'Plain Root', key: rootKey }).der;
  const warned = async (...cas: readonly Uint8Array[]): Promise<readonly string[]> => {
    writeFileSync(path('cas.pem'), pem(...cas));
    return (await openPolicy(`ca_path = ${JSON.stringify(path('cas.pem'))}`)).warnings.filter((one) =>
      one.includes('says that it'),
    );
  };
  expect(await warned(root.der, top, below)).toEqual([]);
  expect(await warned(root.der, top, ...web)).toEqual([
    expect.stringMatching(/^ca_path: nothing in "CN=Plain Root" says that it certifies TPMs, and 2 more\. Web CAs/),
  ]);
});

test('a CA of software TPMs is warned of by the option that would admit it', async () => {
  const key = keyPair('p256', 'software');
  const name = 'swtpm-localca';
  writeFileSync(path('software.pem'), pem(mintAuthority(name, key, { issuer: name, key }).der));
  const file = JSON.stringify(path('software.pem'));
  const warned = async (options: string): Promise<readonly string[]> =>
    (await openPolicy(options)).warnings.filter((one) => one.includes('certifies software TPMs'));
  expect(await warned(`ca_path = ${file}`)).toEqual([
    expect.stringMatching(/, which `ca_path` does not admit without allow_software_tpm$/),
  ]);
  expect(await warned(`bundle "b" {\n ca_path = ${file}\n}`)).toEqual([
    expect.stringMatching(/, which this bundle does not admit$/),
  ]);
  expect(await warned(`ca_path = ${file}\nallow_software_tpm = true`)).toEqual([]);
});

describe('revocation lists', () => {
  const list = mintCrl({ issuer: commonName('Test TPM Root CA'), signer: rootKey.privateKey });
  const other = mintCrl({ issuer: commonName('Test TPM Root CA'), signer: rootKey.privateKey, number: 7 });
  const configure = (crlPath: string): Promise<LivePolicy> => {
    writeFileSync(path('ca.pem'), pem(root.der));
    return openPolicy(`ca_path = ${JSON.stringify(path('ca.pem'))}\ncrl_path = ${JSON.stringify(crlPath)}`);
  };
  const counted = async (crlPath: string): Promise<number> =>
    (await configure(crlPath)).current().policy.crls.lists.length;

  test('are read from a file of one or of several, in DER or PEM', async () => {
    writeFileSync(path('one.crl'), list);
    writeFileSync(path('two.pem'), crlPem(list, other));
    expect([await counted(path('one.crl')), await counted(path('two.pem'))]).toEqual([1, 2]);
  });

  test('are read from a folder, of which none is no mistake yet', async () => {
    mkdirSync(path('lists'));
    expect(await counted(path('lists'))).toBe(0);
    writeFileSync(path('lists/one.crl'), list);
    writeFileSync(path('lists/other.pem'), crlPem(other));
    writeFileSync(path('lists/again.pem'), crlPem(list));
    expect(await counted(path('lists'))).toBe(2);
  });

  test('are told when they are none, and the others are there', async () => {
    mkdirSync(path('mixed'));
    writeFileSync(path('mixed/a.pem'), pem(root.der));
    writeFileSync(path('mixed/b.crl'), list);
    writeFileSync(path('mixed/c.pem'), crlPem(list, Uint8Array.of(0x30, 0x00), other));
    const live = await configure(path('mixed'));
    expect(live.current().policy.crls.lists).toHaveLength(2);
    expect(live.warnings.filter((text) => text.startsWith('crl_path'))).toEqual([
      expect.stringMatching(/^crl_path: .*\/a\.pem is left out: it is a certificate\./),
      expect.stringMatching(/^crl_path: .*\/c\.pem:\d+ is left out: /),
    ]);
  });

  test('that are not there, a pipe or a device stop the configuration', async () => {
    for (const [crlPath, why] of [
      [path('nonesuch'), 'no such file or directory'],
      [fifo('lists.pipe'), 'is not a regular file'],
      ['/dev/null', 'is not a regular file'],
    ] as const)
      await expect(configure(crlPath)).rejects.toThrow(new RegExp(`^"crl_path" cannot be used: ${crlPath}: .*${why}`));
  });
});
