/** The errors of the TPM device and its software. A verdict of the verifier is not an error. */
import { decodeResponseCode, type FaultyArgument, type Layer } from '../structures/response-code.ts';

/** What the addon throws: a raw TSS2_RC and the command that failed. */
interface NativeFailure {
  readonly rc: number;
  readonly command: string;
  /** The input field that could not be unmarshalled. In this case the addon sent nothing. */
  readonly field?: string;
}

/**
 * The TPM, or the software in front of it, answered with an error code.
 *
 * The message is a sentence: `TPM2_Quote: TPM_RC_BAD_AUTH on session 1 (authorization failure without DA
 * implications)`.
 */
export class TpmError extends Error {
  /** `TPM_RC_AUTH_FAIL`, `TSS2_TCTI_RC_IO_ERROR`. */
  override readonly name: string;
  readonly code: 'ERR_TPM' = 'ERR_TPM' as const;
  /** The raw TSS2_RC. */
  readonly rc: number;
  /** The layer that answered: the TPM itself, or a part of tpm2-tss. */
  readonly layer: Layer;
  readonly argument?: FaultyArgument;
  /** `TPM2_Quote`, or the ESYS function. */
  readonly command: string;
  /** True when the same command may succeed a little later. tpm2-tss has already retried it several times. */
  readonly retryable: boolean;

  /** @internal */
  constructor(failure: NativeFailure, options?: ErrorOptions) {
    const { layer, name, description, argument, retryable } = decodeResponseCode(failure.rc);
    const where = argument === undefined ? '' : ` on ${argument.kind} ${argument.index}`;
    const field = failure.field === undefined ? '' : ` in ${failure.field}`;
    super(`${failure.command}: ${name}${where}${field} (${description})`, options);
    this.rc = failure.rc;
    this.layer = layer;
    this.name = name;
    if (argument !== undefined) this.argument = argument;
    this.command = failure.command;
    this.retryable = retryable;
  }

  /**
   * The TpmError for what the addon threw; returns a value without a code unchanged.
   *
   * @param command name for the message, in place of the addon's name
   */
  static from(thrown: unknown, command?: string): unknown {
    if (!isNativeFailure(thrown)) return thrown;
    const { rc, field } = thrown;
    const failure = { rc, command: command ?? thrown.command, ...(field === undefined ? {} : { field }) };
    return new TpmError(failure, { cause: thrown });
  }
}

/** A TCTI string names a file that is not a TPM. Nothing was opened. The message ends with the remedy. */
export class TctiError extends Error {
  override readonly name: string = 'TctiError';
  readonly code: 'ERR_TCTI' = 'ERR_TCTI' as const;
}

/** The addon, or tpm2-tss under it, cannot be loaded on this machine. */
export class NativeUnavailableError extends Error {
  override readonly name: string = 'NativeUnavailableError';
  readonly code: 'ERR_NATIVE_UNAVAILABLE' = 'ERR_NATIVE_UNAVAILABLE' as const;
  /** The files that were looked for, in order. */
  readonly sought: readonly string[];

  constructor(message: string, sought: readonly string[], options?: ErrorOptions) {
    super(message, options);
    this.sought = sought;
  }
}

export type DeviceError = TpmError | TctiError | NativeUnavailableError;

function isNativeFailure(thrown: unknown): thrown is Error & NativeFailure {
  return (
    thrown instanceof Error &&
    'rc' in thrown &&
    typeof thrown.rc === 'number' &&
    'command' in thrown &&
    typeof thrown.command === 'string'
  );
}
