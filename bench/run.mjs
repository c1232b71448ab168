#!/usr/bin/env node
// Measures the verifier beside the raw operations it cannot do without, in one process. Usage: run.mjs [--json]
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = new URL('..', import.meta.url);
const folder = await mkdtemp(join(tmpdir(), 'bench-'));
try {
  const outfile = join(folder, 'verifier.mjs');
  await build({
    entryPoints: [new URL('bench/verifier.ts', root).pathname],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    define: { 'import.meta.url': JSON.stringify(new URL('src/cli/software-tpm.ts', root).href) },
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'warning',
  });
  process.env.TSS2_LOG ??= 'all+NONE';
  process.env.TPM_ATTESTOR_ADDON ??= new URL('build/Release/tpm_attestor.node', root).pathname;
  const { measure } = await import(pathToFileURL(outfile).href);
  await measure(process.argv.includes('--json'));
} finally {
  await rm(folder, { recursive: true, force: true });
}
