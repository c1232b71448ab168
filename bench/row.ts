/** What every subject of the benchmark reports: figures, each beside something measured in the same run. */

export interface Row {
  readonly name: string;
  /** The median of all rounds; null for what could not be measured here, and `note` says why. */
  readonly value: number | null;
  /** The best round: how far it is from `value` is the noise of the machine. */
  readonly best: number | null;
  readonly unit: string;
  /** `best` by the best of the row that `of` names, as noise only adds; null where there is nothing to compare with. */
  readonly ratio: number | null;
  readonly of: string | null;
  readonly note?: string;
}

/** The most that `ratio` should be, and what makes it more where it is. */
export interface Target {
  readonly most: number;
  readonly otherwise: string;
}

/** `ratio` is filled in from `of`; a missed target is said in `note`. */
export function withRatios(
  rows: readonly (Omit<Row, 'ratio'> & { readonly target?: Target | undefined })[],
): readonly Row[] {
  const values = new Map(rows.map(({ name, best }) => [name, best]));
  return rows.map(({ target, ...row }) => {
    const against = row.of === null ? null : values.get(row.of);
    if (against === undefined) throw new RangeError(`no row is called "${row.of}"`);
    const ratio = row.best === null || against === null ? null : row.best / against;
    const missed = target !== undefined && ratio !== null && ratio > target.most;
    return {
      ...row,
      ratio,
      ...(missed ? { note: `target ${Number(target.most.toPrecision(3))} ×: ${target.otherwise}` } : {}),
    };
  });
}
