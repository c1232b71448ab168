import type { TpmCommands } from '../../tpm/device/commands.ts';
import type { KeyHandle, SessionHandle } from '../../tpm/device/handles.ts';
import { HierarchyPasswords, isRefusal, type PasswordHierarchy } from './hierarchy-passwords.ts';

/**
 * For who looks at many things of one TPM: a hierarchy that refused one command is not asked for the next one, the empty
 * password included. What is kept away from it fails as the first one did.
 */
export class PasswordsTriedOnce extends HierarchyPasswords {
  readonly #refusals: Map<PasswordHierarchy, Error> = new Map();

  /** Those that refused. */
  get refused(): readonly PasswordHierarchy[] {
    return [...this.#refusals.keys()];
  }

  override async authorize<T>(
    run: TpmCommands,
    hierarchy: PasswordHierarchy,
    saltKey: KeyHandle | undefined,
    command: (session: SessionHandle) => Promise<T>,
  ): Promise<T> {
    const refusal = this.#refusals.get(hierarchy);
    if (refusal !== undefined) throw refusal;
    try {
      return await super.authorize(run, hierarchy, saltKey, command);
    } catch (error) {
      if (isRefusal(error)) this.#refusals.set(hierarchy, error);
      throw error;
    }
  }
}
