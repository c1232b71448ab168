/** Runs the scripts of documents unchanged, with a software TPM or without one. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { MarkdownDocument } from './document.ts';

const run = promisify(execFile);

/** The last JSON document that a script printed, and its JUnit report if it wrote one. */
export interface ScriptAnswer {
  readonly verdict: string;
  readonly scope?: string;
  readonly junit: string | undefined;
}

/** Runs the script of a document with a software TPM. Rejects if it fails. */
export async function underTpm(document: MarkdownDocument, name: string): Promise<ScriptAnswer> {
  const folder = await mkdtemp(join(tmpdir(), 'document-'));
  try {
    const file = join(folder, name);
    await writeFile(file, document.block('bash', name));
    const JUNIT = join(folder, 'junit.xml');
    const { stdout } = await run('scripts/swtpm/run', ['--', 'bash', file], { env: { ...process.env, JUNIT } });
    const junit = await readFile(JUNIT, 'utf8').catch(() => undefined);
    return { ...JSON.parse(stdout.slice(`\n${stdout}`.lastIndexOf('\n{\n'))), junit };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs the script without a TPM. */
export function withoutTpm(document: MarkdownDocument, name: string): Promise<unknown> {
  const env = { ...process.env, TPM_ATTESTOR_CA_PATH: undefined };
  return run('bash', ['-c', document.block('bash', name)], { env });
}
