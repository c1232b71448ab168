/** Decodes untrusted bytes, and turns a decoding error into a finding. Pure. */
import { MalformedError, UnsupportedError } from '../bytes/malformed.ts';
import type { FindingCode } from './findings.ts';
import type { Findings } from './verdict.ts';

/** The code of a finding, and its sentence up to the reason. */
export interface Refusal {
  readonly code: FindingCode;
  readonly sentence: string;
}

export const EVIDENCE_MALFORMED: Refusal = { code: 'evidence.malformed', sentence: 'the message cannot be read' };
export const RESPONSE_MALFORMED: Refusal = { code: 'response.malformed', sentence: 'the message cannot be read' };
export const LOG_MALFORMED: Refusal = { code: 'boot.log_malformed', sentence: 'a piece of a boot log cannot be used' };

/**
 * Returns the result of `read`. Undefined, with one finding, if `read` throws a MalformedError.
 *
 * @param unsupported the finding for an unsupported algorithm, whose name ends the sentence. Default: `malformed`
 */
export function decodedOr<T>(
  findings: Findings,
  read: () => T,
  malformed: Refusal,
  unsupported?: Refusal,
): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    if (unsupported !== undefined && error instanceof UnsupportedError)
      findings.add(unsupported.code, `${unsupported.sentence} ${error.algorithm}, which is not supported`);
    else findings.add(malformed.code, `${malformed.sentence}: ${error.message}`);
    return undefined;
  }
}
