/** What scripts/asan runs: everything that drives the addon. */
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import base from '../../vitest.config.ts';

const config: ViteUserConfig = defineConfig({
  test: {
    ...base.test,
    include: ['test/native/*.test.ts', 'test/tpm/tpm.test.ts'],
    setupFiles: ['test/native/asan.ts'],
  },
});

export default config;
