/** Files of saved endorsement keys, singly or in folders. */

import { type EkFile, EkFileError, MAX_EK_FILE_BYTES, readEkFile } from '../../enrolment/ek-file.ts';
import { fileFailure } from '../../files/file-failure.ts';
import { UsageError } from '../terminal/failure.ts';
import { readInput, regularFilesIn } from '../terminal/files.ts';

/** A file as far as it has been read. */
export interface SavedEk {
  readonly path: string;
  readonly key?: EkFile;
  /** Why there is no key. */
  readonly problem?: string;
}

/** Of a folder, its files in the order of their names. */
export function savedEks(path: string): readonly SavedEk[] {
  try {
    const files = regularFilesIn(path);
    if (files?.length === 0)
      return [{ path, problem: 'this folder has no files; give one with saved endorsement keys' }];
    return (files ?? [path]).map((file) => ({ path: file }));
  } catch (error) {
    return [{ path, problem: problemOf(error) }];
  }
}

export function readSavedEk(path: string): SavedEk {
  try {
    return { path, key: readEkFile(readInput(path, MAX_EK_FILE_BYTES)) };
  } catch (error) {
    return { path, problem: problemOf(error) };
  }
}

/** What concerns one file must not keep the others from being listed; anything else is a fault of ours. */
function problemOf(error: unknown): string {
  if (error instanceof EkFileError) return error.message;
  if (!(error instanceof UsageError)) throw error;
  // Its message names the file, as the table does already.
  return error.cause === undefined ? error.message : `cannot be read: ${fileFailure(error.cause)}`;
}
