/** The TPM a command works on: opened for it alone, closed behind it. */
import { tctiOrDevice, unusedTctiVariable } from '../../agent/device-choice.ts';
import type { TpmCommands } from '../../tpm/device/commands.ts';
import { Tpm } from '../../tpm/device/tpm.ts';
import type { TpmOptions } from './options.ts';
import { remark } from './terminal.ts';

/** A slow chip takes most of a minute to make an RSA key; one that hangs looks the same. */
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
