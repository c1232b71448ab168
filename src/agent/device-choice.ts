/** Chooses the TPM: the configured TCTI string of tpm2-tss, or the machine's own device. */
import { existsSync } from 'node:fs';
import { transportOf } from '../tpm/device/tcti.ts';

/** The device with the kernel's resource manager comes first, because other software can use the TPM beside it. */
export const DEVICES = ['/dev/tpmrm0', '/dev/tpm0'] as const;

/**
 * The configured string, or the first device that exists. When none exists, the preferred one, for the error message.
 */
export function tctiOrDevice(configured: string | undefined): string {
  return configured ?? `device:${DEVICES.find((path) => existsSync(path)) ?? DEVICES[0]}`;
}

/**
 * The warning to give when the variable of tpm2-tools is set and no TPM is configured. The variable is ignored: left
 * over from a test, it could select a software TPM whose keys an attacker owns.
 *
 * @param option the option that configures the TPM
 */
export function unusedTctiVariable(
  configured: string | undefined,
  option: string,
  environment: NodeJS.ProcessEnv = process.env,
): string | undefined {
  const named = environment[TOOLS_VARIABLE];
  if (configured !== undefined || !named) return undefined;
  return `${TOOLS_VARIABLE} is set and is ignored: the TPM is ${tctiOrDevice(undefined)}; to use another TPM set ${option}`;
}

const TOOLS_VARIABLE = 'TPM2TOOLS_TCTI';

/** True unless the string names a device or tpm2-abrmd. Anyone can run a software TPM and know its keys. */
export function isSoftwareTcti(tcti: string): boolean {
  return !['device', 'tabrmd'].includes(transportOf(tcti).module);
}
