/**
 * Flushes the attestation keys that a killed agent left in the TPM, when its keeper was killed as well.
 *
 * Only an AK is provably the agent's own, because its template contains the wire and the trust domain. An EK has the
 * same Name whoever makes it, and a session has no Name. So EKs and sessions stay.
 */
import { concat, equalBytes } from '../bytes/bytes.ts';
import type { TpmCommands } from '../tpm/device/commands.ts';
import { TpmError } from '../tpm/device/errors.ts';
import type { KeyHandle } from '../tpm/device/handles.ts';
import { TPM_HT_FIRST } from '../tpm/structures/constants.ts';
import { handlesIn } from './endorsement/nv-index.ts';

const LAST_TRANSIENT = 0x80ffffff;

/** Flushes every other loaded copy of `key`. @param held other objects that this attestation has loaded */
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
 * Name and Qualified Name. The Name alone is not enough: other software may have loaded the public key to verify
 * signatures. That object has the same Name, but is not in the endorsement hierarchy (Part 1, 16).
 */
async function identityOf(run: TpmCommands, object: KeyHandle): Promise<Uint8Array> {
  const { name, qualifiedName } = await run.readPublic({ objectHandle: object });
  return concat(name, qualifiedName);
}

/** Undefined for an object without a public area, such as a hash sequence, and for one that was flushed meanwhile. */
async function readable(run: TpmCommands, tpmHandle: number): Promise<KeyHandle | undefined> {
  try {
    return await run.keyFromTpm({ tpmHandle });
  } catch (error) {
    if (error instanceof TpmError && error.layer === 'tpm') return undefined;
    throw error;
  }
}
