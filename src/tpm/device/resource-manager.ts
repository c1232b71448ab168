/** Who cleans up behind a connection to the TPM, by its TCTI string. */
import { existsSync } from 'node:fs';
import { realPathOf, transportOf } from './tcti.ts';

/**
 * `manager`: the kernel's resource manager or tpm2-abrmd frees what a connection loaded when it ends. `keeper`: nobody
 * does, so a process of ours talks to the TPM and outlives us. `nobody`: a simulator that one process has to itself.
 */
export type CleanUp = 'manager' | 'keeper' | 'nobody';

/** The one that tpm2-tss takes where the string names none. */
const DEFAULT_DEVICE = '/dev/tpmrm0';

export function cleanUpOf(tcti: string): CleanUp {
  const { module, conf } = transportOf(tcti);
  if (module === 'tabrmd') return 'manager';
  if (module === 'swtpm') return 'keeper';
  if (module !== 'device') return 'nobody';
  const path = conf === '' && existsSync(DEFAULT_DEVICE) ? DEFAULT_DEVICE : conf;
  return /\/tpmrm\d+$/.test(realPathOf(path)) ? 'manager' : 'keeper';
}
