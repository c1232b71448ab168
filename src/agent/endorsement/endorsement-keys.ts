/** Finds persistent endorsement keys in the TPM, and makes others from a template. One key is loaded at a time. */
import { equalBytes, hex } from '../../bytes/bytes.ts';
import { MalformedError } from '../../bytes/malformed.ts';
import type { TpmCommands } from '../../tpm/device/commands.ts';
import { TpmError } from '../../tpm/device/errors.ts';
import { ESYS_TR, type KeyHandle } from '../../tpm/device/handles.ts';
import { decode, encode } from '../../tpm/structures/codec.ts';
import { TPM_HT_FIRST, TPM_RH } from '../../tpm/structures/constants.ts';
import { handleName, objectName, qualifiedName } from '../../tpm/structures/name.ts';
import { type TpmtPublic, tpmtPublic } from '../../tpm/structures/public.ts';
import { sameButUnique } from '../../tpm/templates.ts';
import type { HierarchyPasswords } from '../passwords/hierarchy-passwords.ts';
import { handlesIn } from './nv-index.ts';

const LAST_PERSISTENT = 0x81ffffff;

/** A loaded key. */
export interface FoundKey {
  readonly object: KeyHandle;
  readonly publicArea: TpmtPublic;
  /** TPM handle; undefined for a key that was made from a template. */
  readonly persistentHandle: number | undefined;
}

export interface PersistentKey {
  readonly tpmHandle: number;
  readonly publicArea: TpmtPublic;
  readonly qualifiedName: Uint8Array;
}

export type Recognition = (key: PersistentKey) => boolean;

export class EndorsementKeys {
  readonly #run: TpmCommands;
  readonly #passwords: HierarchyPasswords;
  /** Saved contexts of the keys that were put aside, by the template that made them. */
  readonly #aside: Map<string, { readonly context: Uint8Array; readonly publicArea: TpmtPublic }> = new Map();
  #persistent: readonly PersistentKey[] | undefined;

  constructor(run: TpmCommands, passwords: HierarchyPasswords) {
    this.#run = run;
    this.#passwords = passwords;
  }

  /** The first persistent key that `isKey` accepts, in ascending order of handles. */
  async persistent(isKey: Recognition): Promise<FoundKey | undefined> {
    this.#persistent ??= await persistentKeys(this.#run);
    const key = this.#persistent.find(isKey);
    if (key === undefined) return undefined;
    const object = await this.#run.keyFromTpm({ tpmHandle: key.tpmHandle });
    return { object, publicArea: key.publicArea, persistentHandle: key.tpmHandle };
  }

  /** Makes the key, or loads it again when it was put aside. @param inPublic template, with the contents of `unique` */
  async make(inPublic: TpmtPublic): Promise<FoundKey> {
    const template = encode(tpmtPublic, inPublic);
    const known = this.#aside.get(hex(template));
    if (known !== undefined) {
      const { loadedHandle } = await this.#run.contextLoad({ context: known.context });
      return { object: loadedHandle, publicArea: known.publicArea, persistentHandle: undefined };
    }
    const { objectHandle, outPublic } = await this.#passwords.authorize(
      this.#run,
      'endorsement',
      undefined,
      (session) =>
        this.#run.createPrimary({
          primaryHandle: ESYS_TR.RH_ENDORSEMENT,
          sessions: [session],
          inPublic: template,
        }),
    );
    return { object: objectHandle, publicArea: decode(tpmtPublic, outPublic), persistentHandle: undefined };
  }

  /** Frees the slot of a made key, and saves its context: a slow chip would take most of a minute to make it again. */
  async putAside(inPublic: TpmtPublic, { object, publicArea }: FoundKey): Promise<void> {
    const { context } = await this.#run.contextSave({ saveHandle: object });
    this.#aside.set(hex(encode(tpmtPublic, inPublic)), { context, publicArea });
    await this.#run.release(object);
  }
}

/** Codes by which a TPM reports that it does not implement an algorithm or size of a template. */
const UNSUPPORTED: readonly string[] = ['ASYMMETRIC', 'CURVE', 'HASH', 'KDF', 'KEY_SIZE', 'SCHEME', 'SYMMETRIC', 'TYPE']
  .concat('VALUE')
  .map((name) => `TPM_RC_${name}`);

/** True when the TPM does not support the requested kind of key. */
export function isUnsupported(error: unknown): boolean {
  return error instanceof TpmError && error.command === 'TPM2_CreatePrimary' && UNSUPPORTED.includes(error.name);
}

/** Recognizes a primary key of the endorsement hierarchy that was made from `template`. */
export function madeFrom(template: TpmtPublic): Recognition {
  return ({ publicArea, qualifiedName: qualified }) => {
    if (!sameButUnique(publicArea, template)) return false;
    return equalBytes(qualified, qualifiedName(handleName(TPM_RH.ENDORSEMENT), objectName(publicArea)));
  };
}

async function persistentKeys(run: TpmCommands): Promise<readonly PersistentKey[]> {
  const keys: PersistentKey[] = [];
  for (const tpmHandle of await handlesIn(run, TPM_HT_FIRST.PERSISTENT, LAST_PERSISTENT)) {
    const object = await run.keyFromTpm({ tpmHandle });
    try {
      const read = await run.readPublic({ objectHandle: object });
      keys.push({ tpmHandle, publicArea: decode(tpmtPublic, read.outPublic), qualifiedName: read.qualifiedName });
    } catch (error) {
      // An object of an unknown kind is not an endorsement key.
      if (!(error instanceof MalformedError)) throw error;
    } finally {
      await run.trClose({ object }).catch(() => {});
    }
  }
  return keys;
}
