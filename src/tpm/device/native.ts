/** Finds and loads the addon, once, when a TPM is first opened. Importing this file loads nothing. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RegularFileError, readRegularFile } from '../../files/regular-file.ts';
import { NativeUnavailableError } from './errors.ts';
import type { NativeAddon } from './native-context.ts';

const FILE = 'tpm_attestor.node';

/** Which addon it has to be. What is not said is open. */
export interface AddonChoice {
  /** Instead of the one found by itself. */
  readonly path?: string | undefined;
  /** Of the file, lower-case hexadecimal. */
  readonly sha256?: string | undefined;
}

interface LoadedAddon {
  readonly addon: NativeAddon;
  readonly file: string;
  readonly sha256: string;
}

let loaded: LoadedAddon | undefined;

/**
 * A process loads one addon, once; a later choice can only agree with it.
 *
 * @throws NativeUnavailableError naming the files sought, what the linker said, and what to install
 */
export function nativeAddon(choice: AddonChoice = {}): NativeAddon {
  loaded ??= load(choice);
  const { addon, file, sha256 } = loaded;
  if ((choice.path === undefined ? file : resolve(choice.path)) !== file || (choice.sha256 ?? sha256) !== sha256) {
    const message = `this process has loaded the TPM addon ${file} (SHA-256 ${sha256}) already: another is loaded after a restart`;
    throw new NativeUnavailableError(message, [file]);
  }
  return addon;
}

/**
 * Ends the process, also while a TPM that does not answer blocks a pool thread: `process.exit` would wait for that
 * thread. Exit handlers do not run and buffered output is lost; write what must be seen synchronously before.
 *
 * @param patienceMs for what is still loaded in a TPM without resource manager. It is flushed also after that, by the
 * process that keeps the TPM, unless that is killed as well.
 */
export function exitProcess(code: number, patienceMs = 0): never {
  // Without the addon no thread can be in a TPM.
  return loaded === undefined ? process.exit(code) : loaded.addon.exitProcess(code, patienceMs);
}

/** Where the addon is besides, seen from where this program lies; anywhere else a folder up is somebody else's. */
const ELSEWHERE: readonly (readonly [RegExp, string])[] = [
  // A bundle of the checkout, its sources, and the package as a library.
  [/\/dist\/bin\/$/, '../../build/Release'],
  [/\/src\/tpm\/device\/$/, '../../../build/Release'],
  [/\/dist\/tpm\/device\/$/, '../../bin'],
];

/** `TPM_ATTESTOR_ADDON` alone when set; else beside the running bundle; else where `npm run build:native` puts it. */
function candidates(): readonly string[] {
  const chosen = process.env['TPM_ATTESTOR_ADDON'];
  if (chosen !== undefined && chosen !== '') return [chosen];
  const folder = fileURLToPath(new URL('.', import.meta.url));
  const others = ELSEWHERE.filter(([here]) => here.test(folder)).map(([, there]) => join(there, FILE));
  return [FILE, ...others].map((path) => join(folder, path));
}

/**
 * With DEEPBIND the addon's libraries find their own OpenSSL; without it their calls land in the one inside `node`,
 * whatever its version. Undefined where the C library has no such flag (musl). AddressSanitizer cannot work with it,
 * hence `TPM_ATTESTOR_ADDON_FLAGS=default`.
 */
function dlopenFlags(): number {
  const { RTLD_NOW, RTLD_DEEPBIND } = constants.dlopen as { RTLD_NOW: number; RTLD_DEEPBIND?: number };
  const deep = process.env['TPM_ATTESTOR_ADDON_FLAGS'] === 'default' ? 0 : (RTLD_DEEPBIND ?? 0);
  return RTLD_NOW | deep;
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

function load({ path, sha256: wanted }: AddonChoice): LoadedAddon {
  // Whole paths: a name without a slash is one place to whoever reads it and another to the dynamic linker.
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
    // Whoever may write there can exchange the file between hash and load: the folder must be root's.
    sha256 = createHash('sha256').update(readAddon(file)).digest('hex');
    if (wanted !== undefined && sha256 !== wanted) {
      throw new NativeUnavailableError(
        `the TPM addon ${file} has the SHA-256 ${sha256}, ${wanted} was asked for: install the addon that belongs to this release`,
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
  // The one cast of the boundary; test/native/surface.test.ts holds both sides to the same keys.
  return { addon: module.exports as NativeAddon, file, sha256 };
}
