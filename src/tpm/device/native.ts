/** Finds the native addon and loads it once, when a TPM is first opened. Importing this file loads nothing. */
import { constants } from 'node:os';
import { type AddonChoice, AddonFile, AddonFileError } from '../../files/addon-file.ts';
import { NativeUnavailableError } from './errors.ts';
import type { NativeAddon } from './native-context.ts';

export type { AddonChoice } from '../../files/addon-file.ts';

const ADDON = new AddonFile({
  file: 'tpm_attestor.node',
  name: 'TPM',
  variable: 'TPM_ATTESTOR_ADDON',
  flags: dlopenFlags,
  builtWith: 'build-essential, python3, pkg-config and libtss2-dev',
  needs: 'It needs tpm2-tss 3.2 or newer; on Debian or Ubuntu: apt-get install tpm2-tools (or libtss2-dev).',
});

/**
 * A process loads one addon, once. A later call must choose the same one.
 *
 * @throws NativeUnavailableError naming the files looked for, the message of the linker, and the package to install
 */
export function nativeAddon(choice: AddonChoice = {}): NativeAddon {
  try {
    // The one cast of the boundary; test/native/surface.test.ts holds both sides to the same keys.
    return ADDON.load(choice).exports as NativeAddon;
  } catch (error) {
    if (!(error instanceof AddonFileError)) throw error;
    throw new NativeUnavailableError(error.message, error.sought, { cause: error.cause });
  }
}

/**
 * Ends the process even while a TPM that does not answer blocks a pool thread; `process.exit` would wait for that
 * thread. Exit handlers do not run, and buffered output is lost: write important output synchronously before the call.
 *
 * @param patienceMs longest wait until the keeper has flushed what is loaded in a TPM without resource manager. After
 * that time the keeper goes on flushing, unless it is killed as well.
 */
export function exitProcess(code: number, patienceMs = 0): never {
  // Without the addon no thread can be in a TPM.
  return ADDON.loaded === undefined ? process.exit(code) : nativeAddon().exitProcess(code, patienceMs);
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
