/** Temporary folders that go with the process, however it ends short of SIGKILL: they hold keys. */
import { mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileFailure } from './file-failure.ts';

/**
 * A unix socket path holds 107 bytes, and the longest here has 52 after the root:
 * /spire-server-XXXXXX/spire-plugin-XXXXXX/plugin.sock. A long TMPDIR gives way to /tmp.
 */
const LONGEST_ROOT_BYTES = 55;

/** The folder for temporary files cannot be used. The message names the variable that says which it is. */
export class ScratchFolderError extends Error {
  override readonly name = 'ScratchFolderError';
  readonly code = 'ERR_SCRATCH_FOLDER';
}

const folders = new Set<string>();
function removeFolders(): void {
  // What was killed a moment ago may still finish its last write.
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 10 });
}

/** Mode 0700. @param root where it is made; by itself the folder for temporary files */
export function makeScratchFolder(prefix: string, root: string = temporaryRoot()): string {
  // In one step with its entry in the list: a signal finds both or neither.
  const folder = made(join(root, prefix));
  if (folders.size === 0) process.on('exit', removeFolders);
  folders.add(folder);
  return folder;
}

/** @throws ScratchFolderError for a folder that TMPDIR names and that cannot be used */
function made(path: string): string {
  try {
    return mkdtempSync(path);
  } catch (cause) {
    if (!path.startsWith(join(tmpdir(), '/'))) throw cause;
    throw new ScratchFolderError(
      `no temporary folder can be made in ${tmpdir()}: ${fileFailure(cause)}; set TMPDIR to a folder this user may write to`,
      { cause },
    );
  }
}

function temporaryRoot(): string {
  return Buffer.byteLength(tmpdir()) <= LONGEST_ROOT_BYTES ? tmpdir() : '/tmp';
}

/** May be called again. */
export async function removeScratchFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  if (folders.delete(folder) && folders.size === 0) process.removeListener('exit', removeFolders);
}
