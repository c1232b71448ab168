/** Which endorsement keys and certificates a TPM has. Reads, makes keys to look at them, and leaves nothing loaded. */
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

/** What of a TPM concerns one key, or one index, and leaves the others to be looked at. */
export type InventoryError = TpmError | EndorsementError | CertificateFileError;

export interface InventoriedKey {
  readonly template: EkTemplate;
  /** Undefined where a look at it fails by what may pass. */
  readonly index: CertificateIndex | undefined;
  /** As an agent would send it that takes this key; undefined where it would fail by `error`. */
  readonly endorsement: Endorsement | undefined;
  readonly error: InventoryError | undefined;
  /** The values of the agent's option `ek` by which it takes this key, as far as is known. */
  readonly takenBy: readonly KeyChoice[];
}

export interface EndorsementInventory {
  /** In the agent's order. */
  readonly keys: readonly InventoriedKey[];
  /** What an agent says that takes none by the choice that was asked for. */
  readonly error: InventoryError | undefined;
  /** Every index in the range of endorsement keys, ascending. */
  readonly indices: readonly number[];
  /** Templates whose index was reserved and never filled. */
  readonly reserved: readonly EkTemplate[];
  /** What is wrong with an index, ascending. */
  readonly notes: readonly NvNote[];
  readonly chain: Chain | undefined;
  /** Hierarchies that refused the password, the empty one included. */
  readonly refused: readonly PasswordHierarchy[];
}

interface Look {
  readonly endorsement: Endorsement | undefined;
  readonly error: InventoryError | undefined;
}

/**
 * Takes every key that has a certificate, in its index or in the chain, every one that is persistent, and the one that an
 * agent takes by `choice` and the certificate file. What goes wrong with one of them is told of that one. No authorization
 * that was refused is tried again.
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
  // What an agent would make for want of a certificate is not made to be told apart.
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

/** Undefined for what is not there. The key is loaded no longer. */
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

/** Each index is read once: also one that refuses, as that may count towards a lockout. */
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

/** What goes wrong with one key or one index. @throws what concerns the whole TPM */
export async function attempt<T>(action: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await action() };
  } catch (error) {
    if (isOfOneKey(error)) return { error };
    throw error;
  }
}

/** A TPM that was not started or has failed its self-test answers so to every command. */
const DEFECTS: readonly string[] = ['TPM_RC_FAILURE', 'TPM_RC_INITIALIZE'];

function isOfOneKey(error: unknown): error is InventoryError {
  if (error instanceof EndorsementError || error instanceof CertificateFileError) return true;
  if (!(error instanceof TpmError) || DEFECTS.includes(error.name)) return false;
  return error.layer === 'tpm' || error.layer === 'resource-manager-tpm';
}
