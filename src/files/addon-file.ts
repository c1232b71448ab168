/** Finds, checks and loads an addon, once for each kind. The only file that loads native code. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RegularFileError, readRegularFile } from './regular-file.ts';

/** Which addon it has to be. What is not said is open. */
export interface AddonChoice {
  /** Instead of the one found by itself. */
  readonly path?: string | undefined;
  /** Of the file, lower-case hexadecimal. */
  readonly sha256?: string | undefined;
}

/** What the file is called, and what to tell whoever lacks it. */
export interface AddonKind {
  readonly file: string;
  /** In messages, in front of the word addon. */
  readonly name: string;
  /** Environment variable that names another file. */
  readonly variable: string;
  /** Flags of `process.dlopen`. */
  readonly flags: () => number;
  /** Packages that building it takes. */
  readonly builtWith: string;
  /** What it needs where it cannot be loaded, one sentence. */
  readonly needs: string;
}

/** An addon that this process has loaded. */
export interface LoadedAddon {
  readonly exports: unknown;
  readonly file: string;
  readonly sha256: string;
}

/** Why there is no addon; the message says what to do. */
export class AddonFileError extends Error {
  /** Whole paths of the files that were looked for. */
  readonly sought: readonly string[];

  constructor(message: string, sought: readonly string[], options?: ErrorOptions) {
    super(message, options);
    this.sought = sought;
  }
}

/** An addon of one kind. */
export class AddonFile {
  readonly #kind: AddonKind;
  #loaded: LoadedAddon | undefined;

  constructor(kind: AddonKind) {
    this.#kind = kind;
  }

  get loaded(): LoadedAddon | undefined {
    return this.#loaded;
  }

  /**
   * A process loads one addon of a kind, once; a later choice can only agree with it.
   *
   * @throws AddonFileError naming the files sought, what the linker said, and what to install
   */
  load(choice: AddonChoice): LoadedAddon {
    this.#loaded ??= load(this.#kind, choice);
    const { file, sha256 } = this.#loaded;
    if ((choice.path === undefined ? file : resolve(choice.path)) !== file || (choice.sha256 ?? sha256) !== sha256) {
      const message = `this process has loaded the ${this.#kind.name} addon ${file} (SHA-256 ${sha256}) already: another is loaded after a restart`;
      throw new AddonFileError(message, [file]);
    }
    return this.#loaded;
  }
}

/** Where addons are besides, seen from where this program lies; anywhere else a folder up is somebody else's. */
const ELSEWHERE: readonly (readonly [RegExp, string])[] = [
  // A bundle of the checkout, its sources, and the package as a library.
  [/\/dist\/bin\/$/, '../../build/Release'],
  [/\/src\/files\/$/, '../../build/Release'],
  [/\/dist\/files\/$/, '../bin'],
];

/** The file of the environment variable alone when set; else beside the running bundle; else where `npm run build:native` puts it. */
function candidates({ file, variable }: AddonKind): readonly string[] {
  const chosen = process.env[variable];
  if (chosen !== undefined && chosen !== '') return [chosen];
  const folder = fileURLToPath(new URL('.', import.meta.url));
  const others = ELSEWHERE.filter(([here]) => here.test(folder)).map(([, there]) => join(there, file));
  return [file, ...others].map((path) => join(folder, path));
}

/** No addon is as large. */
const MAX_ADDON_BYTES = 64 * 1024 * 1024;

function readAddon(file: string): Uint8Array {
  try {
    return readRegularFile(file, MAX_ADDON_BYTES);
  } catch (cause) {
    throw cause instanceof RegularFileError ? new Error('not a file of an addon', { cause }) : cause;
  }
}

function load(kind: AddonKind, { path, sha256: wanted }: AddonChoice): LoadedAddon {
  // Whole paths: a name without a slash is one place to whoever reads it and another to the dynamic linker.
  const sought = (path === undefined ? candidates(kind) : [path]).map((candidate) => resolve(candidate));
  const file = sought.find((candidate) => existsSync(candidate));
  if (file === undefined) {
    throw new AddonFileError(
      `the ${kind.name} addon is not there: looked for ${sought.join(', ')}. Put ${kind.file} beside the executable, or build it with \`npm run build:native\`, which needs ` +
        `${kind.builtWith}.`,
      sought,
    );
  }
  const module: { exports: unknown } = { exports: {} };
  let sha256: string;
  try {
    // Whoever may write there can exchange the file between hash and load: the folder must be root's.
    sha256 = createHash('sha256').update(readAddon(file)).digest('hex');
    if (wanted !== undefined && sha256 !== wanted) {
      throw new AddonFileError(
        `the ${kind.name} addon ${file} has the SHA-256 ${sha256}, ${wanted} was asked for: install the addon that belongs to this release`,
        sought,
      );
    }
    process.dlopen(module, file, kind.flags());
  } catch (cause) {
    if (cause instanceof AddonFileError) throw cause;
    throw new AddonFileError(
      `the ${kind.name} addon ${file} cannot be loaded: ${cause instanceof Error ? cause.message.trim() : String(cause)}. ${kind.needs}`,
      sought,
      { cause },
    );
  }
  return { exports: module.exports, file, sha256 };
}
