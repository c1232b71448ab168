/** How the TPM is reached: the TCTI string of tpm2-tss. */
import { existsSync } from 'node:fs';
import { transportOf } from '../tpm/device/tcti.ts';

/** With the kernel's resource manager first: other software on the machine then keeps its own slots. */
export const DEVICES = ['/dev/tpmrm0', '/dev/tpm0'] as const;

/** The configured string, or the device that is there; the preferred one when there is none, so that the error names it. */
export function tctiOrDevice(configured: string | undefined): string {
  return configured ?? `device:${DEVICES.find((path) => existsSync(path)) ?? DEVICES[0]}`;
}

/**
 * What to say where tpm2-tools' own variable is set and no TPM was configured. It is not followed: a variable left over from
 * a test would name another TPM, with keys that anybody may own, for this machine's.
 *
 * @param option how a TPM is named instead
 */
export function unusedTctiVariable(
  configured: string | undefined,
  option: string,
  environment: NodeJS.ProcessEnv = process.env,
): string | undefined {
  const named = environment[TOOLS_VARIABLE];
  if (configured !== undefined || !named) return undefined;
  return `${TOOLS_VARIABLE} is set and is not used: the TPM is ${tctiOrDevice(undefined)}; to use the other one set ${option}`;
}

const TOOLS_VARIABLE = 'TPM2TOOLS_TCTI';

/** True unless a device or the resource manager daemon is behind it. Anyone may run a software TPM and own its keys. */
export function isSoftwareTcti(tcti: string): boolean {
  return !['device', 'tabrmd'].includes(transportOf(tcti).module);
}
