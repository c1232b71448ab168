/**
 * Makes every endorsement key that a server may know a TPM by: those of each template, with a certificate or without.
 */
import { equalBytes } from '../../bytes/bytes.ts';
import type { TpmCommands } from '../../tpm/device/commands.ts';
import { spkiHash, spkiOfPublicArea } from '../../tpm/public-key.ts';
import { encode } from '../../tpm/structures/codec.ts';
import { type TpmtPublic, tpmtPublic } from '../../tpm/structures/public.ts';
import { EK_TEMPLATES, type EkTemplate } from '../../tpm/templates.ts';
import type { HierarchyPasswords } from '../passwords/hierarchy-passwords.ts';
import { EndorsementKeys, isUnsupported } from './endorsement-keys.ts';
import { EndorsementError, EndorsementStorage } from './endorsement-storage.ts';
import { NvReader } from './nv-index.ts';

export interface MadeKey {
  readonly template: EkTemplate;
  /** Lower-case hexadecimal SHA-256 of the SPKI. */
  readonly pubHash: string;
}

/**
 * Makes the keys one by one and leaves none loaded. Skips keys that the TPM does not support. A slow chip takes up to a
 * minute for an RSA key.
 *
 * @param onKey called before the keys of each template are made
 * @param onNone called for each template that the TPM does not support
 * @throws TpmError, PasswordError
 */
export async function makeEveryKey(
  run: TpmCommands,
  passwords: HierarchyPasswords,
  onKey: (template: EkTemplate) => void,
  onNone: (template: EkTemplate) => void = () => undefined,
): Promise<readonly MadeKey[]> {
  const storage = new EndorsementStorage(run, new NvReader(run, passwords));
  const keys = new EndorsementKeys(run, passwords);
  const made: MadeKey[] = [];
  for (const template of EK_TEMPLATES) {
    onKey(template);
    let supported = false;
    for (const inPublic of await publicAreasOf(storage, template)) {
      const pubHash = await hashOf(run, keys, inPublic);
      supported ||= pubHash !== undefined;
      if (pubHash !== undefined && !made.some((one) => one.pubHash === pubHash)) made.push({ template, pubHash });
    }
    if (!supported) onNone(template);
  }
  return made;
}

/** The template of the TCG, and the manufacturer's template or nonce in NV if it differs. */
async function publicAreasOf(storage: EndorsementStorage, template: EkTemplate): Promise<readonly TpmtPublic[]> {
  const { publicArea } = template;
  try {
    const own = await storage.creationTemplate(template);
    return equalBytes(encode(tpmtPublic, own), encode(tpmtPublic, publicArea)) ? [publicArea] : [publicArea, own];
  } catch (error) {
    // Only the owner may read the manufacturer's template.
    if (error instanceof EndorsementError) return [publicArea];
    throw error;
  }
}

/** The pub_hash of the key made from `inPublic`; undefined when the TPM does not support such a key. */
async function hashOf(run: TpmCommands, keys: EndorsementKeys, inPublic: TpmtPublic): Promise<string | undefined> {
  try {
    const { object, publicArea } = await keys.make(inPublic);
    await run.release(object);
    const spki = spkiOfPublicArea(publicArea);
    return spki === undefined ? undefined : spkiHash(spki);
  } catch (error) {
    if (isUnsupported(error)) return undefined;
    throw error;
  }
}
