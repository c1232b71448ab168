/** Opens the TPM for one command, and closes it afterwards. */
import { tctiOrDevice, unusedTctiVariable } from '../../agent/device-choice.ts';
import type { TpmCommands } from '../../tpm/device/commands.ts';
import { Tpm } from '../../tpm/device/tpm.ts';
import type { TpmOptions } from './options.ts';
import { remark } from './terminal.ts';

/**
 * After this time a notice is printed: a slow chip may need most of a minute for an RSA key, and looks like a hanging
 * one.
 */
const PATIENCE_MS = 5000;

export async function withTpm<T>({ tcti }: TpmOptions, work: (run: TpmCommands) => Promise<T>): Promise<T> {
  const name = tctiOrDevice(tcti);
  const unused = unusedTctiVariable(tcti, '--tcti or TPM_ATTESTOR_TCTI');
  if (unused !== undefined) remark(unused);
  const notice = setTimeout(
    () => remark(`still waiting for the TPM at ${name}: it is slow, or other software uses it; press Ctrl-C to stop`),
    PATIENCE_MS,
  );
  try {
    const tpm = await Tpm.open(name);
    try {
      return await tpm.exclusive(work);
    } finally {
      await tpm.close();
    }
  } finally {
    clearTimeout(notice);
  }
}
