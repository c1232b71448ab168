/** Reads the passwords of the TPM's hierarchies from files, and authorizes commands with them. */
import { createHash } from 'node:crypto';
import { equalBytes } from '../../bytes/bytes.ts';
import type { TpmCommands } from '../../tpm/device/commands.ts';
import { TpmError } from '../../tpm/device/errors.ts';
import { ESYS_TR, type HierarchyHandle, type KeyHandle, type SessionHandle } from '../../tpm/device/handles.ts';
import { withPrimary, withSession } from '../../tpm/device/scope.ts';
import { TPMA_OBJECT, TPMA_SESSION } from '../../tpm/structures/attributes.ts';
import { encode } from '../../tpm/structures/codec.ts';
import { TPM_ALG, TPM_ECC, TPM_SE } from '../../tpm/structures/constants.ts';
import { tpmtPublic } from '../../tpm/structures/public.ts';
import { readPasswordFile } from './password-file.ts';

/** A hierarchy whose password an agent may need. */
export type PasswordHierarchy = 'endorsement' | 'owner';

/** The password file of each hierarchy; a hierarchy without a file has the empty password. */
export type PasswordFiles = { readonly [H in PasswordHierarchy]?: string | undefined };

const HANDLES: { readonly [H in PasswordHierarchy]: HierarchyHandle } = {
  endorsement: ESYS_TR.RH_ENDORSEMENT,
  owner: ESYS_TR.RH_OWNER,
};

/** sizeof(TPMU_HA): no TPM takes a longer authValue. */
const MAX_PASSWORD_BYTES = 64;
const REFUSALS: readonly string[] = ['TPM_RC_AUTH_FAIL', 'TPM_RC_BAD_AUTH'];

/** True when the TPM refused a password, also the empty one. */
export function isRefusal(error: unknown): error is TpmError {
  return error instanceof TpmError && REFUSALS.includes(error.name);
}

/** The template of a storage key: a salt may be encrypted only to a storage key (TPM 2.0 Library Part 3, 11.1). */
const SALT_KEY: Uint8Array = encode(tpmtPublic, {
  type: 'ecc',
  nameAlg: TPM_ALG.SHA256,
  objectAttributes:
    TPMA_OBJECT.fixedTPM |
    TPMA_OBJECT.fixedParent |
    TPMA_OBJECT.sensitiveDataOrigin |
    TPMA_OBJECT.userWithAuth |
    TPMA_OBJECT.noDA |
    TPMA_OBJECT.restricted |
    TPMA_OBJECT.decrypt,
  authPolicy: new Uint8Array(),
  parameters: {
    symmetric: { algorithm: TPM_ALG.AES, keyBits: 128, mode: TPM_ALG.CFB },
    scheme: { scheme: TPM_ALG.NULL },
    curveId: TPM_ECC.NIST_P256,
    kdf: { scheme: TPM_ALG.NULL },
  },
  unique: { x: new Uint8Array(), y: new Uint8Array() },
});

/** The password cannot be read, or the TPM has refused it before. */
export class PasswordError extends Error {
  override readonly name: string = 'PasswordError';
  readonly code: 'ERR_PASSWORD' = 'ERR_PASSWORD' as const;
}

/**
 * A password session would send the password in clear over the bus. This class uses an HMAC session salted to a key of
 * the TPM instead. It does not repeat a refused password until the file contains another one.
 */
export class HierarchyPasswords {
  readonly #files: PasswordFiles;
  readonly #warn: (message: string) => void;
  /** Hierarchies whose open file has been warned about. */
  readonly #warned: Set<PasswordHierarchy> = new Set();
  /** SHA-256 of the password that the TPM refused. */
  readonly #refused: Map<PasswordHierarchy, Uint8Array> = new Map();
  /** Hierarchies, and NV indices by Name, that refused the empty password. */
  readonly #closed: Map<string, TpmError> = new Map();

  /** @param warn called once for each file that every user of the machine may read or write */
  constructor(files: PasswordFiles = {}, warn: (message: string) => void = () => {}) {
    this.#files = files;
    this.#warn = warn;
  }

