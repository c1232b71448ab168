/** Reads NV indices, in which a manufacturer stores data about the endorsement keys. */
import { hex } from '../../bytes/bytes.ts';
import type { TpmCommands } from '../../tpm/device/commands.ts';
import { TpmError } from '../../tpm/device/errors.ts';
import { ESYS_TR, type NvHandle } from '../../tpm/device/handles.ts';
import { tpmsCapabilityData } from '../../tpm/structures/capability.ts';
import { decode } from '../../tpm/structures/codec.ts';
import { TPM_CAP, TPM_PT } from '../../tpm/structures/constants.ts';
import { type TpmsNvPublic, tpmsNvPublic } from '../../tpm/structures/nv-public.ts';
import { type HierarchyPasswords, isRefusal } from '../passwords/hierarchy-passwords.ts';
import { type NvObstacle, type NvWay, obstacleOf, waysToRead } from './nv-access.ts';

/** Used when the TPM does not report its limit: every PC Client TPM reads as much in one command. */
const USUAL_BUFFER_BYTES = 512;
/** The most that a TPML_HANDLE holds. */
const MAX_HANDLES = 254;

/** The handles in use from `first` to `last`, ascending. */
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

/** The result of reading an index. Each state is permanent; a failure that may be temporary is thrown. */
export type NvRecord =
  | { readonly state: 'absent' }
  | { readonly state: 'contents'; readonly bytes: Uint8Array }
  | { readonly state: 'unreadable'; readonly obstacle: NvObstacle };

/** Reads the contents of an NV index. */
export type NvContents = Pick<NvReader, 'read'>;

/** An index that ESYS has opened, with its public area. */
interface OpenIndex extends TpmsNvPublic {
  readonly object: NvHandle;
  /** Hexadecimal Name: it changes with the attributes. */
  readonly name: string;
}

/**
 * Reads indices in one exclusive operation. No attempt counts towards lockout, and a refused attempt is not repeated.
 */
export class NvReader {
  readonly #run: TpmCommands;
  readonly #passwords: HierarchyPasswords;
  #bufferBytes: number | undefined;

  constructor(run: TpmCommands, passwords: HierarchyPasswords) {
    this.#run = run;
    this.#passwords = passwords;
  }

  /** @throws TpmError for a failure that may be temporary: it must not change the identity of the machine */
  async read(nvIndex: number): Promise<NvRecord> {
    const object = await this.#open(nvIndex);
    if (object === undefined) return { state: 'absent' };
    try {
      const { nvPublic, nvName } = await this.#run.nvReadPublic({ nvIndex: object });
      const publicArea = decode(tpmsNvPublic, nvPublic);
      const obstacle = obstacleOf(publicArea.attributes);
      if (obstacle !== undefined) return { state: 'unreadable', obstacle };
      return await this.#readOpen({ object, name: hex(nvName), ...publicArea });
    } finally {
      await this.#run.trClose({ object }).catch(() => {});
    }
  }

  async #open(nvIndex: number): Promise<NvHandle | undefined> {
    try {
      return await this.#run.nvFromTpm({ nvIndex });
    } catch (error) {
      if (error instanceof TpmError && error.name === 'TPM_RC_HANDLE') return undefined;
      throw error;
    }
  }

  async #readOpen(index: OpenIndex): Promise<NvRecord> {
    const ownerHasPassword = this.#passwords.has('owner');
    const ways = waysToRead(index.attributes, ownerHasPassword);
    for (const way of ways) {
      try {
        return { state: 'contents', bytes: await this.#contents(index, way) };
      } catch (error) {
        // The operator must mend a wrong password: going on without the index might select another key.
        if (!isClosed(error) || (way === 'owner' && ownerHasPassword)) throw error;
      }
    }
    return { state: 'unreadable', obstacle: ways.includes('owner') ? 'owner_password' : 'password' };
  }

  async #contents(index: OpenIndex, way: NvWay): Promise<Uint8Array> {
    const { dataBytes } = index;
    const contents = new Uint8Array(dataBytes);
    const chunkBytes = dataBytes > USUAL_BUFFER_BYTES ? await this.#chunkBytes() : USUAL_BUFFER_BYTES;
    for (let offset = 0; offset < dataBytes; ) {
      const size = Math.min(chunkBytes, dataBytes - offset);
      const data = await this.#part(index, way, size, offset);
      if (data.length === 0) throw new RangeError('TPM2_NV_Read answered nothing');
      contents.set(data, offset);
      offset += data.length;
    }
    return contents;
  }

  async #part({ object, name }: OpenIndex, way: NvWay, size: number, offset: number): Promise<Uint8Array> {
    const record = { nvIndex: object, size, offset };
    if (way === 'index') {
      const input = { ...record, authHandle: object, sessions: [ESYS_TR.PASSWORD] };
      return this.#passwords.once(`NV index ${name}`, async () => (await this.#run.nvRead(input)).data);
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

/** True when an authorization fails: its password is another one, or its hierarchy is disabled. */
function isClosed(error: unknown): boolean {
  return isRefusal(error) || (error instanceof TpmError && error.name === 'TPM_RC_HIERARCHY');
}
