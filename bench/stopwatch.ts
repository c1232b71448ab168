/** Measures the processor time of one call, for actions to compare with one another. */

/**
 * Microseconds of processor time of this process, with garbage collection; other load of the machine does not count.
 */
export interface Timing {
  /** The median of all rounds. */
  readonly value: number;
  readonly best: number;
}

/** Time for each action; after one second V8 has not yet compiled everything. */
const WARM_UP_MS = 2000;
const ROUND_MS = 60;

/** Actions take turns in every round, so that disturbances affect all of them equally. */
export class Stopwatch {
  readonly #actions: readonly { readonly name: string; readonly action: () => void; readonly calls: number }[];
  readonly #rounds: Map<string, number[]> = new Map();

  /** Runs every action until V8 has compiled it. */
  constructor(actions: Readonly<Record<string, () => void>>) {
    for (const action of Object.values(actions)) callsWithin(WARM_UP_MS, action);
    this.#actions = Object.entries(actions).map(([name, action]) => ({
      name,
      action,
      calls: callsWithin(ROUND_MS, action),
    }));
  }

  round(): void {
    for (const { name, action, calls } of this.#actions) {
      const before = process.cpuUsage();
      for (let i = 0; i < calls; i++) action();
      const { user, system } = process.cpuUsage(before);
      this.note(name, (user + system) / calls);
    }
  }

  /** Adds a round that was measured elsewhere. */
  note(name: string, microseconds: number): void {
    const rounds = this.#rounds.get(name);
    if (rounds === undefined) this.#rounds.set(name, [microseconds]);
    else rounds.push(microseconds);
  }

  timing(name: string): Timing {
    const sorted = [...(this.#rounds.get(name) ?? [])].sort((a, b) => a - b);
    const [best] = sorted;
    if (best === undefined) throw new RangeError(`no round was measured for "${name}"`);
    return { best, value: sorted[sorted.length >> 1] ?? best };
  }
}

/** One round of an asynchronous action: microseconds of processor time for one call, in all threads. */
export async function processorTime(action: () => Promise<void>): Promise<number> {
  const start = performance.now();
  const before = process.cpuUsage();
  let calls = 0;
  for (; performance.now() - start < ROUND_MS; calls++) await action();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}

/** Number of calls within this processor time, which may be a multiple of it by the clock on a busy machine. */
function callsWithin(milliseconds: number, action: () => void): number {
  const start = process.cpuUsage();
  let calls = 0;
  do {
    action();
    calls += 1;
  } while (elapsedMs(start) < milliseconds);
  return calls;
}

function elapsedMs(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}
