/** The TPM a command works on: opened for it alone, closed behind it. */
import { tctiOrDevice } from '../agent/tcti.ts';
import type { TpmCommands } from '../tpm/commands.ts';
import { Tpm } from '../tpm/tpm.ts';
import type { TpmOptions } from './options.ts';

export async function withTpm<T>({ tcti }: TpmOptions, work: (run: TpmCommands) => Promise<T>): Promise<T> {
  const tpm = await Tpm.open(tctiOrDevice(tcti));
  try {
    return await tpm.exclusive(work);
  } finally {
    await tpm.close();
  }
}
