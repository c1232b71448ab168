/** Finds, checks and loads an addon, once for each kind. The only file that loads native code. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RegularFileError, readRegularFile } from './regular-file.ts';

/** Which addon to load. A field that is undefined sets no condition. */
export interface AddonChoice {
  /** The file to load, instead of searching for it. */
  readonly path?: string | undefined;
  /** SHA-256 of the file, in lower-case hexadecimal. */
  readonly sha256?: string | undefined;
}

/** One kind of addon: its file, and what to tell a user who lacks it. */
export interface AddonKind {
  readonly file: string;
  /** Stands in messages before the word addon. */
  readonly name: string;
  /** Environment variable that names another file. */
  readonly variable: string;
  /** Flags of `process.dlopen`. */
  readonly flags: () => number;
  /** The packages that building it needs. */
  readonly builtWith: string;
  /** One sentence: what it needs to load. */
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
  /** Absolute paths of the files that were looked for. */
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
   * A process loads one addon of a kind, once. A later call must choose the same one.
   *
   * @throws AddonFileError naming the files looked for, the message of the linker, and the package to install
   */
  load(choice: AddonChoice): LoadedAddon {
    this.#loaded ??= load(this.#kind, choice);
    const { file, sha256 } = this.#loaded;
    if ((choice.path === undefined ? file : resolve(choice.path)) !== file || (choice.sha256 ?? sha256) !== sha256) {
      const message = `this process has loaded the ${this.#kind.name} addon ${file} (SHA-256 ${sha256}) already; restart it to load another one`;
      throw new AddonFileError(message, [file]);
    }
    return this.#loaded;
  }
}

/** Other folders of addons, relative to each known folder of this program. Elsewhere, a parent folder is not ours. */
const ELSEWHERE: readonly (readonly [RegExp, string])[] = [
  // A bundle in the checkout, the sources in the checkout, and the installed package as a library.
  [/\/dist\/bin\/$/, '../../build/Release'],
  [/\/src\/files\/$/, '../../build/Release'],
  [/\/dist\/files\/$/, '../bin'],
];

/** Only the file of the environment variable, when it is set. Otherwise the program's folder, then the build's output. */
function candidates({ file, variable }: AddonKind): readonly string[] {
  const chosen = process.env[variable];
  if (chosen !== undefined && chosen !== '') return [chosen];
  const folder = fileURLToPath(new URL('.', import.meta.url));
  const others = ELSEWHERE.filter(([here]) => here.test(folder)).map(([, there]) => join(there, file));
  return [file, ...others].map((path) => join(folder, path));
}

/** Far larger than any addon. */
const MAX_ADDON_BYTES = 64 * 1024 * 1024;

function readAddon(file: string): Uint8Array {
  try {
    return readRegularFile(file, MAX_ADDON_BYTES);
  } catch (cause) {
    throw cause instanceof RegularFileError ? new Error('the file is not an addon', { cause }) : cause;
  }
}

function load(kind: AddonKind, { path, sha256: wanted }: AddonChoice): LoadedAddon {
  // Absolute paths: the dynamic linker searches its own folders for a name without a slash.
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
    // A user who may write to the folder could exchange the file between hash and load. So it must belong to root.
    sha256 = createHash('sha256').update(readAddon(file)).digest('hex');
    if (wanted !== undefined && sha256 !== wanted) {
      throw new AddonFileError(
        `the ${kind.name} addon ${file} has the SHA-256 ${sha256}, not the expected ${wanted}; install the addon that belongs to this release`,
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
