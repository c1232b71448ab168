/** A claim has a value or the reason why there is none. */
import { type BootLog, type Claim, MalformedLogError, readBootLog } from 'tpm-attestor/boot-log';

export function textOf(claim: Claim<'enabled' | 'disabled'>): string {
  // @ts-expect-error: a claim may have been withheld
  claim.value;
  return 'value' in claim ? claim.value : claim.withheld;
}

export function read(bytes: Uint8Array, values: ReadonlyMap<number, Uint8Array>): BootLog | string {
  try {
    return readBootLog(bytes, { pcrValues: new Map([['sha256', values]]) });
  } catch (error) {
    if (error instanceof MalformedLogError) return error.problem;
    throw error;
  }
}

export function commandLineOf({ claims: { kernelCommandLine } }: BootLog): string | undefined {
  if ('withheld' in kernelCommandLine) return undefined;
  const line = kernelCommandLine.value;
  // @ts-expect-error: the text of a unified kernel image is not in the log
  line.text;
  return line.source === 'uki' ? undefined : line.text;
}
