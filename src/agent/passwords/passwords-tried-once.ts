/** Hierarchy passwords for a command that inspects many things in one TPM: each hierarchy may refuse once. */
import type { TpmCommands } from '../../tpm/device/commands.ts';
import type { KeyHandle, SessionHandle } from '../../tpm/device/handles.ts';
import { HierarchyPasswords, isRefusal, type PasswordHierarchy } from './hierarchy-passwords.ts';

/**
 * Stops using a hierarchy after its first refusal, also of the empty password. Later commands for it fail with the
 * first error, without being sent.
 */
export class PasswordsTriedOnce extends HierarchyPasswords {
  readonly #refusals: Map<PasswordHierarchy, Error> = new Map();

  /** The hierarchies that refused. */
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
