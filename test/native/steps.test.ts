/** The addon of the public-key steps: its surface, its arguments, and how it is found. */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, expectTypeOf, test, vi } from 'vitest';
import { AddonFileError } from '../../src/files/addon-file.ts';
import { nativeSteps, type StepsAddon, stepsAddon } from '../../src/policy/native-steps.ts';
import { startPlugin } from '../../src/testing/plugin-host/plugin-host.ts';
import { mintEkChain, pem } from '../support/pki.ts';

const METHODS = ['eccCredential', 'isOnCurve', 'rsaCredential', 'verifyEcdsa', 'verifyRsa'] as const;
const folder = mkdtempSync(join(tmpdir(), 'steps-'));
afterAll(() => rmSync(folder, { recursive: true }));
const addon = stepsAddon();

test('exports exactly what the interface declares, and runs on the OpenSSL of node', () => {
  expect(Object.keys(addon).sort()).toEqual([...METHODS, 'openssl'].sort());
  expectTypeOf<(typeof METHODS)[number] | 'openssl'>().toEqualTypeOf<keyof StepsAddon>();
  expect(process.versions.openssl.split('+')[0]).toBe(addon.openssl.split('+')[0]);
});

describe('an argument is refused', () => {
  const bytes = (size: number): Uint8Array => new Uint8Array(size).fill(1);
  const GOOD: Readonly<Record<(typeof METHODS)[number], readonly unknown[]>> = {
    isOnCurve: [256, bytes(32), bytes(32)],
    verifyRsa: [bytes(256), bytes(3), 32, -1, bytes(1), bytes(256)],
    verifyEcdsa: [256, bytes(32), bytes(32), 32, true, bytes(1), bytes(64)],
    rsaCredential: [0, bytes(256), bytes(3), 32, bytes(32), 128, bytes(34), bytes(34)],
    eccCredential: [256, bytes(32), bytes(32), 32, bytes(32), 128, bytes(34), bytes(34)],
  };
  const detached = bytes(8);
  structuredClone(detached, { transfer: [detached.buffer as ArrayBuffer] });
  const WRONG: Readonly<Record<string, readonly unknown[]>> = {
    bytes: [
      'text',
      null,
      undefined,
      7,
      [1],
      new Uint16Array(4),
      new ArrayBuffer(4),
      new DataView(new ArrayBuffer(4)),
      detached,
      new Uint8Array(new SharedArrayBuffer(8)),
    ],
    number: ['256', null, undefined, Number.NaN, 1.5, -3, 2 ** 31, 255, 33],
    boolean: ['true', 1, undefined],
  };
  const kindOf = (value: unknown): string => (value instanceof Uint8Array ? 'bytes' : typeof value);
  // The one that is not looked at, and the salt, of which every small number is one.
  const isFree = (method: string, i: number, value: unknown): boolean =>
    (method === 'rsaCredential' && i === 0) ||
    (method === 'verifyRsa' && i === 3 && [255, 33].includes(value as number));

  test.each(METHODS)('by %s, when it is of another kind', (method) => {
    const call = addon[method] as (...args: readonly unknown[]) => unknown;
    const good = GOOD[method];
    expect(() => call(...good)).not.toThrow();
    expect(() => call.call({}, ...good)).not.toThrow();
    expect(() => call(...good.slice(1))).toThrow(TypeError);
    expect(() => call(...good, 1)).toThrow(TypeError);
    for (const [i, value] of good.entries())
      for (const wrong of WRONG[kindOf(value)] ?? [])
        if (!isFree(method, i, wrong)) expect(() => call(...good.with(i, wrong)), `${method} ${i}`).toThrow(TypeError);
  });

  test('when an identity is longer than any digest', () => {
    expect(() => addon.rsaCredential(0, bytes(256), bytes(3), 32, bytes(32), 128, bytes(67), bytes(34))).toThrow(
      TypeError,
    );
  });
});

test('a process loads one addon, once', () => {
  expect(() => nativeSteps({ sha256: '0'.repeat(64) })).toThrow(AddonFileError);
  expect(() => nativeSteps({ path: join(folder, 'other.node') })).toThrow(/restart it to load another one$/);
});

describe('the server plugin', () => {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const built = join(root, 'build/Release/public_key_steps.node');
  const sum = createHash('sha256').update(readFileSync(built)).digest('hex');
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, pem(mintEkChain().root.der));
  const rubbish = join(folder, 'rubbish.node');
  writeFileSync(rubbish, 'rubbish');
  const copy = join(folder, 'copy.node');
  copyFileSync(built, copy);

  const configure = async (options: string): Promise<unknown> => {
    const lines: unknown[] = [];
    const host = await startPlugin({
      kind: 'server',
      command: process.execPath,
      args: [join(root, 'dist/bin/tpm-attestor-server.cjs')],
      // The one beside the executable: the sanitizers' cannot be loaded without their libraries.
      env: { ...process.env, TPM_ATTESTOR_STEPS_ADDON: '' },
      onLog: (record) => lines.push(record),
    });
    try {
      await host.configure(`ca_path = "${ca}"\n${options}`, 'example.org');
      // The log comes by another way than the answer.
      return await vi.waitFor(() => {
        const line = lines.find((one) => JSON.stringify(one).includes('"configured"'));
        expect(line).toBeDefined();
        return line;
      });
    } finally {
      await host.stop();
    }
  };

  test.each([
    ['', 'node'],
    ['public_key_steps = "node"', 'node'],
    ['public_key_steps = "native"', 'native'],
    [`public_key_steps = "native"\naddon_path = "${copy}"\naddon_sha256 = "${sum}"`, 'native'],
  ])('by %o says in the log that its steps are by %s', async (options, name) => {
    expect(JSON.stringify(await configure(options))).toContain(`"public_key_steps":"${name}"`);
  });

  test.each([
    [
      `addon_path = "${join(folder, 'absent.node')}"`,
      /is not there: looked for .*absent\.node\. Put public_key_steps\.node beside/,
    ],
    [`addon_path = "${rubbish}"`, /rubbish\.node cannot be loaded: .* It needs a node that exports/],
    [`addon_sha256 = "${'0'.repeat(64)}"`, /has the SHA-256 [0-9a-f]{64}, not the expected 0{64};/],
  ])('refuses %s and says what to do', async (options, says) => {
    await expect(configure(`public_key_steps = "native"\n${options}`)).rejects.toThrow(says);
  });
});
