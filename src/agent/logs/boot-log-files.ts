/** The boot logs of this machine, read after its quote: what they hold beyond the quote the server leaves out. */
import { type BootLogKind, bootLogKindOf, LOG_BYTES, type MissingLog } from '../../evidence/boot-logs.ts';
import { RegularFileError, regularFile } from '../../files/regular-file.ts';
import { inSlices } from '../../files/steps.ts';

/** A path for each log. */
export type BootLogFiles = Readonly<Record<BootLogKind, string>>;

/** The kernel's copy of the firmware's log, and the log that systemd writes since release 255. */
export const BOOT_LOG_FILES: BootLogFiles = {
  firmware: '/sys/kernel/security/tpm0/binary_bios_measurements',
  userspace: '/run/log/systemd/tpm2-measure.log',
};

/** A log as it was read, or why there is none. */
export interface ReadBootLog {
  /** Of `Challenge.logs`. */
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly missing: MissingLog | undefined;
  /** For this machine's own log: what is missing, why, and what to do; undefined where nothing is to be done. */
  readonly note: string | undefined;
}

/** What to do about a log that is not read. */
const REMEDIES: Readonly<Record<'absent' | 'forbidden' | 'unreadable' | 'too-large', (option: string) => string>> = {
  absent: (option) =>
    `set ${option} to its path, where this machine has the log elsewhere; a kernel without securityfs or a firmware without TPM 2.0 log has none`,
  forbidden: (option) =>
    `run the agent as root, or give it the log as a credential of its systemd unit (LoadCredential=) and set ${option} to that file`,
  unreadable: (option) => `set ${option} to a regular file`,
  'too-large': (option) => `set ${option} to the log of this boot alone`,
};

/** Reads each log once, in the order in which the challenge names them. */
export async function readBootLogs(
  numbers: readonly number[],
  files: BootLogFiles,
  signal: AbortSignal,
): Promise<readonly ReadBootLog[]> {
  const read: ReadBootLog[] = [];
  for (const number of numbers) read.push(await readBootLog(number, files, signal));
  return read;
}

async function readBootLog(number: number, files: BootLogFiles, signal: AbortSignal): Promise<ReadBootLog> {
  const without = (missing: MissingLog, note: string): ReadBootLog => ({
    number,
    bytes: new Uint8Array(),
    missing,
    note,
  });
  const log = bootLogKindOf(number);
  if (log === undefined) return without('unknown', `the server asks for boot log ${number}; update the agent`);
  try {
    // The kernel's file has size 0, and is made anew for whoever opens it: it is read once, to its end.
    const bytes = await inSlices(regularFile(files[log], LOG_BYTES), signal);
    return { number, bytes, missing: undefined, note: undefined };
  } catch (error) {
    const missing = missingOf(error);
    if (missing === undefined || !(error instanceof Error)) throw error;
    return without(missing, `the server asks for the ${log} log: ${error.message}; ${REMEDIES[missing](`${log}_log`)}`);
  }
}

/** Undefined for an error that is no file's. */
function missingOf(error: unknown): keyof typeof REMEDIES | undefined {
  if (error instanceof RegularFileError) return error.found === 'too large' ? 'too-large' : 'unreadable';
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'absent';
  if (code === 'EACCES' || code === 'EPERM') return 'forbidden';
  return typeof code === 'string' && code.startsWith('E') ? 'unreadable' : undefined;
}
