import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // tpm2-tss prints errors that tests provoke on purpose; the operator's setting wins.
    env: { TSS2_LOG: process.env['TSS2_LOG'] ?? 'all+NONE' },
  },
});

export default config;
