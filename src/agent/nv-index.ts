/** Reading non-volatile memory: what a manufacturer stored about the endorsement keys. */
import type { TpmCommands } from '../tpm/commands.ts';
import { TpmError } from '../tpm/errors.ts';
import { ESYS_TR, type NvHandle } from '../tpm/handles.ts';
import { TPMA_NV } from '../tpm/structures/attributes.ts';
import { tpmsCapabilityData } from '../tpm/structures/capability.ts';
import { decode } from '../tpm/structures/codec.ts';
import { TPM_CAP, TPM_PT } from '../tpm/structures/constants.ts';
import { type TpmsNvPublic, tpmsNvPublic } from '../tpm/structures/nv-public.ts';
import type { HierarchyPasswords } from './hierarchy-passwords.ts';

/** For a TPM that does not say: every PC Client TPM reads so much at a time. */
const USUAL_BUFFER_BYTES = 512;
/** TPML_HANDLE holds no more. */
const MAX_HANDLES = 254;

/** Handles from `first` to `last`, ascending. */
export async function handlesIn(run: TpmCommands, first: number, last: number): Promise<readonly number[]> {
  const handles: number[] = [];
  for (let next = first; next <= last; ) {
    const query = { capability: TPM_CAP.HANDLES, property: next, propertyCount: MAX_HANDLES };
    const { capabilityData, moreData } = await run.getCapability(query);
    const answer = decode(tpmsCapabilityData, capabilityData);
    const found = answer.capability === 'handles' ? answer.data : [];
    handles.push(...found.filter((handle) => handle >= next && handle <= last));
    const highest = found.at(-1);
    if (!moreData || highest === undefined || highest < next) break;
    next = highest + 1;
  }
  return handles;
}

/** What is read of non-volatile memory. */
export type NvContents = Pick<NvReader, 'read'>;

/** Reads indices in one exclusive operation. */
export class NvReader {
  readonly #run: TpmCommands;
  readonly #passwords: HierarchyPasswords;
  #bufferBytes: number | undefined;

  constructor(run: TpmCommands, passwords: HierarchyPasswords) {
    this.#run = run;
    this.#passwords = passwords;
  }

  /** What was written to the index; undefined when it does not exist or nothing was ever written to it. */
  async read(nvIndex: number): Promise<Uint8Array | undefined> {
    const object = await this.#open(nvIndex);
    if (object === undefined) return undefined;
    try {
      const { nvPublic } = await this.#run.nvReadPublic({ nvIndex: object });
      const publicArea = decode(tpmsNvPublic, nvPublic);
      if ((publicArea.attributes & TPMA_NV.WRITTEN) === 0) return undefined;
      return await this.#contents(object, publicArea);
    } finally {
      await this.#run.trClose({ object }).catch(() => {});
    }
  }

  async #open(nvIndex: number): Promise<NvHandle | undefined> {
    try {
      return await this.#run.nvFromTpm({ nvIndex });
    } catch (error) {
      // Any other error may pass, and a machine must not change its identity by it.
      if (error instanceof TpmError && error.name === 'TPM_RC_HANDLE') return undefined;
      throw error;
    }
  }

  async #contents(object: NvHandle, { attributes, dataBytes }: TpmsNvPublic): Promise<Uint8Array> {
    const contents = new Uint8Array(dataBytes);
    const chunkBytes = dataBytes > USUAL_BUFFER_BYTES ? await this.#chunkBytes() : USUAL_BUFFER_BYTES;
    for (let offset = 0; offset < dataBytes; ) {
      const size = Math.min(chunkBytes, dataBytes - offset);
      const data = await this.#part(object, attributes, size, offset);
      if (data.length === 0) throw new RangeError('TPM2_NV_Read answered nothing');
      contents.set(data, offset);
      offset += data.length;
    }
    return contents;
  }

  /** With the index's own authValue, empty by the EK Credential Profile (2.2.2.4), or as the owner. */
  async #part(object: NvHandle, attributes: number, size: number, offset: number): Promise<Uint8Array> {
    const record = { nvIndex: object, size, offset };
    if (attributes & TPMA_NV.AUTHREAD) {
      return (await this.#run.nvRead({ ...record, authHandle: object, sessions: [ESYS_TR.PASSWORD] })).data;
    }
    return this.#passwords.authorize(this.#run, 'owner', undefined, async (session) => {
      return (await this.#run.nvRead({ ...record, authHandle: ESYS_TR.RH_OWNER, sessions: [session] })).data;
    });
  }

  async #chunkBytes(): Promise<number> {
    this.#bufferBytes ??= await this.#queryBuffer();
    return this.#bufferBytes;
  }

  async #queryBuffer(): Promise<number> {
    const query = { capability: TPM_CAP.TPM_PROPERTIES, property: TPM_PT.NV_BUFFER_MAX, propertyCount: 1 };
    const answer = decode(tpmsCapabilityData, (await this.#run.getCapability(query)).capabilityData);
    const found =
      answer.capability === 'properties' ? answer.data.find((p) => p.property === TPM_PT.NV_BUFFER_MAX) : undefined;
    return found === undefined || found.value === 0 ? USUAL_BUFFER_BYTES : found.value;
  }
}
