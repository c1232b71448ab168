/** Evidence files: read with the complaint that fits, and with the parts a command needs. */

import { MalformedError } from '../../bytes/malformed.ts';
import { evidenceFromJson } from '../../evidence/json.ts';
import type { Challenge, ChallengeResponse, Evidence, Payload } from '../../evidence/messages.ts';
import { UsageError } from '../terminal/failure.ts';
import { nameOf, readText } from '../terminal/files.ts';

interface Parts {
  readonly payload: Payload;
  readonly challenge: Challenge;
  readonly response: ChallengeResponse;
}

const MADE_BY: Readonly<Record<keyof Parts, string>> = {
  payload: 'make it with "tpm quote"',
  challenge: 'make it with "challenge"',
  response: 'make it with "tpm quote"',
};

/** An evidence file that holds what no message can: its maker's word, and not another file given by mistake. */
export class MalformedEvidenceError extends UsageError {}

/** @throws UsageError unless the file holds the parts */
export function readEvidence<P extends keyof Parts>(path: string, ...parts: readonly P[]): Evidence & Pick<Parts, P> {
  const evidence = parse(path);
  const missing = parts.find((part) => evidence[part] === undefined);
  if (missing !== undefined) throw new UsageError(`${nameOf(path)} holds no ${missing}; ${MADE_BY[missing]}`);
  return evidence as Evidence & Pick<Parts, P>;
}

function parse(path: string): Evidence {
  const text = readText(path);
  try {
    return evidenceFromJson(text);
  } catch (cause) {
    if (!(cause instanceof MalformedError)) throw cause;
    const Failure = /"(payload|challenge|response)"\s*:/.test(text) ? MalformedEvidenceError : UsageError;
    throw new Failure(`${nameOf(path)} is no evidence file: ${cause.message}; make it anew with "tpm quote"`, {
      cause,
    });
  }
}
