/** Turns an error into one sentence and an exit code. */
import { CommanderError } from 'commander';
import { type AgentErrorCode, isAgentError } from '../../agent/agent-error.ts';
import { EndorsementError } from '../../agent/endorsement/load-endorsement.ts';
import { remedyFor } from '../../agent/remedy.ts';
import { ScratchFolderError } from '../../files/scratch-folder.ts';

/** The user can fix it: an argument, a configuration or a file is wrong. The message says how. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'ERR_USAGE';
}

export const EXIT = {
  /** Trusted, or done. */
  OK: 0,
  UNTRUSTED: 1,
  /** Wrong usage, configuration or input file. */
  USAGE: 2,
  /** The TPM or the system failed. */
  FAILED: 3,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface Failure {
  readonly exitCode: ExitCode;
  /** Undefined if it was printed already. */
  readonly sentence: string | undefined;
}

export function failureOf(error: unknown): Failure {
  // Commander has printed help, version or its error itself.
  if (error instanceof CommanderError)
    return { exitCode: error.exitCode === 0 ? EXIT.OK : EXIT.USAGE, sentence: undefined };
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError || error instanceof ScratchFolderError)
    return { exitCode: EXIT.USAGE, sentence: sentence(message) };
  const exitCode = isAgentError(error) ? EXIT_OF[error.code] : EXIT.FAILED;
  return { exitCode, sentence: sentence(`${message}${remedyOf(error)}`) };
}

const EXIT_OF: Readonly<Record<AgentErrorCode, ExitCode>> = {
  ERR_TPM: EXIT.FAILED,
  ERR_NATIVE_UNAVAILABLE: EXIT.FAILED,
  ERR_PCR: EXIT.FAILED,
  ERR_ENDORSEMENT: EXIT.FAILED,
  ERR_MALFORMED: EXIT.FAILED,
  ERR_PASSWORD: EXIT.USAGE,
  ERR_TCTI: EXIT.USAGE,
  ERR_CERTIFICATE_FILE: EXIT.USAGE,
};

function remedyOf(error: unknown): string {
  if (error instanceof EndorsementError) return '; run "tpm info" to see the keys of this TPM';
  if (error instanceof Error && 'remedy' in error && typeof error.remedy === 'string') return `; ${error.remedy}`;
  const remedy = remedyFor(error, '--endorsement-auth-file or --owner-auth-file');
  return remedy === undefined ? '' : `; ${remedy}`;
}

/** Joins a message of several lines into one line. */
function sentence(message: string): string {
  return message.trim().replace(/\s*\n\s*/g, ': ');
}
