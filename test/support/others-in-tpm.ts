/**
 * Reads and changes what is loaded in a software TPM, with raw commands on a separate connection. It does not use
 * tpm2-tss, whose sockets would be inherited by every process that a test starts meanwhile.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { concat, hex } from '../../src/bytes/bytes.ts';
import { tpmsCapabilityData } from '../../src/tpm/structures/capability.ts';
import { decode } from '../../src/tpm/structures/codec.ts';
import { TPM_ALG, TPM_CAP, TPM_HT_FIRST, TPM_RH } from '../../src/tpm/structures/constants.ts';
import type { SoftwareTpm } from './swtpm.ts';

/** The TPMT_PUBLIC of a primary key in the endorsement hierarchy, or the TPM_SE of a session. */
export type Other = Uint8Array | number;

const HEADER_BYTES = 10;
const [GET_CAPABILITY, CREATE_PRIMARY, READ_PUBLIC, START_AUTH_SESSION] = [0x17a, 0x131, 0x173, 0x176];
const NO_SESSIONS = 0x8001;
const SESSIONS = 0x8002;

function u16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value);
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** Sends a command. @returns the parameters of the answer */
async function send(
  { socketPath }: SoftwareTpm,
  tag: number,
  code: number,
  ...body: readonly Uint8Array[]
): Promise<Buffer> {
  const rest = concat(u32(code), ...body);
  const socket = connect(socketPath);
  await once(socket, 'connect');
  socket.write(concat(u16(tag), u32(6 + rest.length), rest));
  let answer = Buffer.alloc(0);
  while (answer.length < HEADER_BYTES || answer.length < answer.readUInt32BE(2))
    answer = Buffer.concat([answer, (await once(socket, 'data'))[0]]);
  socket.destroy();
  await once(socket, 'close');
  if (answer.readUInt32BE(6) !== 0) throw new Error(`the TPM answers 0x${answer.readUInt32BE(6).toString(16)}`);
  return answer.subarray(HEADER_BYTES);
}

/** Loads these objects and disconnects without flushing them, like a crashed program. @returns their handles */
export async function leaveInTpm(tpm: SoftwareTpm, others: readonly Other[]): Promise<readonly number[]> {
  const handles: number[] = [];
  for (const other of others) handles.push((await leave(tpm, other)).readUInt32BE(0));
  return handles;
}

async function leave(tpm: SoftwareTpm, other: Other): Promise<Buffer> {
  if (typeof other === 'number') {
    const nonce = concat(u16(16), Uint8Array.from(randomBytes(16)), u16(0));
    const type = concat(Uint8Array.of(other), u16(TPM_ALG.NULL), u16(TPM_ALG.SHA256));
    return send(tpm, NO_SESSIONS, START_AUTH_SESSION, u32(TPM_RH.NULL), u32(TPM_RH.NULL), nonce, type);
  }
  const emptyPassword = concat(u32(9), u32(0x40000009), u16(0), Uint8Array.of(0), u16(0));
  const sensitive = concat(u16(4), u16(0), u16(0));
  const rest = concat(u16(other.length), other, u16(0), u32(0));
  return send(tpm, SESSIONS, CREATE_PRIMARY, u32(TPM_RH.ENDORSEMENT), emptyPassword, sensitive, rest);
}

/** The handle and Name of each transient object, and the handles of sessions. */
export async function loadedInTpm(tpm: SoftwareTpm): Promise<readonly string[]> {
  const loaded: string[] = [];
  for (const handle of await handlesOf(tpm, TPM_HT_FIRST.TRANSIENT)) {
    const answer = await send(tpm, NO_SESSIONS, READ_PUBLIC, u32(handle));
    const nameAt = 2 + answer.readUInt16BE(0);
    const name = answer.subarray(nameAt + 2, nameAt + 2 + answer.readUInt16BE(nameAt));
    loaded.push(`${hex(u32(handle))} ${hex(name)}`);
  }
  for (const first of [TPM_HT_FIRST.LOADED_SESSION, TPM_HT_FIRST.SAVED_SESSION])
    loaded.push(...(await handlesOf(tpm, first)).map((handle) => hex(u32(handle))));
  return loaded;
}

async function handlesOf(tpm: SoftwareTpm, first: number): Promise<readonly number[]> {
  const answer = await send(tpm, NO_SESSIONS, GET_CAPABILITY, u32(TPM_CAP.HANDLES), u32(first), u32(64));
  const data = decode(tpmsCapabilityData, Uint8Array.from(answer.subarray(1)));
  return data.capability === 'handles' ? data.data : [];
}
