/** Answers the server's requests for pieces of the boot logs that were read beside the quote. Pure. */
import { MalformedError } from '../../bytes/malformed.ts';
import { LOG_PART_BYTES } from '../../evidence/limits.ts';
import { decodeLogRequest, encodeLogPart } from '../../evidence/messages.ts';
import type { ReadBootLog } from './boot-log-files.ts';

/**
 * @param request as received
 * @param logs those that the challenge named
 * @throws MalformedError for a request that the challenge does not cover
 */
export function answerLogRequest(request: Uint8Array, logs: readonly ReadBootLog[]): Uint8Array {
  const { log, offset, maxBytes } = decodeLogRequest(request);
  const read = logs.find(({ number }) => number === log);
  if (read === undefined) throw new MalformedError('LogRequest.log', 0, `the challenge does not name log ${log}`);
  const total = read.bytes.length;
  if (offset > total) throw new MalformedError('LogRequest.offset', 0, `${offset} is beyond the log's ${total} bytes`);
  const data = read.bytes.subarray(offset, offset + Math.min(maxBytes, LOG_PART_BYTES));
  return encodeLogPart({ log, offset, total, data, missing: read.missing ?? '' });
}
