import { HclError } from './hcl-body.ts';

/** A configuration that parses but cannot be used. It lists every problem. */
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

/** Why the plugin refuses a configuration: the text does not parse, or its options have problems. */
export type ConfigError = HclError | InvalidConfig;

export function isConfigError(error: unknown): error is ConfigError {
  return error instanceof HclError || error instanceof InvalidConfig;
}
