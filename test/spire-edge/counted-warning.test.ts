import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { CountedWarning } from '../../src/spire/log/counted-warning.ts';
import { createLogger, type LogFields } from '../../src/spire/log/logger.ts';

const records: LogFields[] = [];
const logger = createLogger({ write: ({ fields }) => records.push(fields) });

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  records.length = 0;
});

it('is logged at once, and then once in a while with the count and the fields of the last', () => {
  const warning = new CountedWarning('too much', 5000);
  for (let id = 1; id <= 1000; id++) warning.warn(logger, { id });
  expect(records).toEqual([{ id: 1, times: 1 }]);
  vi.advanceTimersByTime(4999);
  expect(records).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(records.slice(1)).toEqual([{ id: 1000, times: 999 }]);
  warning.warn(logger, { id: 1001 });
  vi.advanceTimersByTime(4999);
  expect(records).toHaveLength(2);
  vi.advanceTimersByTime(1);
  expect(records.slice(2)).toEqual([{ id: 1001, times: 1 }]);
});

it('is logged at once again after a while without one', () => {
  const warning = new CountedWarning('too much', 5000);
  warning.warn(logger, { id: 1 });
  vi.advanceTimersByTime(5000);
  expect(vi.getTimerCount()).toBe(0);
  warning.warn(logger, { id: 2 });
  expect(records).toEqual([
    { id: 1, times: 1 },
    { id: 2, times: 1 },
  ]);
});
