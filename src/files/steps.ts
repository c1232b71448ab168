/**
 * Work written once as steps, and run in two ways. A command runs all steps synchronously. A server runs them in short
 * slices, so that an attestation does not wait for work that does not concern it.
 */
import { setImmediate as turn } from 'node:timers/promises';

/** An operation to wait for, in its synchronous and its asynchronous form. */
export interface Wait<T> {
  readonly atOnce: () => T;
  readonly later: () => Promise<T>;
}

/** Yields undefined where the work may pause, and a Wait where it needs a result. */
export type Steps<T> = Generator<Wait<unknown> | undefined, T, unknown>;

/** A slice ends at its first pause after this time. */
const SLICE_MS = 2;

export function* waitFor<T>(wait: Wait<T>): Steps<T> {
  // The runner (`atOnce` or `inSlices`) answers a Wait with its result.
  return (yield wait) as T;
}

/** Runs all steps synchronously. @throws what the steps throw */
export function atOnce<T>(steps: Steps<T>): T {
  let step = steps.next();
  while (step.done !== true) {
    const wait = step.value;
    step = wait === undefined ? steps.next() : answered(steps, wait.atOnce);
  }
  return step.value;
}

let lastTurn: Promise<unknown> = Promise.resolve();

/** A turn of the event loop for this slice alone: many slices in one turn would block the loop for long. */
function nextTurn(): Promise<unknown> {
  lastTurn = lastTurn.then(() => turn());
  return lastTurn;
}

/**
 * Runs the steps in slices, and lets other work run between two slices.
 *
 * @param signal ends the work between two steps; the work then closes what it opened
 * @throws what the steps throw, and the reason of `signal`
 */
export async function inSlices<T>(steps: Steps<T>, signal: AbortSignal): Promise<T> {
  let isEnding = false;
  const next = (): IteratorResult<Wait<unknown> | undefined, T> => {
    if (!signal.aborted || isEnding) return steps.next();
    isEnding = true;
    return steps.return(undefined as T);
  };
  let began = performance.now();
  let step = next();
  while (step.done !== true) {
    const wait = step.value;
    if (wait !== undefined) {
      const result = await settled(wait);
      began = performance.now();
      step = signal.aborted && !isEnding ? next() : answered(steps, result);
    } else {
      if (performance.now() - began >= SLICE_MS) {
        await nextTurn();
        began = performance.now();
      }
      step = next();
    }
  }
  if (isEnding) throw signal.reason;
  return step.value;
}

function answered<T>(steps: Steps<T>, result: () => unknown): IteratorResult<Wait<unknown> | undefined, T> {
  let value: unknown;
  try {
    value = result();
  } catch (error) {
    return steps.throw(error);
  }
  return steps.next(value);
}

async function settled({ later }: Wait<unknown>): Promise<() => unknown> {
  try {
    const value = await later();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
