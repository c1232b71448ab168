/** A connection to a software TPM that a test can delay, cut or forge. */
import { once } from 'node:events';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SoftwareTpm } from './swtpm.ts';

export interface TpmRelay {
  readonly tcti: string;
  /** The number of commands so far. */
  readonly commands: number;
  /** Holds back the TPM's answers from now on. */
  hold(): void;
  /** Delivers the held answers, and holds back no more. */
  release(): void;
  /** Delivers `bytes` bytes of the next answer, then closes the connection. */
  cutAfter(bytes: number): void;
  /** Delivers this instead of the next answer. */
  forge(answer: Uint8Array): void;
  stop(): Promise<void>;
}

export async function relayTo(software: SoftwareTpm): Promise<TpmRelay> {
  const folder = await mkdtemp(join(tmpdir(), 'relay-'));
  const path = join(folder, 'sock');
  const sockets = new Set<Socket>();
  let commands = 0;
  let held: (() => void)[] | undefined;
  let tamper: ((answer: Buffer, client: Socket) => void) | undefined;

  const server = createServer((client) => {
    const upstream = connect(software.socketPath);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    }
    client.on('data', (command) => {
      commands++;
      upstream.write(command);
    });
    client.on('end', () => upstream.end());
    upstream.on('data', (answer) => {
      const deliver = (): void => {
        const change = tamper;
        tamper = undefined;
        if (change === undefined) client.write(answer);
        else change(answer, client);
      };
      if (held === undefined) deliver();
      else held.push(deliver);
    });
  });
  server.listen(path);
  await once(server, 'listening');
  // The TCTI also opens the control channel, but sends no TPM commands there.
  await symlink(`${software.socketPath}.ctrl`, `${path}.ctrl`);

  return {
    tcti: `swtpm:path=${path}`,
    get commands() {
      return commands;
    },
    hold: () => {
      held ??= [];
    },
    release: () => {
      const waiting = held ?? [];
      held = undefined;
      for (const deliver of waiting) deliver();
    },
    cutAfter: (bytes) => {
      tamper = (answer, client) => client.write(answer.subarray(0, bytes), () => client.destroy());
    },
    forge: (answer) => {
      tamper = (_, client) => client.write(answer);
    },
    stop: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
