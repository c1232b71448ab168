import { InvalidConfig, isConfigError } from '../config/invalid-config.ts';
import type {
  ConfigureRequest,
  ConfigureResponse,
  ValidateRequest,
  ValidateResponse,
} from '../gen/spire/service/common/config/v1/config.ts';
import { STATUS, StatusError } from '../status.ts';

export interface CoreConfig {
  /** A name without scheme, such as `example.org`. */
  readonly trustDomain: string;
}

export interface PluginConfigDefinition<Config> {
  /**
   * Makes the configuration for all later attestations. If it rejects, the earlier configuration stays in force.
   * The operator sees the message of a ConfigError or StatusError word for word.
   */
  configure(core: CoreConfig, hcl: string): Promise<Config>;
  /** The problems of a configuration; empty if it is valid. Must open, lock and write nothing. */
  validate(core: CoreConfig, hcl: string): Promise<readonly string[]>;
}

/** Holds the configuration in force. Each `configure` replaces all of it. */
export class PluginConfig<Config> {
  readonly #definition: PluginConfigDefinition<Config>;
  #current: { readonly config: Config } | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(definition: PluginConfigDefinition<Config>) {
    this.#definition = definition;
  }

  current(): Config {
    if (this.#current === undefined) throw new StatusError(STATUS.FAILED_PRECONDITION, 'not configured');
    return this.#current.config;
  }

  /** Calls run one after the other, so the last text given is the one in force. */
  async configure(request: ConfigureRequest): Promise<ConfigureResponse> {
    const turn = this.#last.then(async () => {
      const config = await this.#definition.configure(coreOf(request), request.hclConfiguration);
      this.#current = { config };
    });
    this.#last = turn.catch(() => {});
    await turn.catch((error) => {
      throw isConfigError(error) ? new StatusError(STATUS.INVALID_ARGUMENT, error.message) : error;
    });
    return {};
  }

  async validate(request: ValidateRequest): Promise<ValidateResponse> {
    let notes: readonly string[];
    try {
      notes = await this.#definition.validate(coreOf(request), request.hclConfiguration);
    } catch (error) {
      if (!isConfigError(error)) throw error;
      notes = error instanceof InvalidConfig ? error.problems : [error.message];
    }
    // SPIRE reads only the notes: it would accept a refusal without one.
    return { valid: notes.length === 0, notes };
  }
}

function coreOf(request: ConfigureRequest | ValidateRequest): CoreConfig {
  const trustDomain = request.coreConfiguration?.trustDomain ?? '';
  if (trustDomain === '') throw new StatusError(STATUS.INVALID_ARGUMENT, 'core configuration has no trust domain');
  return { trustDomain };
}
