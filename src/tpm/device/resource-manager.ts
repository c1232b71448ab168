/** Tells from a TCTI string who flushes what a connection left loaded in the TPM. */
import { existsSync } from 'node:fs';
import { realPathOf, transportOf } from './tcti.ts';

/**
 * `manager`: the kernel's resource manager or tpm2-abrmd flushes it when the connection ends. `keeper`: our own keeper
 * process talks to the TPM, outlives this process and flushes it. `nobody`: only one process uses the simulator.
 */
export type CleanUp = 'manager' | 'keeper' | 'nobody';

/** tpm2-tss opens this device when the string names none. */
const DEFAULT_DEVICE = '/dev/tpmrm0';

export function cleanUpOf(tcti: string): CleanUp {
  const { module, conf } = transportOf(tcti);
  if (module === 'tabrmd') return 'manager';
  if (module === 'swtpm') return 'keeper';
  if (module !== 'device') return 'nobody';
  const path = conf === '' && existsSync(DEFAULT_DEVICE) ? DEFAULT_DEVICE : conf;
  return /\/tpmrm\d+$/.test(realPathOf(path)) ? 'manager' : 'keeper';
}
