/** Runs the shipped commands as processes. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Execution, execute } from './execute.ts';

const ROOT: string = fileURLToPath(new URL('../../', import.meta.url));

/** The shipped executables. */
export const CLI: string = join(ROOT, 'dist/bin/tpm-attestor.cjs');
export const DEMO: string = join(ROOT, 'dist/bin/tpm-attestor-demo.cjs');

// Builds the executables from the current sources. If they are up to date, this does nothing.
const bundled = await execute(process.execPath, ['scripts/bundle.mjs'], { cwd: ROOT });
if (bundled.code !== 0) throw new Error(bundled.stderr);

export interface CliOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
}

/** Runs `tpm-attestor` in a process of its own. */
export function cli(args: readonly string[], options?: CliOptions): Promise<Execution> {
  return run(CLI, args, options);
}

/** Runs `tpm-attestor-demo` in a process of its own. */
export function demoCli(args: readonly string[] = [], options?: CliOptions): Promise<Execution> {
  return run(DEMO, args, options);
}

function run(executable: string, args: readonly string[], { env = {}, ...where }: CliOptions = {}): Promise<Execution> {
  const environment = { ...process.env, TPM_ATTESTOR_TCTI: undefined, ...env };
  return execute(process.execPath, [executable, ...args], { ...where, env: environment });
}
