/**
 * Reads the corpus of public TPM data. It is not part of the repository, so tests that need it are skipped without it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'vitest';

const DIRECTORY: string =
  process.env['TPM_CORPUS_DIR'] ?? fileURLToPath(new URL('../../../shared/corpus', import.meta.url));

export const hasCorpus: boolean = existsSync(DIRECTORY);

/** Reads a JSON file of the corpus. Call it only if `hasCorpus`. */
export function readCorpus<T>(path: string): T {
  return JSON.parse(readFileSync(join(DIRECTORY, path), 'utf8'));
}

/** Reads the bytes of a file of the corpus. Call it only if `hasCorpus`. */
export function readCorpusBytes(path: string): Uint8Array {
  return Uint8Array.from(readFileSync(join(DIRECTORY, path)));
}

export function hasCorpusFile(path: string): boolean {
  return existsSync(join(DIRECTORY, path));
}

/** The rows of a corpus file. Empty without a corpus: a table is built before its suite is skipped. */
export function corpusRows<K extends string, T>(path: string, key: K): readonly T[] {
  return hasCorpus ? readCorpus<Record<K, readonly T[]>>(path)[key] : [];
}

/** Like `describe`. Without a corpus, it is one skipped test that says so. */
export function describeCorpus(name: string, suite: () => void): void {
  describe(name, hasCorpus ? suite : () => test.skip('needs the corpus: TPM_CORPUS_DIR names no folder'));
}
