import { availableParallelism } from 'node:os';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** Runs the tests that scripts/teeth.mjs names, with the runner that leaves out checks. */
const config: ViteUserConfig = defineConfig({
  test: {
    include: (process.env['TPM_ATTESTOR_TEETH_TESTS'] ?? '').split(' '),
    runner: './scripts/teeth/runner.ts',
    setupFiles: ['./scripts/teeth/set-up.ts'],
    reporters: [],
    pool: 'forks',
    // A test mostly waits for processes.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 600_000,
    hookTimeout: 120_000,
    env: { TSS2_LOG: 'all+NONE' },
  },
});

export default config;
