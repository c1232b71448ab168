import { describe, expect, expectTypeOf, test } from 'vitest';
import { nativeAddon } from '../../src/tpm/device/native.ts';
import type { NativeAddon, NativeContext } from '../../src/tpm/device/native-context.ts';
import { startSwtpm } from '../support/swtpm.ts';

const ADDON = ['exitProcess', 'open'] as const satisfies readonly (keyof NativeAddon)[];

const CONTEXT = [
  'activateCredential',
  'certifyCreation',
  'close',
  'commandCounts',
  'contextLoad',
  'contextSave',
  'create',
  'createPrimary',
  'flushContext',
  'getCapability',
  'getRandom',
  'load',
  'loadExternal',
  'nvRead',
  'nvReadPublic',
  'pcrRead',
  'policyGetDigest',
  'policyOr',
  'policySecret',
  'quote',
  'readPublic',
  'sessionGetAttributes',
  'sessionSetAttributes',
  'startAuthSession',
  'trClose',
  'trDeserialize',
  'trFromTpmPublic',
  'trGetName',
  'trGetTpmHandle',
  'trSerialize',
  'trSetAuth',
] as const satisfies readonly (keyof NativeContext)[];

describe('the addon', () => {
  test('exports exactly what the interface declares', () => {
    expect(Object.keys(nativeAddon()).sort()).toEqual(ADDON);
    expectTypeOf<(typeof ADDON)[number]>().toEqualTypeOf<keyof NativeAddon>();
  });

  test('has contexts with exactly the methods the interface declares, among them none that changes the TPM', async () => {
    const { tcti } = await startSwtpm();
    const context = await nativeAddon().open(tcti, true);
    const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(context)).filter((name) => name !== 'constructor');
    expect(methods.sort()).toEqual(CONTEXT);
    expectTypeOf<(typeof CONTEXT)[number]>().toEqualTypeOf<keyof NativeContext>();
    context.close();
  });
});
