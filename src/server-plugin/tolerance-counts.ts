/** Counts, by name, the tolerated oddities of admitted certificates, which strict parsers would refuse. */
export class Tolerances {
  readonly #counts: Map<string, number> = new Map();

  /** Counts these names. @returns each name with its count so far: `RDN-SET-not-sorted=12` */
  count(names: readonly string[]): readonly string[] {
    return names.map((name) => {
      const count = (this.#counts.get(name) ?? 0) + 1;
      this.#counts.set(name, count);
      return `${name}=${count}`;
    });
  }
}
