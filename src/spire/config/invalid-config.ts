import { HclError } from './hcl-body.ts';

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

/** Why a text is refused as a configuration: it cannot be read, or cannot be used. */
export type ConfigError = HclError | InvalidConfig;

export function isConfigError(error: unknown): error is ConfigError {
  return error instanceof HclError || error instanceof InvalidConfig;
}
