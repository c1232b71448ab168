/** Finds the native addon and loads it once, when a TPM is first opened. Importing this file loads nothing. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RegularFileError, readRegularFile } from '../../files/regular-file.ts';
import { NativeUnavailableError } from './errors.ts';
import type { NativeAddon } from './native-context.ts';

const FILE = 'tpm_attestor.node';

/** Which addon to load. A field that is undefined sets no condition. */
export interface AddonChoice {
  /** The file to load, instead of searching for it. */
  readonly path?: string | undefined;
  /** SHA-256 of the file, in lower-case hexadecimal. */
  readonly sha256?: string | undefined;
}

interface LoadedAddon {
  readonly addon: NativeAddon;
  readonly file: string;
  readonly sha256: string;
}

let loaded: LoadedAddon | undefined;

/**
 * A process loads one addon, once. A later call must choose the same one.
 *
 * @throws NativeUnavailableError naming the files looked for, the message of the linker, and the package to install
 */
export function nativeAddon(choice: AddonChoice = {}): NativeAddon {
  loaded ??= load(choice);
  const { addon, file, sha256 } = loaded;
  if ((choice.path === undefined ? file : resolve(choice.path)) !== file || (choice.sha256 ?? sha256) !== sha256) {
    const message = `this process has loaded the TPM addon ${file} (SHA-256 ${sha256}) already; restart it to load another one`;
    throw new NativeUnavailableError(message, [file]);
  }
  return addon;
}

/**
 * Ends the process even while a TPM that does not answer blocks a pool thread; `process.exit` would wait for that
 * thread. Exit handlers do not run, and buffered output is lost: write important output synchronously before the call.
 *
 * @param patienceMs longest wait until the keeper has flushed what is loaded in a TPM without resource manager. After
 * that time the keeper goes on flushing, unless it is killed as well.
 */
export function exitProcess(code: number, patienceMs = 0): never {
  // Without the addon no thread can be waiting for a TPM.
  return loaded === undefined ? process.exit(code) : loaded.addon.exitProcess(code, patienceMs);
}

/**
 * Other folders of the addon, relative to each known folder of this program. Elsewhere, a parent folder is not ours.
 */
const ELSEWHERE: readonly (readonly [RegExp, string])[] = [
  // A bundle in the checkout, the sources in the checkout, and the installed package as a library.
  [/\/dist\/bin\/$/, '../../build/Release'],
  [/\/src\/tpm\/device\/$/, '../../../build/Release'],
  [/\/dist\/tpm\/device\/$/, '../../bin'],
];

/**
 * Only `TPM_ATTESTOR_ADDON` when it is set. Otherwise the folder of the program, then the output of `npm run
 * build:native`.
 */
function candidates(): readonly string[] {
  const chosen = process.env['TPM_ATTESTOR_ADDON'];
  if (chosen !== undefined && chosen !== '') return [chosen];
  const folder = fileURLToPath(new URL('.', import.meta.url));
  const others = ELSEWHERE.filter(([here]) => here.test(folder)).map(([, there]) => join(there, FILE));
  return [FILE, ...others].map((path) => join(folder, path));
}

/**
 * With RTLD_DEEPBIND the addon's libraries use their own OpenSSL. Without it they call the OpenSSL inside `node`, which
 * may be another version. musl has no such flag. AddressSanitizer does not work with it, hence
 * `TPM_ATTESTOR_ADDON_FLAGS=default`.
 */
function dlopenFlags(): number {
  const { RTLD_NOW, RTLD_DEEPBIND } = constants.dlopen as { RTLD_NOW: number; RTLD_DEEPBIND?: number };
  const deep = process.env['TPM_ATTESTOR_ADDON_FLAGS'] === 'default' ? 0 : (RTLD_DEEPBIND ?? 0);
  return RTLD_NOW | deep;
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

function load({ path, sha256: wanted }: AddonChoice): LoadedAddon {
  // Absolute paths: the dynamic linker searches its own folders for a name without a slash.
  const sought = (path === undefined ? candidates() : [path]).map((candidate) => resolve(candidate));
  const file = sought.find((candidate) => existsSync(candidate));
  if (file === undefined) {
    throw new NativeUnavailableError(
      `the TPM addon is not there: looked for ${sought.join(', ')}. Put ${FILE} beside the executable, or build it with \`npm run build:native\`, which needs ` +
        'build-essential, python3, pkg-config and libtss2-dev.',
      sought,
    );
  }
  const module: { exports: unknown } = { exports: {} };
  let sha256: string;
  try {
    // A user who may write to the folder could exchange the file between hash and load. So the folder must belong to
    // root.
    sha256 = createHash('sha256').update(readAddon(file)).digest('hex');
    if (wanted !== undefined && sha256 !== wanted) {
      throw new NativeUnavailableError(
        `the TPM addon ${file} has the SHA-256 ${sha256}, not the expected ${wanted}; install the addon that belongs to this release`,
        sought,
      );
    }
    process.dlopen(module, file, dlopenFlags());
  } catch (cause) {
    if (cause instanceof NativeUnavailableError) throw cause;
    throw new NativeUnavailableError(
      `the TPM addon ${file} cannot be loaded: ${cause instanceof Error ? cause.message.trim() : String(cause)}. ` +
        'It needs tpm2-tss 3.2 or newer; on Debian or Ubuntu: apt-get install tpm2-tools (or libtss2-dev).',
      sought,
      { cause },
    );
  }
  // This cast is unchecked; test/native/surface.test.ts holds both sides to the same keys.
  return { addon: module.exports as NativeAddon, file, sha256 };
}
