/** Reads evidence files, checks that they have the parts a command needs, and chooses the fitting error. */

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

/** A node wrote the file, but it is not valid evidence. The command reports that as a verdict, not as wrong usage. */
export class UselessEvidenceError extends Error {}

/** Reads the user's own file. @throws UsageError unless the file holds the parts */
export function readEvidence<P extends keyof Parts>(path: string, ...parts: readonly P[]): WithParts<P> {
  try {
    return readNodesEvidence(path, ...parts);
  } catch (cause) {
    if (!(cause instanceof UselessEvidenceError)) throw cause;
    throw new UsageError(cause.message, { cause });
  }
}

/**
 * Reads a file that a node wrote. A node must not be able to turn a bad verdict into a usage error by what it writes.
 * Only a file of another kind is a usage error: the user may have given it by mistake.
 *
 * @throws UsageError if the file cannot be read, or is of another kind
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
