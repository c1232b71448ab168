import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, onTestFinished, test, vi } from 'vitest';
import { SoftwareTpmError, startSoftwareTpm } from '../../src/testing/software-tpm.ts';
import { processesUsing, until } from '../support/processes.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';

const EXTEND = [`7:sha256=${'11'.repeat(32)}`];
const pcr7 = async (tpm: SoftwareTpm) => (await tpm.tpm2('tpm2_pcrread', ['sha256:7'])).stdout.match(/0x(\w+)/)?.[1];
const clockInfo = async (tpm: SoftwareTpm) => {
  const { stdout } = await tpm.tpm2('tpm2_readclock');
  return { resets: Number(stdout.match(/reset_count: (\d+)/)?.[1]), safe: / safe: yes/.test(stdout) };
};
const ekCertificate = async (tpm: SoftwareTpm) => {
  const file = join(tpm.folder, 'ek.der');
  await rm(file, { force: true });
  await tpm.tpm2('tpm2_nvread', ['0x1c00002', '-C', 'o', '-o', file]);
  return readFile(file, 'hex');
};

test('a power cycle is an unorderly TPM reset: PCRs start over, resetCount moves, the identity stays', async () => {
  const tpm = await startSwtpm();
  const [before, certificate] = [await clockInfo(tpm), await ekCertificate(tpm)];
  await tpm.tpm2('tpm2_pcrextend', EXTEND);
  expect(await pcr7(tpm)).not.toBe('0'.repeat(64));
  await tpm.powerCycle();
  expect(await pcr7(tpm)).toBe('0'.repeat(64));
  expect(await clockInfo(tpm)).toEqual({ resets: before.resets + 1, safe: false });
  expect(await ekCertificate(tpm)).toBe(certificate);
});

test('a killed TPM is gone at once and a power cycle brings it back', async () => {
  const tpm = await startSwtpm();
  const { pid } = tpm;
  tpm.kill();
  await expect(tpm.tpm2('tpm2_getrandom', ['--hex', '4'])).rejects.toThrow('tpm2_getrandom');
  await tpm.powerCycle();
  expect(tpm.pid).not.toBe(pid);
  expect((await tpm.tpm2('tpm2_getrandom', ['--hex', '4'])).stdout).toMatch(/^[0-9a-f]{8}$/);
});

test('stop leaves neither process nor folder, and may be called twice', async () => {
  const tpm = await startSwtpm();
  await tpm.stop();
  await tpm.stop();
  expect(existsSync(tpm.folder)).toBe(false);
  expect(await processesUsing(tpm.folder)).toEqual([]);
});

test('equal options give copies of one machine, another identity another machine, `fresh` a new one', async () => {
  const [one, copy, other, fresh] = await Promise.all([
    startSwtpm(),
    startSwtpm(),
    startSwtpm({ identity: 'other' }),
    startSwtpm({ fresh: true }),
  ]);
  await one.tpm2('tpm2_pcrextend', EXTEND);
  expect(await pcr7(copy), 'copies share the identity, not the state').toBe('0'.repeat(64));
  expect(await ekCertificate(copy)).toBe(await ekCertificate(one));
  expect(new Set(await Promise.all([one, other, fresh].map(ekCertificate))).size).toBe(3);
  expect(new Set(await Promise.all([one, other, fresh].map(({ caPath }) => readFile(caPath, 'utf8')))).size).toBe(3);
});

test('the TPM ends with the process that started it, even when that is killed', async () => {
  const image = await mkdtemp(join(tmpdir(), 'ground-'));
  const template = await startSwtpm();
  await cp(template.stateDir, join(image, 'state'), { recursive: true });
  const module = join(image, 'software-tpm.mjs');
  const entry = fileURLToPath(new URL('../../src/testing/software-tpm.ts', import.meta.url));
  await build({ entryPoints: [entry], outfile: module, bundle: true, platform: 'node', format: 'esm' });
  const program = `
    import { startSoftwareTpm } from ${JSON.stringify(module)};
    const tpm = await startSoftwareTpm({ image: ${JSON.stringify(image)} });
    process.stdout.write(tpm.folder);
    setInterval(() => {}, 1000);`;
  const args = ['--input-type=module', '--eval', program];
  const parent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const folder = await new Promise<string>((resolve, reject) => {
    parent.stdout.once('data', (text: Buffer) => resolve(text.toString()));
    parent.once('exit', (code) => reject(new Error(`the parent ended with ${code}`)));
  });
  try {
    expect(await processesUsing(folder)).toHaveLength(1);
    parent.kill('SIGKILL');
    await until(async () => (await processesUsing(folder)).length === 0);
  } finally {
    parent.kill('SIGKILL');
    await Promise.all([folder, image].map((path) => rm(path, { recursive: true, force: true })));
  }
});

test('a TPM that cannot start says why and leaves no folder', async () => {
  const image = await mkdtemp(join(tmpdir(), 'ground-'));
  // A folder of its own: other tests start and end TPMs meanwhile.
  const temporary = await mkdtemp(join(tmpdir(), 'ground-'));
  vi.stubEnv('TMPDIR', temporary);
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    for (const folder of [image, temporary]) await rm(folder, { recursive: true, force: true });
  });
  const failure = await startSoftwareTpm({ image: join(image, 'nothing') }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'ENOENT' });
  await expect(startSoftwareTpm({ image })).rejects.toThrow(SoftwareTpmError);
  await expect(startSoftwareTpm({ image })).rejects.toThrow(/swtpm ended at once: .*lockfile/s);
  expect(await readdir(temporary)).toEqual([]);
});
