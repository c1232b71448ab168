/** Evidence files: read with the complaint that fits, and with the parts a command needs. */

import { MalformedError } from '../../bytes/malformed.ts';
import { evidenceFromJson } from '../../evidence/json.ts';
import type { Challenge, ChallengeResponse, Evidence, Payload } from '../../evidence/messages.ts';
import { UsageError } from '../terminal/failure.ts';
import { MAX_INPUT_BYTES, nameOf, readBeginning, utf8Text } from '../terminal/files.ts';
import { strangerInsteadOfEvidence } from './evidence-kind.ts';

interface Parts {
  readonly payload: Payload;
  readonly challenge: Challenge;
  readonly response: ChallengeResponse;
}

type WithParts<P extends keyof Parts> = Evidence & Pick<Parts, P>;

const MADE_BY: Readonly<Record<keyof Parts, string>> = {
  payload: 'make one with "tpm quote"',
  challenge: 'make one with "challenge"',
  response: 'make one with "tpm quote"',
};

/** What a node wrote, and no evidence: that is for a verdict to say. */
export class UselessEvidenceError extends Error {}

/** A file of the caller's own. @throws UsageError unless the file holds the parts */
export function readEvidence<P extends keyof Parts>(path: string, ...parts: readonly P[]): WithParts<P> {
  try {
    return readNodesEvidence(path, ...parts);
  } catch (cause) {
    if (!(cause instanceof UselessEvidenceError)) throw cause;
    throw new UsageError(cause.message, { cause });
  }
}

/**
 * A file that a node wrote. No node can make a usage error of a bad verdict by what it writes, except by a file of another
 * kind, which the caller may have given by mistake.
 *
 * @throws UsageError for a file that cannot be read, or is of another kind
 * @throws UselessEvidenceError unless the file holds the parts
 */
export function readNodesEvidence<P extends keyof Parts>(path: string, ...parts: readonly P[]): WithParts<P> {
  const bytes = readBeginning(path, MAX_INPUT_BYTES + 1);
  try {
    return withParts(path, evidenceIn(bytes), parts);
  } catch (cause) {
    if (!(cause instanceof MalformedError)) throw cause;
    const stranger = strangerInsteadOfEvidence(bytes);
    if (stranger !== undefined) throw new UsageError(`${nameOf(path)} is not an evidence file: ${stranger}`, { cause });
    throw new UselessEvidenceError(
      `${nameOf(path)} is not an evidence file: ${cause.message}; make one with "tpm quote"`,
      {
        cause,
      },
    );
  }
}

function withParts<P extends keyof Parts>(path: string, evidence: Evidence, parts: readonly P[]): WithParts<P> {
  const missing = parts.find((part) => evidence[part] === undefined);
  if (missing === undefined) return evidence as WithParts<P>;
  throw new UselessEvidenceError(`${nameOf(path)} holds no ${missing}; ${MADE_BY[missing]}`);
}

function evidenceIn(bytes: Uint8Array): Evidence {
  if (bytes.length === 0) throw new MalformedError('Evidence', 0, 'the file is empty');
  if (bytes.length > MAX_INPUT_BYTES)
    throw new MalformedError('Evidence', MAX_INPUT_BYTES, `over ${MAX_INPUT_BYTES} bytes`);
  const text = utf8Text(bytes);
  if (text === undefined) throw new MalformedError('Evidence', 0, 'not UTF-8 text');
  return evidenceFromJson(text);
}
