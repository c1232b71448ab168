/** The folder of `hash_path`: an EK is listed when a file carries its hash as name, as in spire-tpm-plugin. */
import { statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Looked up anew for each attestation, so that adding a file admits a node and removing it ends that.
 *
 * @throws Error when the folder cannot be read, which must not pass for "not listed"
 */
export function isListedIn(hashPath: string): (pubHash: string) => boolean {
  return (pubHash) => {
    const file = statSync(join(hashPath, pubHash), { throwIfNoEntry: false });
    if (file !== undefined) return file.isFile();
    // Tells a missing file from a folder that has gone.
    statSync(hashPath);
    return false;
  };
}
