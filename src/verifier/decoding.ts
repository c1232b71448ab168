/** Bytes of a stranger: what they decode to, or the finding that they do not. Pure. */
import { MalformedError, UnsupportedError } from '../bytes/malformed.ts';
import type { FindingCode } from './findings.ts';
import type { Findings } from './verdict.ts';

/** A finding, and its sentence up to the reason. */
export interface Refusal {
  readonly code: FindingCode;
  readonly sentence: string;
}

export const EVIDENCE_MALFORMED: Refusal = { code: 'evidence.malformed', sentence: 'the message cannot be read' };
export const RESPONSE_MALFORMED: Refusal = { code: 'response.malformed', sentence: 'the message cannot be read' };
export const LOG_MALFORMED: Refusal = { code: 'boot.log_malformed', sentence: 'a piece of a boot log cannot be used' };

/**
 * What `read` gives; undefined, with one finding, where it throws a MalformedError.
 *
 * @param unsupported for an algorithm that no code here knows; its sentence ends in the algorithm. Default: as malformed
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
