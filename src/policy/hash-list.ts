/** Reads the allow-list of `hash_path`: a file of EK hashes, or a folder in the layout of spire-tpm-plugin. */
import { type Dir, opendir, opendirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stateOf } from '../files/file-state.ts';
import { atOnce, type Steps, waitFor } from '../files/steps.ts';
import { DigestTable } from './digest-table.ts';
import { readTextList } from './text-list.ts';

const openFolder = promisify(opendir);

const PUB_HASH = /^[0-9a-f]{64}$/;
const MAX_NAME_CHARS = 80;
const FORM = '64 hexadecimal digits in lower case, as "tpm-attestor ek hash" prints it';

export interface HashList {
  /** @throws Error if the list cannot be read; that must not count as "not listed" */
  readonly isListed: (pubHash: string) => boolean;
  /** Entries that can never match. */
  readonly warnings: readonly string[];
}

/** @throws Error of node:fs */
export function readHashList(hashPath: string): HashList {
  return atOnce(
    (function* list(): Steps<HashList> {
      const { kind } = yield* stateOf(hashPath);
      return kind === 'folder' ? yield* hashFolder(hashPath) : (yield* hashFile(hashPath)).content;
    })(),
  );
}

/**
 * A folder whose files are named by hashes. Each attestation looks at the folder again, so adding a file admits a
 * machine, and removing it ends that.
 */
export function* hashFolder(path: string): Steps<HashList> {
  const [example, count] = yield* namesOfNoHash(path);
  const others = count > 1 ? ` and ${count - 1} more` : '';
  const name = example === undefined ? '' : JSON.stringify(example.slice(0, MAX_NAME_CHARS));
  const warnings = example === undefined ? [] : [`${name}${others} can admit no machine: its name must be ${FORM}`];
  const isListed = (pubHash: string): boolean => {
    const file = statSync(join(path, pubHash), { throwIfNoEntry: false });
    if (file !== undefined) return file.isFile();
    // Throws if the folder is gone, so that its machines do not count as "not listed".
    statSync(path);
    return false;
  };
  return { isListed, warnings };
}

/** An example, and the number, of names that are no hash, without hidden files. None if the folder cannot be listed. */
function* namesOfNoHash(path: string): Steps<readonly [example: string | undefined, count: number]> {
  let example: string | undefined;
  let count = 0;
  let folder: Dir;
  try {
    folder = yield* waitFor({ atOnce: () => opendirSync(path), later: () => openFolder(path) });
  } catch {
    return [undefined, 0];
  }
  try {
    for (;;) {
      const entry = yield* waitFor({ atOnce: () => folder.readSync(), later: () => folder.read() });
      if (entry === null) return [example, count];
      if (entry.name.startsWith('.') || PUB_HASH.test(entry.name)) continue;
      example ??= entry.name;
      count += 1;
    }
  } finally {
    yield* waitFor({ atOnce: () => folder.closeSync(), later: () => folder.close() });
  }
}

/** A file with one hash on each line. The name of a machine is a comment. */
export function* hashFile(path: string): Steps<{ readonly content: HashList; readonly digest: string }> {
  const hashes = new DigestTable();
  const { problem, digest } = yield* readTextList(path, hashes, (line) => {
    // tooth lists [!PUB_HASH.test(line.toLowerCase())]: a hash in capitals is listed
    if (!PUB_HASH.test(line)) return false;
    hashes.add(Buffer.from(line, 'hex'));
    return true;
  });
  yield* hashes.seal();
  const warnings =
    problem === undefined ? [] : [`${problem} can admit no machine: a line must be ${FORM}, with names after a #`];
  const isListed = (pubHash: string): boolean => PUB_HASH.test(pubHash) && hashes.has(Buffer.from(pubHash, 'hex'));
  return { content: { isListed, warnings }, digest };
}
