/** Temporary folders that go with the process, however it ends short of SIGKILL: they hold keys. */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A unix socket path holds 107 bytes, and sockets lie in these folders; a long TMPDIR gives way to /tmp. */
const LONGEST_ROOT_BYTES = 70;

const folders = new Set<string>();
function removeFolders(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/** Mode 0700. */
export async function makeScratchFolder(prefix: string): Promise<string> {
  const root = Buffer.byteLength(tmpdir()) < LONGEST_ROOT_BYTES ? tmpdir() : '/tmp';
  const folder = await mkdtemp(join(root, prefix));
  if (folders.size === 0) process.on('exit', removeFolders);
  folders.add(folder);
  return folder;
}

/** May be called again. */
export async function removeScratchFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  if (folders.delete(folder) && folders.size === 0) process.removeListener('exit', removeFolders);
}
