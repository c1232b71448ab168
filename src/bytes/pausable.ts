/** Work that yields where it may pause, for whoever does it beside other work. Pure. */
export type Pausable<T> = Generator<undefined, T, unknown>;

/** The work without a pause. */
export function finished<T>(work: Pausable<T>): T {
  let step = work.next();
  while (step.done !== true) step = work.next();
  return step.value;
}