  /**
   * Calls `command` with a session that authorizes one command for the hierarchy.
   *
   * @param saltKey a loaded storage key of known origin; when undefined, a temporary key is made
   * @throws PasswordError
   */
  async authorize<T>(
    run: TpmCommands,
    hierarchy: PasswordHierarchy,
    saltKey: KeyHandle | undefined,
    command: (session: SessionHandle) => Promise<T>,
  ): Promise<T> {
    const password = await this.read(hierarchy);
    // The empty password is not a secret, so a password session may send it.
    if (password === undefined) return this.once(`the ${hierarchy} hierarchy`, () => command(ESYS_TR.PASSWORD));
    const digest = sha256(password);
    try {
      if (equalBytes(digest, this.#refused.get(hierarchy) ?? new Uint8Array())) {
        throw new PasswordError(
          `the TPM has refused the ${hierarchy} password before, so it is not tried again; write the right password into its file`,
        );
      }
      await run.trSetAuth({ object: HANDLES[hierarchy], authValue: password });
    } finally {
      password.fill(0);
    }
    try {
      return await inSaltedSession(run, saltKey, command);
    } catch (error) {
      if (isRefusal(error)) this.#refused.set(hierarchy, digest);
      throw error;
    }
  }

  /** True when a password file is configured for the hierarchy. */
  has(hierarchy: PasswordHierarchy): boolean {
    return this.#files[hierarchy] !== undefined;
  }

  /**
   * Runs a command that an empty password authorizes. After a refusal it does not send the command again in this
   * process, and throws the first error instead.
   *
   * @param name identifies the hierarchy or NV index
   */
  async once<T>(name: string, command: () => Promise<T>): Promise<T> {
    const refusal = this.#closed.get(name);
    if (refusal !== undefined) throw refusal;
    try {
      return await command();
    } catch (error) {
      if (isRefusal(error)) this.#closed.set(name, error);
      throw error;
    }
  }

  /** Reads the password; undefined when it is empty. The caller wipes it. @throws PasswordError */
  async read(hierarchy: PasswordHierarchy): Promise<Uint8Array | undefined> {
    const file = this.#files[hierarchy];
    if (file === undefined) return undefined;
    const { content, openToOthers } = await readPasswordFile(file).catch((cause) => {
      throw new PasswordError(`the ${hierarchy} password cannot be read from ${file}: ${cause.message}`, { cause });
    });
    if (openToOthers && !this.#warned.has(hierarchy)) {
      this.#warned.add(hierarchy);
      this.#warn(`every user of this machine may read or change the ${hierarchy} password: run chmod o-rw on ${file}`);
    }
    const password = Uint8Array.from(content.subarray(0, contentBytes(content)));
    content.fill(0);
    if (password.length > MAX_PASSWORD_BYTES) {
      throw new PasswordError(`the ${hierarchy} password in ${file} is longer than ${MAX_PASSWORD_BYTES} bytes`);
    }
    return password.length === 0 ? undefined : password;
  }
}

async function inSaltedSession<T>(
  run: TpmCommands,
  saltKey: KeyHandle | undefined,
  command: (session: SessionHandle) => Promise<T>,
): Promise<T> {
  if (saltKey === undefined) {
    // The null hierarchy has no password and is always enabled.
    const input = { primaryHandle: ESYS_TR.RH_NULL, sessions: [ESYS_TR.PASSWORD], inPublic: SALT_KEY };
    return withPrimary(run, input, ({ objectHandle }) => inSaltedSession(run, objectHandle, command));
  }
  return withSession(run, { sessionType: TPM_SE.HMAC, tpmKey: saltKey }, async (session) => {
    await run.setSessionAttributes({ session, flags: 0, mask: TPMA_SESSION.continueSession });
    return command(session);
  });
}

/** Length without one line end at the end of the file, which editors and `echo` add. */
function contentBytes(content: Uint8Array): number {
  const end = content.at(-1) === 0x0a ? content.length - 1 : content.length;
  return end < content.length && content[end - 1] === 0x0d ? end - 1 : end;
}

function sha256(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(bytes).digest());
}
