/** The rows that every subject of the benchmark reports: figures, compared with others from the same run. */

export interface Row {
  readonly name: string;
  /** The median of all rounds; null when it could not be measured, for the reason in `note`. */
  readonly value: number | null;
  /** The best round. Its distance from `value` shows the noise of the machine. */
  readonly best: number | null;
  readonly unit: string;
  /** `best` divided by the `best` of the row `of`, because noise only adds time; null without a row to compare with. */
  readonly ratio: number | null;
  readonly of: string | null;
  readonly note?: string;
}

/** The largest `ratio` that is wanted, and the reason when it is larger. */
export interface Target {
  readonly most: number;
  readonly otherwise: string;
}

/** Computes `ratio` from `of`, and reports a missed target in `note`. */
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
