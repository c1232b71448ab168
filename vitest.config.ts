import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig, type ViteUserConfig } from 'vitest/config';

// test/ground/genuine-spire.test.ts says so where they are left out.
const hasSpire =
  process.env['TPM_ATTESTOR_NO_SPIRE'] === undefined &&
  spawnSync('scripts/spire/install', ['--found'], { cwd: import.meta.dirname }).status === 0;

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: hasSpire ? [...configDefaults.exclude] : [...configDefaults.exclude, 'test/spire/**'],
    reporters: ['default', './test/support/closing-lines.ts'],
    pool: 'forks',
    // By itself vitest leaves one processor free, which is half of a small machine. Most tests wait for a TPM or a process.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // tpm2-tss prints errors that tests provoke on purpose; the operator's setting wins.
    env: { TSS2_LOG: process.env['TSS2_LOG'] ?? 'all+NONE' },
  },
});

export default config;
