/** The server plugin as its host starts it, with the longest turn of its event loop measured. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { HostedLogRecord } from '../src/testing/plugin-host/hclog-reader.ts';
import { type PluginHost, startPlugin } from '../src/testing/plugin-host/plugin-host.ts';
import type { Forger } from '../test/support/forger.ts';
import { TRUST_DOMAIN } from '../test/support/software-device.ts';

export interface Turn {
  /** Milliseconds of processor time. */
  readonly turn: number;
  /** Milliseconds by the clock in which V8 collected garbage during it: on a busy machine they may be more. */
  readonly garbage: number;
}

export interface WatchedServer {
  readonly host: PluginHost<'server'>;
  readonly records: readonly HostedLogRecord[];
  /** Since it was asked last. */
  readonly longestTurn: () => Promise<Turn>;
}

/** @param folder for a file of its own */
export async function startWatched(root: URL, folder: string, hcl: string): Promise<WatchedServer> {
  const at = (path: string): string => fileURLToPath(new URL(path, root));
  const records: HostedLogRecord[] = [];
  const file = join(folder, 'turn');
  const host = await startPlugin({
    kind: 'server',
    command: process.execPath,
    args: ['--require', at('bench/longest-turn.cjs'), at('dist/bin/tpm-attestor-server.cjs')],
    env: { ...process.env, LONGEST_TURN_FILE: file, MALLOC_ARENA_MAX: '1' },
    onLog: (record) => records.push(record),
  });
  await host.configure(hcl, TRUST_DOMAIN);
  const longestTurn = async (): Promise<Turn> => {
    rmSync(file, { force: true });
    process.kill(host.pid, 'SIGUSR2');
    while (!existsSync(file)) await delay(5);
    return JSON.parse(readFileSync(file, 'utf8')) as Turn;
  };
  return { host, records, longestTurn };
}

/** Whether the machine is admitted. */
export async function attest(host: PluginHost<'server'>, machine: Forger): Promise<boolean> {
  const stream = host.openAttestation();
  try {
    stream.sendPayload(machine.payload);
    const challenge = await stream.next();
    if (challenge.kind !== 'challenge') return false;
    stream.sendChallengeResponse(machine.answer(challenge.bytes));
    return (await stream.next()).kind === 'agent_attributes';
  } catch {
    return false;
  } finally {
    await stream.close();
  }
}
