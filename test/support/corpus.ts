/** Public TPM data beside the checkout: never part of it, so tests that need it are skipped where it is absent. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'vitest';

const DIRECTORY: string =
  process.env['TPM_CORPUS_DIR'] ?? fileURLToPath(new URL('../../../shared/corpus', import.meta.url));

export const hasCorpus: boolean = existsSync(DIRECTORY);

/** A JSON file of the corpus; only where `hasCorpus`. */
export function readCorpus<T>(path: string): T {
  return JSON.parse(readFileSync(join(DIRECTORY, path), 'utf8'));
}

/** The bytes of a file of the corpus; only where `hasCorpus`. */
export function readCorpusBytes(path: string): Uint8Array {
  return Uint8Array.from(readFileSync(join(DIRECTORY, path)));
}

export function hasCorpusFile(path: string): boolean {
  return existsSync(join(DIRECTORY, path));
}

/** Rows of a corpus file, or none: a table may be built before its suite is skipped. */
export function corpusRows<K extends string, T>(path: string, key: K): readonly T[] {
  return hasCorpus ? readCorpus<Record<K, readonly T[]>>(path)[key] : [];
}

/** `describe`; where there is no corpus, one skipped test that says so. */
export function describeCorpus(name: string, suite: () => void): void {
  describe(name, hasCorpus ? suite : () => test.skip('needs the corpus: TPM_CORPUS_DIR names no folder'));
}
