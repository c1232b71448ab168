/** Lists the endorsement keys and certificates of a TPM. It makes keys to inspect them, and leaves nothing loaded. */
import type { TpmCommands } from '../../tpm/device/commands.ts';
import { TpmError } from '../../tpm/device/errors.ts';
import { EK_INDICES } from '../../tpm/ek-nv-indices.ts';
import type { EkTemplate } from '../../tpm/templates.ts';
import type { PasswordFiles, PasswordHierarchy } from '../passwords/hierarchy-passwords.ts';
import { PasswordsTriedOnce } from '../passwords/passwords-tried-once.ts';
import { CertificateFileError } from './ek-certificate-file.ts';
import type { Chain } from './endorsement-chain.ts';
import { EndorsementKeys, madeFrom } from './endorsement-keys.ts';
import { certifiedKey, type Found, findKey, keyOfFile, type SearchedTpm } from './endorsement-search.ts';
import { type CertificateIndex, EndorsementError, EndorsementStorage } from './endorsement-storage.ts';
import {
  type Endorsement,
  type EndorsementSearch,
  endorsementOf,
  type KeyChoice,
  templatesOf,
} from './load-endorsement.ts';
import { handlesIn, type NvContents, NvReader, type NvRecord } from './nv-index.ts';
import type { NvNote } from './nv-note.ts';

const CHOICES: readonly KeyChoice[] = ['auto', 'rsa', 'ecc'];

/** An error of one key or one index; the others can still be inspected. */
export type InventoryError = TpmError | EndorsementError | CertificateFileError;

export interface InventoriedKey {
  readonly template: EkTemplate;
  /** Undefined when reading it failed for a reason that may be temporary. */
  readonly index: CertificateIndex | undefined;
  /** What an agent with this key would send; undefined when the agent would fail with `error`. */
  readonly endorsement: Endorsement | undefined;
  readonly error: InventoryError | undefined;
  /** The values of the agent's option `ek` that select this key, as far as is known. */
  readonly takenBy: readonly KeyChoice[];
}

export interface EndorsementInventory {
  /** In the agent's order. */
  readonly keys: readonly InventoriedKey[];
  /** The error of an agent that finds no key by the requested choice. */
  readonly error: InventoryError | undefined;
  /** Every defined index in the range of endorsement keys, ascending. */
  readonly indices: readonly number[];
  /** Templates whose certificate index is defined and was never filled. */
  readonly reserved: readonly EkTemplate[];
  /** Problems of indices, ascending by index. */
  readonly notes: readonly NvNote[];
  readonly chain: Chain | undefined;
  /** Hierarchies that refused the password; without a password file it is the empty one. */
  readonly refused: readonly PasswordHierarchy[];
}

interface Look {
  readonly endorsement: Endorsement | undefined;
  readonly error: InventoryError | undefined;
}

/**
 * Lists each key with a certificate in its index or in the chain, and each persistent key. It also lists the key that
 * an agent selects by `choice` and the certificate file. An error of one key is reported with that key. A refused
 * authorization is not tried again.
 *
 * @throws TpmError when the TPM does not answer or does not work at all
 * @throws PasswordError
 */
