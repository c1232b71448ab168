/** Temporary folders that are removed when the process exits, unless SIGKILL ends it. They may hold private keys. */
import { mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileFailure } from './file-failure.ts';

/**
 * A unix socket path holds 107 bytes. The longest one here takes 52 after the root:
 * /spire-server-XXXXXX/spire-plugin-XXXXXX/plugin.sock. When TMPDIR is too long, /tmp is used instead.
 */
const LONGEST_ROOT_BYTES = 55;

/** The folder for temporary files cannot be used. The message tells the operator to set TMPDIR. */
export class ScratchFolderError extends Error {
  override readonly name = 'ScratchFolderError';
  readonly code = 'ERR_SCRATCH_FOLDER';
}

const folders = new Set<string>();
function removeFolders(): void {
  // A process that was killed a moment ago may still finish its last write.
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 10 });
}

/** Makes a folder with mode 0700. @param root parent folder; by default the folder for temporary files */
export function makeScratchFolder(prefix: string, root: string = temporaryRoot()): string {
  // Making and listing happen in one synchronous step: a signal handler sees both or neither.
  const folder = made(join(root, prefix));
  if (folders.size === 0) process.on('exit', removeFolders);
  folders.add(folder);
  return folder;
}

/** @throws ScratchFolderError when `path` is in the folder for temporary files and cannot be made */
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

/** May be called more than once. */
export async function removeScratchFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  if (folders.delete(folder) && folders.size === 0) process.removeListener('exit', removeFolders);
}
