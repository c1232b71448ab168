import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Queue } from '../../src/tpm/device/queue.ts';

/** A task under the test's control. */
function task<T>(): {
  readonly run: () => Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
  readonly started: () => boolean;
} {
  let started = false;
  let resolve: (value: T) => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  const run = (): Promise<T> => {
    started = true;
    return promise;
  };
  return { run, resolve, reject, started: () => started };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Queue', () => {
  test('runs one task at a time, in the order asked, whatever they come to', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ fails: fc.boolean(), turns: fc.nat(3) }), { maxLength: 12 }),
        async (tasks) => {
          const queue = new Queue();
          const order: number[] = [];
          let inFlight = 0;
          const results = await Promise.allSettled(
            tasks.map(({ fails, turns }, i) =>
              queue.run(async () => {
                expect(++inFlight).toBe(1);
                order.push(i);
                for (let n = 0; n < turns; n++) await turn();
                inFlight--;
                if (fails) throw new Error(`task ${i}`);
                return i;
              }),
            ),
          );
          expect(order).toEqual(tasks.map((_, i) => i));
          expect(results.map(({ status }) => status === 'rejected')).toEqual(tasks.map(({ fails }) => fails));
        },
      ),
      { numRuns: 50 },
    );
  });

  test('goes on after a task that throws before it has a promise', async () => {
    const queue = new Queue();
    const failing = queue.run(() => {
      throw new Error('at once');
    });
    await expect(failing).rejects.toThrow('at once');
    await expect(queue.run(async () => 'next')).resolves.toBe('next');
  });

  test('drops a queued task that is aborted: it never starts', async () => {
    const queue = new Queue();
    const first = task<void>();
    const second = task<void>();
    const abort = new AbortController();
    const running = queue.run(first.run);
    const queued = queue.run(second.run, abort.signal);
    abort.abort(new Error('changed my mind'));
    await expect(queued).rejects.toThrow('changed my mind');
    first.resolve();
    await running;
    await queue.idle();
    expect(second.started()).toBe(false);
  });

  test('refuses a task whose signal has aborted already', async () => {
    const never = task<void>();
    await expect(new Queue().run(never.run, AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
    expect(never.started()).toBe(false);
  });

  test('abandons a running task that is aborted: its caller is told at once, the next waits until it has ended', async () => {
    const queue = new Queue();
    const first = task<string>();
    const second = task<string>();
    const abort = new AbortController();
    const abandoned = queue.run(first.run, abort.signal);
    const next = queue.run(second.run);
    await turn();
    abort.abort(new Error('no more interest'));
    await expect(abandoned).rejects.toThrow('no more interest');
    await turn();
    expect(second.started()).toBe(false);
    first.resolve('nobody listens');
    await turn();
    expect(second.started()).toBe(true);
    second.resolve('done');
    await expect(next).resolves.toBe('done');
  });

  test('lets an abandoned task fail without an unhandled rejection', async () => {
    const queue = new Queue();
    const first = task<void>();
    const abort = new AbortController();
    const abandoned = queue.run(first.run, abort.signal);
    await turn();
    abort.abort(new Error('abandoned'));
    await expect(abandoned).rejects.toThrow('abandoned');
    first.reject(new Error('failed later'));
    await queue.idle();
  });

  test('does not abort a finished task, nor keep a listener on its signal', async () => {
    const queue = new Queue();
    const abort = new AbortController();
    let seen: AbortSignal | undefined;
    await queue.run(async (signal) => {
      seen = signal;
    }, abort.signal);
    abort.abort();
    expect(seen?.aborted).toBe(false);
  });

  test('throws when a task asks its own queue, instead of waiting for itself', async () => {
    const queue = new Queue();
    await expect(queue.run(() => queue.run(async () => 'inner'))).rejects.toThrow(TypeError);
    const other = new Queue();
    await expect(queue.run(() => other.run(() => queue.run(async () => 'inner')))).rejects.toThrow(TypeError);
  });

  test('lets what a task left behind ask the queue once the task has ended', async () => {
    const queue = new Queue();
    const gate = task<void>();
    let later: Promise<string> | undefined;
    await queue.run(async () => {
      later = gate.run().then(() => queue.run(async () => 'later'));
    });
    gate.resolve();
    await expect(later).resolves.toBe('later');
  });

  test('close refuses what comes, drops what waits, abandons what runs, and resolves when that has ended', async () => {
    const queue = new Queue();
    const first = task<void>();
    const second = task<void>();
    const running = queue.run(first.run);
    const queued = queue.run(second.run);
    await turn();
    let closed = false;
    const closing = queue.close(new Error('closed')).then(() => {
      closed = true;
    });
    await expect(running).rejects.toThrow('closed');
    await expect(queued).rejects.toThrow('closed');
    await expect(queue.run(second.run)).rejects.toThrow('closed');
    await turn();
    expect(closed).toBe(false);
    first.resolve();
    await closing;
    expect(second.started()).toBe(false);
  });
});
