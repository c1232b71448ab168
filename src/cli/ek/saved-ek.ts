/** Reads files of saved EKs, one by one or from folders. */

import { type EkFile, EkFileError, MAX_EK_FILE_BYTES, readEkFile } from '../../enrolment/ek-file.ts';
import { fileFailure } from '../../files/file-failure.ts';
import { UsageError } from '../terminal/failure.ts';
import { readInput, regularFilesIn } from '../terminal/files.ts';

/** A file, with the key or the problem once it has been read. */
export interface SavedEk {
  readonly path: string;
  readonly key?: EkFile;
  /** Why the key could not be read. */
  readonly problem?: string;
}

/** The file itself, or all files of a folder in the order of their names. */
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

/** The problem of one file, so that the others can still be listed. All other errors are bugs, and are thrown. */
function problemOf(error: unknown): string {
  if (error instanceof EkFileError) return error.message;
  if (!(error instanceof UsageError)) throw error;
  // The message names the file, but the table names it already.
  return error.cause === undefined ? error.message : `cannot be read: ${fileFailure(error.cause)}`;
}
