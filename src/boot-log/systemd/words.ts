/** Words that systemd measures as they are (systemd-pcrphase.service(8), systemd-pcrextend). */

/** Of PCR 11, in the order of a boot. */
export const BOOT_PHASES: readonly string[] = ['enter-initrd', 'leave-initrd', 'sysinit', 'ready', 'shutdown', 'final'];

/** Of PCRs 0-7, 9 and 12-14, once each, since release 261. */
export const OS_SEPARATOR = 'os-separator';
