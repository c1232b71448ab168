/** Standard error of a plugin: its host reads it line by line, or does not. */
import { formatHclog } from './hclog.ts';
import { Output } from './output.ts';

/** Some 10,000 records. Memory is used for those alone that the host has not read. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

export const hostLog: Output = new Output(2, {
  maxBytes: MAX_WAITING_BYTES,
  notice: (dropped) =>
    formatHclog({
      time: new Date(),
      level: 'warn',
      message: `${dropped} records of the log were dropped: the host did not read standard error`,
      fields: { dropped },
    }),
});
