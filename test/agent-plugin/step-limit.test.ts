import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { StepLimit } from '../../src/agent-plugin/step-limit.ts';
import { STATUS } from '../../src/spire/status.ts';

const aborted = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason), { once: true }));

test('a step that takes too long ends in DEADLINE_EXCEEDED with its name', async () => {
  const limit = new StepLimit(new AbortController().signal);
  limit.begin({ name: 'waiting', limitMs: 1 });
  expect(await aborted(limit.signal)).toMatchObject({
    code: STATUS.DEADLINE_EXCEEDED,
    message: expect.stringMatching(/^waiting took longer/),
  });
});

test('a step that ended in time, and an attestation that ended, abort nothing', async () => {
  const limit = new StepLimit(new AbortController().signal);
  limit.begin({ name: 'first', limitMs: 1 });
  limit.begin({ name: 'second', limitMs: 60_000 });
  limit.end();
  await delay(20);
  expect(limit.signal.aborted).toBe(false);
});

test.each([true, false])('the outer signal aborts it, also when it has aborted before (%s)', async (before) => {
  const outer = new AbortController();
  const reason = new Error('cancelled');
  if (before) outer.abort(reason);
  const limit = new StepLimit(outer.signal);
  outer.abort(reason);
  expect(limit.signal.reason).toBe(reason);
});
