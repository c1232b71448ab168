/** Counts by name what was tolerated in certificates that were admitted: what strict readers would have refused. */
export class Tolerances {
  readonly #counts: Map<string, number> = new Map();

  /** @returns for each name how often it was met so far, this time included: `RDN-SET-not-sorted=12` */
  count(names: readonly string[]): readonly string[] {
    return names.map((name) => {
      const count = (this.#counts.get(name) ?? 0) + 1;
      this.#counts.set(name, count);
      return `${name}=${count}`;
    });
  }
}
