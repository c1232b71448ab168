import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig, type ViteUserConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

// If the tests with genuine SPIRE are left out, test/ground/genuine-spire.test.ts reports that.
const hasSpire =
  process.env['TPM_ATTESTOR_NO_SPIRE'] === undefined &&
  spawnSync('scripts/spire/install', ['--found'], { cwd: import.meta.dirname }).status === 0;

const excluded = hasSpire ? configDefaults.exclude : [...configDefaults.exclude, 'test/spire/**'];

/** Tests of pure code: they share a process, so that each does not load the same modules again. */
const PURE = ['evidence', 'verifier', 'x509', 'tpm/structures'].map((folder) => `test/${folder}/**/*.test.ts`);

/** Attacks that reach a signature or a credential. They run once more against a server that uses its native addon. */
const KEYS = ['signature', 'structure', 'keys', 'certificates', 'freshness', 'plugin-wire*'];
const ATTACKS = KEYS.map((name) => `test/attacks/${name}.test.ts`);

/** Starts the tests that take a minute or more first, so that none of them runs alone at the end. */
class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isSlow = ({ moduleId }: TestSpecification): boolean => /\/test\/(e2e|spire|cli\/odd-nv)/.test(moduleId);
    return [...sorted.filter(isSlow), ...sorted.filter((file) => !isSlow(file))];
  }
}

const config: ViteUserConfig = defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: 'pure', include: PURE, isolate: false } },
      { extends: true, test: { name: 'whole', include: ['test/**/*.test.ts'], exclude: [...excluded, ...PURE] } },
      { extends: true, test: { name: 'native steps', include: ATTACKS, env: { TPM_ATTESTOR_STEPS: 'native' } } },
    ],
    reporters: ['default', './test/support/closing-lines.ts'],
    pool: 'forks',
    sequence: { sequencer: SlowFirst },
    // Vitest's default leaves one processor free. The slow tests mostly wait for a TPM or a process, so use one worker
    // more.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Silences tpm2-tss, which prints errors that tests provoke on purpose. A setting from outside wins.
    env: { TSS2_LOG: process.env['TSS2_LOG'] ?? 'all+NONE' },
  },
});

export default config;
