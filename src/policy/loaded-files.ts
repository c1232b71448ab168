/** Caches the parsed files of a policy. A file is read again only when it has changed. */
import { createHash } from 'node:crypto';
import { type FileState, isStill } from '../files/file-state.ts';
import type { Steps } from '../files/steps.ts';
import type { Certificate } from '../x509/certificate.ts';
import type { CertificateRevocationList } from '../x509/crl/crl.ts';
import { certificatesIn, type FileContents } from '../x509/file/trust-store.ts';
import { listsIn } from '../x509/path/revocation.ts';
import { type HashList, hashFile, hashFolder } from './hash-list.ts';
import { trustFile } from './trust-files.ts';

interface Contents {
  readonly certificates: FileContents<Certificate>;
  readonly lists: FileContents<CertificateRevocationList>;
  readonly hashes: HashList;
}

export type FileKind = keyof Contents;

interface Loaded<T> {
  readonly content: T;
  /** The digest of the bytes: a file with a new time may have the same content. */
  readonly digest: string;
}

type Loader<T> = (path: string, state: FileState, known: Loaded<T> | undefined) => Steps<Loaded<T>>;

const LOADERS: { readonly [Kind in FileKind]: Loader<Contents[Kind]> } = {
  *certificates(path, _, known) {
    const file = yield* trustFile(path);
    const digest = yield* digestOf(file.bytes);
    return digest === known?.digest ? known : { content: yield* certificatesIn(file), digest };
  },
  *lists(path, _, known) {
    const file = yield* trustFile(path);
    const digest = yield* digestOf(file.bytes);
    return digest === known?.digest ? known : { content: yield* listsIn(file), digest };
  },
  *hashes(path, { kind }, known) {
    if (kind === 'folder') return { content: yield* hashFolder(path), digest: 'folder' };
    const loaded = yield* hashFile(path);
    return loaded.digest === known?.digest ? known : loaded;
  },
};

/** Octets hashed between two pauses. They take well below a millisecond. */
const OCTETS_PER_STEP = 128 * 1024;

function* digestOf(bytes: Uint8Array): Steps<string> {
  const digest = createHash('sha256');
  for (let at = 0; at < bytes.length; at += OCTETS_PER_STEP) {
    digest.update(bytes.subarray(at, at + OCTETS_PER_STEP));
    yield;
  }
  return digest.digest('hex');
}

type Outcome = { readonly loaded: Loaded<unknown> } | { readonly failure: unknown };

export class LoadedFiles {
  /** By kind and path, for the latest state of the file. */
  readonly #files: Map<string, { readonly state: FileState; readonly outcome: Outcome; isUsed: boolean }> = new Map();
  #isToBeTriedAgain = false;

  /**
   * The parsed file in this state, from the cache or freshly read.
   *
   * @throws Error of node:fs, or an error about the contents; the latter is cached, too
   */
  *load<Kind extends FileKind>(kind: Kind, path: string, state: FileState): Steps<Contents[Kind]> {
    const key = `${kind} ${path}`;
    const before = this.#files.get(key);
    if (before !== undefined && isStill(before.state, state)) {
      before.isUsed = true;
      return contentOf<Contents[Kind]>(before.outcome);
    }
    const known = before !== undefined && 'loaded' in before.outcome ? before.outcome.loaded : undefined;
    const load: Loader<Contents[Kind]> = LOADERS[kind];
    const outcome = yield* outcomeOf(load(path, state, known as Loaded<Contents[Kind]> | undefined));
    // A system error is not cached: the next attempt may succeed although the file is the same.
    if ('failure' in outcome && isOfSystem(outcome.failure)) {
      this.#isToBeTriedAgain = true;
      throw outcome.failure;
    }
    this.#files.set(key, { state, outcome, isUsed: true });
    return contentOf<Contents[Kind]>(outcome);
  }

  /** Whether a system error occurred since the last call. */
  isToBeTriedAgain(): boolean {
    const isSo = this.#isToBeTriedAgain;
    this.#isToBeTriedAgain = false;
    return isSo;
  }

  /** Drops the files that nobody asked for since the last call. */
  forgetUnused(): void {
    for (const [key, file] of this.#files) {
      if (file.isUsed) file.isUsed = false;
      else this.#files.delete(key);
    }
  }
}

function* outcomeOf(work: Steps<Loaded<unknown>>): Steps<Outcome> {
  try {
    return { loaded: yield* work };
  } catch (failure) {
    return { failure };
  }
}

function contentOf<T>(outcome: Outcome): T {
  if ('failure' in outcome) throw outcome.failure;
  return outcome.loaded.content as T;
}

export function isOfSystem(failure: unknown): boolean {
  return failure instanceof Error && 'code' in failure;
}
