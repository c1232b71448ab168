/**
 * Why a file cannot be used: the message of node:fs without the error code, the call and the path.
 * It continues a sentence that has already named the file.
 */
export function fileFailure(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.replace(/^[A-Z]+: /, '').replace(/, \w+( '.*')?$/, '');
}
