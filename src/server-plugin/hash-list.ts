/** What `hash_path` lists: the EKs that an operator named, in a folder as spire-tpm-plugin has it, or in a file. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readTextList } from './text-list.ts';

const PUB_HASH = /^[0-9a-f]{64}$/;
const MAX_NAME_CHARS = 80;
const FORM = '64 hexadecimal digits in lower case, as "tpm-attestor ek hash" prints it';

export interface HashList {
  /** @throws Error when it cannot be found out, which must not pass for "not listed" */
  readonly isListed: (pubHash: string) => boolean;
  /** What in the list will never be found. */
  readonly warnings: readonly string[];
}

/** @throws Error of node:fs */
export function readHashList(hashPath: string): HashList {
  return statSync(hashPath).isDirectory() ? hashFolder(hashPath) : hashFile(hashPath);
}

/** A file carries a hash as name. Looked up anew for each attestation: adding one admits a node, removing ends that. */
function hashFolder(path: string): HashList {
  const [example, ...more] = namesOfNoHash(path);
  const others = more.length > 0 ? ` and ${more.length} more` : '';
  const name = example === undefined ? '' : JSON.stringify(example.slice(0, MAX_NAME_CHARS));
  const warnings = example === undefined ? [] : [`${name}${others} will never be found: a name is ${FORM}`];
  const isListed = (pubHash: string): boolean => {
    const file = statSync(join(path, pubHash), { throwIfNoEntry: false });
    if (file !== undefined) return file.isFile();
    // Tells a missing file from a folder that has gone.
    statSync(path);
    return false;
  };
  return { isListed, warnings };
}

/** Hidden files aside. None where the folder may be looked into and not listed. */
function namesOfNoHash(path: string): readonly string[] {
  try {
    return readdirSync(path).filter((name) => !name.startsWith('.') && !PUB_HASH.test(name));
  } catch {
    return [];
  }
}

/** A hash to a line; whatever the operator calls the machine is a comment. */
function hashFile(path: string): HashList {
  const { entries, problem } = readTextList(path, (line) => (PUB_HASH.test(line) ? line : undefined));
  const hashes = new Set(entries);
  const warnings =
    problem === undefined ? [] : [`${problem} will never be found: a line is ${FORM}, with names behind a #`];
  return { isListed: (pubHash) => hashes.has(pubHash), warnings };
}
