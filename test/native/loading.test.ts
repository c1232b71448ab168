import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { addonFile, nativeChildren } from '../support/native-child.ts';
import { startSwtpm } from '../support/swtpm.ts';

const start = nativeChildren();

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'addon-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.resetModules();
  await rm(folder, { recursive: true, force: true });
});

/** What `Tpm.open` rejects with in a process that is to load `file`. */
async function openWith(file: string): Promise<unknown> {
  vi.stubEnv('TPM_ATTESTOR_ADDON', file);
  vi.resetModules();
  const { Tpm } = await import('../../src/tpm/device/tpm.ts');
  return Tpm.open('swtpm:path=/nonexistent').catch((error: unknown) => error);
}

describe('the addon', () => {
  test('that is not there is named, with how to build it', async () => {
    const file = join(folder, 'absent.node');
    expect(await openWith(file)).toMatchObject({
      code: 'ERR_NATIVE_UNAVAILABLE',
      sought: [file],
      message: expect.stringMatching(/absent\.node.*npm run build:native.*libtss2-dev/s),
    });
  });

  test('whose tpm2-tss is missing names the library and the package to install', async () => {
    const file = join(folder, 'tpm_attestor.node');
    const text = await readFile(addonFile, 'latin1');
    await writeFile(file, text.replace('libtss2-esys.so.0', 'libtss2-none.so.0'), 'latin1');
    expect(await openWith(file)).toMatchObject({
      code: 'ERR_NATIVE_UNAVAILABLE',
      message: expect.stringMatching(
        /libtss2-none\.so\.0: cannot open shared object file.*apt-get install tpm2-tools/s,
      ),
    });
  });

  test('is taken by its SHA-256, and another one is refused with both', async () => {
    const sha256 = createHash('sha256')
      .update(await readFile(addonFile))
      .digest('hex');
    vi.resetModules();
    const { nativeAddon } = await import('../../src/tpm/device/native.ts');
    const other = 'ab'.repeat(32);
    expect(() => nativeAddon({ path: addonFile, sha256: other })).toThrow(
      `the TPM addon ${addonFile} has the SHA-256 ${sha256}, not the expected ${other}`,
    );
    expect(nativeAddon({ path: addonFile, sha256 })).toHaveProperty('open');
    // One process, one addon: what is asked for later can only agree.
    expect(nativeAddon({ sha256 })).toBe(nativeAddon());
    expect(() => nativeAddon({ sha256: other })).toThrow('restart it to load another one');
    expect(() => nativeAddon({ path: join(folder, 'other.node') })).toThrow('restart it to load another one');
  });

  test('of a path without a folder is the one in the working directory, whatever the dynamic linker would find', async () => {
    vi.resetModules();
    const { nativeAddon } = await import('../../src/tpm/device/native.ts');
    const before = process.cwd();
    expect(() => nativeAddon({ path: 'tpm_attestor.node' })).toThrow(`looked for ${join(before, 'tpm_attestor.node')}`);
  });

  test.each(['/dev/zero', 'pipe'])('that is %s is refused, and not waited for', async (name) => {
    const path = name === 'pipe' ? join(folder, name) : name;
    if (name === 'pipe') execFileSync('mkfifo', [path]);
    vi.resetModules();
    const { nativeAddon } = await import('../../src/tpm/device/native.ts');
    expect(() => nativeAddon({ path })).toThrow('cannot be loaded: the file is not an addon');
  });

  test('that is no addon says what the linker said', async () => {
    const file = join(folder, 'tpm_attestor.node');
    await writeFile(file, 'no shared object '.repeat(100));
    expect(await openWith(file)).toMatchObject({ message: expect.stringContaining('invalid ELF header') });
  });

  test.skipIf(process.env['TPM_ATTESTOR_ADDON_FLAGS'] === 'default')(
    'brings its own OpenSSL: no call of tpm2-tss lands in the one inside node (skipped where DEEPBIND is off)',
    async () => {
      const { tcti } = await startSwtpm();
      const ending = await start('returns-with-handles', tcti, { env: { LD_DEBUG: 'bindings' } }).ended;
      expect(ending.code).toBe(0);
      const bindings = ending.stderr.matchAll(
        /binding file \S*libtss2-esys\S* \[\d+\] to (\S+) .*`(EVP|RSA|EC|BN|HMAC)_/g,
      );
      const targets = new Set([...bindings].map(([, target]) => target?.replace(/.*\//, '').replace(/\.so.*/, '')));
      expect([...targets]).toEqual(['libcrypto']);
    },
  );
});

test('importing the TPM module loads nothing and never throws', async () => {
  vi.stubEnv('TPM_ATTESTOR_ADDON', join(folder, 'absent.node'));
  vi.resetModules();
  await expect(import('../../src/tpm/device/tpm.ts')).resolves.toHaveProperty('Tpm');
});
