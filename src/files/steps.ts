/**
 * Work in steps, written once: a command runs it at once, and a server in slices, so that nobody waits for it whose
 * attestation it has nothing to do with.
 */
import { setImmediate as turn } from 'node:timers/promises';

/** Something that has to be waited for, and both ways to. */
export interface Wait<T> {
  readonly atOnce: () => T;
  readonly later: () => Promise<T>;
}

/** Yields where it may pause, and what it waits for. */
export type Steps<T> = Generator<Wait<unknown> | undefined, T, unknown>;

/** Longest time that a slice takes from everybody else, as far as its steps are short. */
const SLICE_MS = 2;

export function* waitFor<T>(wait: Wait<T>): Steps<T> {
  // Whoever runs the steps answers a Wait with what it gave.
  return (yield wait) as T;
}

/** @throws what the steps throw */
export function atOnce<T>(steps: Steps<T>): T {
  let step = steps.next();
  while (step.done !== true) {
    const wait = step.value;
    step = wait === undefined ? steps.next() : answered(steps, wait.atOnce);
  }
  return step.value;
}

let lastTurn: Promise<unknown> = Promise.resolve();

/** The next turn of the event loop that no other work in slices has: what is many would else be one long turn. */
export function ownTurn(): Promise<unknown> {
  lastTurn = lastTurn.then(() => turn());
  return lastTurn;
}

/**
 * Lets everything else have its turn between two slices.
 *
 * @param signal ends the work between two steps, which then closes what it opened
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
        await ownTurn();
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
