/** Processor time of one call, for actions that are to be compared with one another. */

/** Microseconds of processor time of this process, garbage collection included, whatever else the machine did. */
export interface Timing {
  /** The middle of all rounds. */
  readonly value: number;
  readonly best: number;
}

/** For each action: after one second V8 has not compiled everything yet. */
const WARM_UP_MS = 2000;
const ROUND_MS = 60;

/** Actions take turns in every round, so that what disturbs the machine disturbs them all. */
export class Stopwatch {
  readonly #actions: readonly { readonly name: string; readonly action: () => void; readonly calls: number }[];
  readonly #rounds: Map<string, number[]> = new Map();

  /** Runs every action until it is compiled. */
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

  /** Takes in a round that was measured elsewhere. */
  note(name: string, microseconds: number): void {
    const rounds = this.#rounds.get(name);
    if (rounds === undefined) this.#rounds.set(name, [microseconds]);
    else rounds.push(microseconds);
  }

  timing(name: string): Timing {
    const sorted = [...(this.#rounds.get(name) ?? [])].sort((a, b) => a - b);
    const [best] = sorted;
    if (best === undefined) throw new RangeError(`nothing was measured of "${name}"`);
    return { best, value: sorted[sorted.length >> 1] ?? best };
  }
}

/** Microseconds of processor time of one call of what returns a promise, all threads included; one round of it. */
export async function processorTime(action: () => Promise<void>): Promise<number> {
  const start = performance.now();
  const before = process.cpuUsage();
  let calls = 0;
  for (; performance.now() - start < ROUND_MS; calls++) await action();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}

/** Of processor time: on a busy machine that is a multiple of it by the clock. */
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
