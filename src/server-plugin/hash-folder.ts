/** The folder of `hash_path`: an EK is listed when a file carries its hash as name, as in spire-tpm-plugin. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const PUB_HASH = /^[0-9a-f]{64}$/;

/** Files that no lookup asks for, hidden ones aside. None where the folder may be looked into and not listed. */
export function namesOfNoHash(hashPath: string): readonly string[] {
  try {
    return readdirSync(hashPath).filter((name) => !name.startsWith('.') && !PUB_HASH.test(name));
  } catch {
    return [];
  }
}

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
