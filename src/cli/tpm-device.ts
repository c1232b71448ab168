/** The TPM a command works on: opened for it alone, closed behind it. */
import { existsSync } from 'node:fs';
import type { TpmCommands } from '../tpm/commands.ts';
import { Tpm } from '../tpm/tpm.ts';
import { UsageError } from './failure.ts';
import type { TpmOptions } from './options.ts';

/** The resource manager of the kernel first: it shares the TPM with others. */
const DEVICES = ['/dev/tpmrm0', '/dev/tpm0'] as const;

/** @throws UsageError when none is named and the machine shows none */
export function tctiOf({ tcti }: TpmOptions): string {
  if (tcti !== undefined) return tcti;
  const device = DEVICES.find((path) => existsSync(path));
  if (device === undefined)
    throw new UsageError(`there is no TPM: neither ${DEVICES.join(' nor ')} exists; name one with --tcti`);
  return `device:${device}`;
}

export async function withTpm<T>(options: TpmOptions, work: (run: TpmCommands) => Promise<T>): Promise<T> {
  const tpm = await Tpm.open(tctiOf(options));
  try {
    return await tpm.exclusive(work);
  } finally {
    await tpm.close();
  }
}
