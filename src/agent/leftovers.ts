/**
 * What an agent left in the TPM that was killed together with its keeper.
 *
 * Of all that an agent loads only its attestation key is provably its own: wire and trust domain are in the template. An
 * endorsement key has one Name whoever makes it, a session has none: those stay.
 */
import { concat, equalBytes } from '../bytes/bytes.ts';
import type { TpmCommands } from '../tpm/device/commands.ts';
import { TpmError } from '../tpm/device/errors.ts';
import type { KeyHandle } from '../tpm/device/handles.ts';
import { TPM_HT_FIRST } from '../tpm/structures/constants.ts';
import { handlesIn } from './endorsement/nv-index.ts';

const LAST_TRANSIENT = 0x80ffffff;

/** Flushes every other loaded object that is the same key as `key`. @param held what else this attestation has loaded */
export async function flushTwins(run: TpmCommands, key: KeyHandle, held: readonly KeyHandle[]): Promise<void> {
  const own: number[] = [];
  for (const object of [key, ...held]) own.push(await run.trGetTpmHandle({ object }));
  const loaded = await handlesIn(run, TPM_HT_FIRST.TRANSIENT, LAST_TRANSIENT);
  const others = loaded.filter((handle) => !own.includes(handle));
  if (others.length === 0) return;
  const identity = await identityOf(run, key);
  for (const tpmHandle of others) {
    const object = await readable(run, tpmHandle);
    if (object === undefined) continue;
    if (equalBytes(await identityOf(run, object), identity)) await run.flushContext({ flushHandle: object });
    else await run.trClose({ object });
  }
}

/**
 * Name and qualified name. A public key that somebody loaded to verify with has the Name of the key, and no place in the
 * endorsement hierarchy (Part 1, 16).
 */
async function identityOf(run: TpmCommands, object: KeyHandle): Promise<Uint8Array> {
  const { name, qualifiedName } = await run.readPublic({ objectHandle: object });
  return concat(name, qualifiedName);
}

/** Undefined for an object without a public area, as a hash sequence is, and for one that has gone meanwhile. */
async function readable(run: TpmCommands, tpmHandle: number): Promise<KeyHandle | undefined> {
  try {
    return await run.keyFromTpm({ tpmHandle });
  } catch (error) {
    if (error instanceof TpmError && error.layer === 'tpm') return undefined;
    throw error;
  }
}
