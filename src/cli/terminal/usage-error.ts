/** What the caller can put right: an argument, a configuration, a file. The message says how. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'ERR_USAGE';
}
