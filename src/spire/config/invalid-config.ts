/** A configuration that can be read and cannot be used: everything that is wrong with it. */
export class InvalidConfig extends Error {
  override readonly name = 'InvalidConfig';
  readonly code = 'ERR_CONFIG';
  /** One sentence each. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.problems = problems;
  }
}
