/** How the TPM is reached: the TCTI string of tpm2-tss. */
import { existsSync } from 'node:fs';

/** With the kernel's resource manager first: other software on the machine then keeps its own slots. */
const DEVICES = ['/dev/tpmrm0', '/dev/tpm0'] as const;

/** The configured string, or the device that is there; the preferred one when there is none, so that the error names it. */
export function tctiOrDevice(configured: string | undefined): string {
  return configured ?? `device:${DEVICES.find((path) => existsSync(path)) ?? DEVICES[0]}`;
}

/** True unless a device or the resource manager daemon is behind it. Anyone may run a software TPM and own its keys. */
export function isSoftwareTcti(tcti: string): boolean {
  const reached = tcti.replace(/^(pcap:)+/, '');
  const [name = ''] = reached.split(':');
  return !/^(libtss2-tcti-)?(device|tabrmd)(\.so.*)?$/.test(name);
}
