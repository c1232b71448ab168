/** The boot logs that a server may ask for, and why an agent may lack one. Pure. */

/** `firmware`: the TCG event log as the kernel gives it. `userspace`: systemd's tpm2-measure.log. */
export type BootLogKind = 'firmware' | 'userspace';

/** The number of each log in messages. */
export const LOG_NUMBERS: Readonly<Record<BootLogKind, number>> = { firmware: 1, userspace: 2 };

export function isBootLogKind(text: string): text is BootLogKind {
  return Object.hasOwn(LOG_NUMBERS, text);
}

/** What is wrong with a list of boot logs, as the end of a sentence; undefined for a sound one. */
export function bootLogsProblem(list: readonly string[]): string | undefined {
  return list.every(isBootLogKind) && new Set(list).size === list.length
    ? undefined
    : `must list "${Object.keys(LOG_NUMBERS).join('" or "')}", each once, and nothing else`;
}

/** Undefined for a number of a log that this release does not know. */
export function bootLogKindOf(number: number): BootLogKind | undefined {
  return (Object.keys(LOG_NUMBERS) as BootLogKind[]).find((log) => LOG_NUMBERS[log] === number);
}

/** Why the agent sends no log: there is no such file; it may not read it; it cannot read it; it is over the limit. */
export type MissingLog = 'absent' | 'forbidden' | 'unreadable' | 'too-large' | 'unknown';
/** Every reason. */
export const MISSING_LOG: readonly MissingLog[] = ['absent', 'forbidden', 'unreadable', 'too-large', 'unknown'];

/**
 * Bytes of the longest log that an agent reads and a server takes. Firmware logs of real machines have up to 73 KiB, and
 * an area of 1 MiB is the largest known.
 */
export const LOG_BYTES: number = 1024 * 1024;
