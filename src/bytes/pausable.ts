/** Work that yields wherever it may pause, so that its caller can do other work in between. Pure. */
export type Pausable<T> = Generator<undefined, T, unknown>;

/** Does the work to its end without a pause. */
export function finished<T>(work: Pausable<T>): T {
  let step = work.next();
  while (step.done !== true) step = work.next();
  return step.value;
}
