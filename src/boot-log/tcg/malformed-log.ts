import { MalformedError } from '../../bytes/malformed.ts';

/** Why a log is refused as a whole. A log that is read may still have problems of its own (`LogProblem`). */
export type RefusalCode =
  | 'log.empty'
  | 'log.too_large'
  | 'log.too_many_events'
  | 'log.event_too_large'
  | 'log.truncated'
  | 'log.spec_id'
  | 'log.digests'
  | 'log.pcr_index'
  | 'userspace.too_large'
  | 'userspace.too_many_records'
  | 'userspace.malformed';

/** Bytes that are no event log, or more than a log may have. Nothing of it is used. */
export class MalformedLogError extends MalformedError {
  override readonly name: string = 'MalformedLogError';
  readonly problem: RefusalCode;

  /**
   * @param path the event and its field: `event 12.digestCount`
   * @param offset in bytes from the start of the log
   */
  constructor(problem: RefusalCode, path: string, offset: number, reason: string) {
    super(path, offset, reason);
    this.problem = problem;
  }
}
