/** What scripts/asan runs: everything that drives the addons. */
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { nativeSteps } from '../../src/policy/native-steps.ts';
import { nativeAddon } from '../../src/tpm/device/native.ts';
import base from '../../vitest.config.ts';

// Held by this process, the addon is not unloaded with the threads that used it: a leak could not be told to be its own.
nativeAddon();
nativeSteps();

const { projects: _, ...shared } = base.test ?? {};
const config: ViteUserConfig = defineConfig({
  test: {
    ...shared,
    // A forked process is killed when its tests are over, before leaks are looked for; threads end in order.
    pool: 'threads',
    include: [
      'test/native/*.test.ts',
      'test/tpm/{commands,session,tpm}.test.ts',
      'test/verifier/public-key-steps.test.ts',
    ],
    setupFiles: ['test/native/asan.ts'],
  },
});

export default config;
