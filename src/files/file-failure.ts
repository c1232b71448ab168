/** Why a file cannot be used, for a sentence that has named it: the words of node:fs without its call and the path. */
export function fileFailure(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.replace(/^[A-Z]+: /, '').replace(/, \w+( '.*')?$/, '');
}
