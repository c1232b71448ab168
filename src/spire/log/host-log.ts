/** A plugin's standard error, which its host reads line by line. Records wait here while the host does not read. */
import { formatHclog } from './hclog.ts';
import { Output } from './output.ts';

/** About 10,000 records. Only records that the host has not read take memory. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

export const hostLog: Output = new Output(2, {
  maxBytes: MAX_WAITING_BYTES,
  notice: (dropped) =>
    formatHclog({
      time: new Date(),
      level: 'warn',
      message: `${dropped} log records were dropped: the host did not read standard error`,
      fields: { dropped },
    }),
});
