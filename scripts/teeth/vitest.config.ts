import { availableParallelism } from 'node:os';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** The tests that scripts/teeth.mjs names, by the runner that leaves checks out. */
const config: ViteUserConfig = defineConfig({
  test: {
    include: (process.env['TPM_ATTESTOR_TEETH_TESTS'] ?? '').split(' '),
    runner: './scripts/teeth/runner.ts',
    setupFiles: ['./scripts/teeth/set-up.ts'],
    reporters: [],
    pool: 'forks',
    // Each waits for processes most of the time.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 600_000,
    hookTimeout: 120_000,
    env: { TSS2_LOG: 'all+NONE' },
  },
});

export default config;
