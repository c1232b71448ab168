/** An attacker on the bus between a TPM and its software, who sees and changes commands and answers. */
import { once } from 'node:events';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandName } from '../../src/tpm/structures/command-code.ts';
import type { SoftwareTpm } from './swtpm.ts';

/** Sends a command to the TPM. */
export type Transmit = (command: Buffer) => Promise<Buffer>;

/**
 * Gets each command before the TPM, and returns the answer: the TPM's own, from `transmit`, or another one.
 *
 * @param name `TPM2_Quote`
 */
export type OnCommand = (name: string, command: Buffer, transmit: Transmit) => Promise<Buffer>;

export interface TpmInterposer {
  readonly tcti: string;
  stop(): Promise<void>;
}

/** Puts the attacker between the TPM and its software. */
export async function interpose(software: SoftwareTpm, onCommand: OnCommand): Promise<TpmInterposer> {
  const folder = await mkdtemp(join(tmpdir(), 'bus-'));
  const path = join(folder, 'sock');
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(software.socketPath);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    }
    const answers = frames(upstream);
    const transmit: Transmit = async (command) => {
      upstream.write(command);
      const { value } = await answers.next();
      if (value === undefined) throw new Error('the TPM hung up');
      return value;
    };
    client.on('end', () => upstream.end());
    void (async () => {
      for await (const command of frames(client)) {
        client.write(await onCommand(commandName(command.readUInt32BE(6)), command, transmit));
      }
    })().catch(() => client.destroy());
  });
  server.listen(path);
  await once(server, 'listening');
  // The TCTI also opens the control channel, but sends no TPM commands there.
  await symlink(`${software.socketPath}.ctrl`, `${path}.ctrl`);
  return {
    tcti: `swtpm:path=${path}`,
    stop: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** An answer without parameters. @param responseCode TPM_RC */
export function refusal(responseCode: number): Buffer {
  const answer = Buffer.alloc(10);
  answer.writeUInt16BE(0x8001, 0);
  answer.writeUInt32BE(answer.length, 2);
  answer.writeUInt32BE(responseCode, 6);
  return answer;
}

/** TPM2_PCR_Extend of one SHA-256 PCR, with the empty password. */
export function pcrExtend(index: number, digest: Uint8Array): Buffer {
  const body = Buffer.from('000000000000000940000009000000000000000001000b', 'hex');
  body.writeUInt32BE(index, 0);
  const command = Buffer.concat([Buffer.from('80020000000000000182', 'hex'), body, digest]);
  command.writeUInt32BE(command.length, 2);
  return command;
}

/** Splits a stream into whole commands or answers. */
async function* frames(socket: Socket): AsyncGenerator<Buffer, undefined> {
  let pending = Buffer.alloc(0);
  for await (const chunk of socket) {
    pending = Buffer.concat([pending, chunk as Buffer]);
    while (pending.length >= 10 && pending.length >= pending.readUInt32BE(2)) {
      const bytes = pending.readUInt32BE(2);
      yield pending.subarray(0, bytes);
      pending = pending.subarray(bytes);
    }
  }
  return undefined;
}