export async function takeEndorsementInventory(
  run: TpmCommands,
  choice: KeyChoice,
  files: PasswordFiles,
  { certificateFile }: EndorsementSearch = {},
): Promise<EndorsementInventory> {
  const passwords = new PasswordsTriedOnce(files);
  const storage = new EndorsementStorage(run, remembering(new NvReader(run, passwords)));
  const tpm = { storage, keys: new EndorsementKeys(run, passwords) };
  const looks = new Map<EkTemplate, Look>();
  for (const template of templatesOf('auto')) {
    const look = await lookAt(run, tpm, async () => (await certifiedKey(tpm, template)) ?? keptKey(tpm, template));
    if (look !== undefined) looks.set(template, look);
  }
  const taken = await lookAt(run, tpm, () => {
    const templates = templatesOf(choice);
    return certificateFile === undefined ? findKey(tpm, templates) : keyOfFile(tpm, templates, certificateFile);
  });
  if (taken?.endorsement !== undefined) looks.set(taken.endorsement.template, taken);
  const takenBy = new Map<KeyChoice, EkTemplate | undefined>([[choice, taken?.endorsement?.template]]);
  // A key without a certificate is made for the requested choice only: making one more for each other choice is slow.
  if (certificateFile === undefined)
    for (const other of CHOICES.filter((one) => one !== choice && isCertified(looks, one)))
      takenBy.set(other, (await lookAt(run, tpm, () => findKey(tpm, templatesOf(other))))?.endorsement?.template);
  const indices = await handlesIn(run, EK_INDICES.first, EK_INDICES.last);
  const keys: InventoriedKey[] = [];
  const reserved: EkTemplate[] = [];
  for (const template of templatesOf('auto')) {
    const look = looks.get(template);
    const stored = await attempt(() => storage.certificate(template));
    const index = 'error' in stored ? undefined : stored.value;
    if (index?.state === 'reserved') reserved.push(template);
    if (look === undefined) continue;
    keys.push({ template, index, ...look, takenBy: CHOICES.filter((one) => takenBy.get(one) === template) });
  }
  const chain = await attempt(() => storage.chain());
  return {
    ...{ keys, error: taken?.error, indices, reserved, notes: storage.notes, refused: passwords.refused },
    chain: 'error' in chain ? undefined : chain.value,
  };
}

function isCertified(looks: ReadonlyMap<EkTemplate, Look>, choice: KeyChoice): boolean {
  return templatesOf(choice).some((template) => (looks.get(template)?.endorsement?.certificates.length ?? 0) > 0);
}

/** Undefined when `find` finds no key. Leaves no key loaded. */
async function lookAt(
  run: TpmCommands,
  tpm: SearchedTpm,
  find: () => Promise<Found | undefined>,
): Promise<Look | undefined> {
  const look = await attempt(async () => {
    const found = await find();
    if (found === undefined) return undefined;
    const { template, key } = found;
    try {
      return await endorsementOf(run, tpm, found);
    } finally {
      if (key.persistentHandle === undefined)
        await tpm.keys.putAside(await tpm.storage.creationTemplate(template), key);
    }
  });
  if ('error' in look) return { endorsement: undefined, error: look.error };
  return look.value === undefined ? undefined : { endorsement: look.value, error: undefined };
}

async function keptKey({ storage, keys }: SearchedTpm, template: EkTemplate): Promise<Found | undefined> {
  const key = await keys.persistent(madeFrom(await storage.creationTemplate(template)));
  return key === undefined ? undefined : { template, key, certificates: [], source: undefined };
}

/** Reads each index once, also one that refuses: a second refusal may count towards lockout. */
function remembering(nv: NvContents): NvContents {
  const known = new Map<number, Promise<NvRecord>>();
  return {
    read: (index) => {
      const contents = known.get(index) ?? nv.read(index);
      known.set(index, contents);
      return contents;
    },
  };
}

export type Attempt<T> = { readonly value: T } | { readonly error: InventoryError };

/** Returns an error of one key or one index. @throws an error that concerns the whole TPM */
export async function attempt<T>(action: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await action() };
  } catch (error) {
    if (isOfOneKey(error)) return { error };
    throw error;
  }
}

/** A TPM that was not started, or has failed its self-test, answers every command with one of these. */
const DEFECTS: readonly string[] = ['TPM_RC_FAILURE', 'TPM_RC_INITIALIZE'];

function isOfOneKey(error: unknown): error is InventoryError {
  if (error instanceof EndorsementError || error instanceof CertificateFileError) return true;
  if (!(error instanceof TpmError) || DEFECTS.includes(error.name)) return false;
  return error.layer === 'tpm' || error.layer === 'resource-manager-tpm';
}
