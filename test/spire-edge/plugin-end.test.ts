import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { STATUS } from '../../src/spire/status.ts';
import type { PluginHost } from '../../src/testing/plugin-host/plugin-host.ts';
import { until } from '../support/processes.ts';
import { Toy, utf8 } from './toy.ts';

let toy: Toy;
beforeAll(async () => {
  toy = await Toy.make();
});
afterEach(() => toy.stopAll());
afterAll(() => toy.remove());

async function attestsNormally(host: PluginHost<'server'>): Promise<void> {
  const call = host.openAttestation();
  call.sendPayload(utf8('still there'));
  expect(await call.next()).toMatchObject({ kind: 'challenge' });
  call.cancel();
}

describe('the ordered stop', () => {
  it('ends by itself with 0 and leaves no socket', async () => {
    const host = await toy.configured('server');
    await attestsNormally(host);
    expect(await host.stop()).toEqual({ code: 0, signal: null, graceful: true });
    expect(await toy.leftovers()).toEqual([]);
  });

  it('ends attestations under way with a status, and waits for a handler that cleans up', async () => {
    const host = await toy.configured('server');
    const call = host.openAttestation();
    call.sendPayload(utf8('clean up slowly'));
    await attestsNormally(host);
    const status = expect(call.next()).rejects.toMatchObject({
      code: STATUS.UNAVAILABLE,
      message: 'plugin is shutting down',
    });
    expect(await host.stop()).toMatchObject({ graceful: true });
    await status;
    expect(toy.record('cleaned up')).toBeDefined();
  });

  it('does not wait for a handler that never ends', async () => {
    const host = await toy.configured('server');
    const call = host.openAttestation();
    call.sendPayload(utf8('hang'));
    await attestsNormally(host);
    call.next().catch(() => {});
    expect(await host.stop()).toMatchObject({ graceful: true });
    expect(await toy.leftovers()).toEqual([]);
  });
});

describe('signals', () => {
  it.each(['SIGINT', 'SIGUSR1'] as const)('%s changes nothing', async (signal) => {
    const host = await toy.configured('server');
    for (let i = 0; i < 3; i += 1) process.kill(host.pid, signal);
    await attestsNormally(host);
    // An inspector would listen on TCP.
    expect(await tcpListeners(host.pid)).toBe(0);
    expect(await host.stop()).toMatchObject({ graceful: true });
  });

  it('SIGTERM leaves time for the ordered stop', async () => {
    const host = await toy.configured('server');
    process.kill(host.pid, 'SIGTERM');
    await until(() => toy.logs.some((record) => record.message.startsWith('SIGTERM')));
    await attestsNormally(host);
    expect(await host.stop()).toMatchObject({ graceful: true });
    expect(await toy.leftovers()).toEqual([]);
  });

  it('SIGTERM alone ends the plugin with 0, and its socket', async () => {
    const host = await toy.configured('server');
    process.kill(host.pid, 'SIGTERM');
    process.kill(host.pid, 'SIGTERM');
    expect(await host.exited).toEqual({ code: 0, signal: null });
    expect(await toy.leftovers()).toEqual([]);
  });

  it('SIGTERM ends a plugin whose thread is blocked, when it was given an exit that does not wait', async () => {
    const fifo = join(toy.directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const host = await toy.configured('server', '', { TOY_FIFO: fifo, TOY_EXIT: 'kill' });
    const call = host.openAttestation();
    call.sendPayload(utf8('block a thread'));
    call.next().catch(() => {});
    await attestsNormally(host);
    process.kill(host.pid, 'SIGTERM');
    expect(await host.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(await toy.leftovers()).toEqual([]);
  });

  it('SIGKILL leaves the socket for the next start to remove', async () => {
    const host = await toy.configured('server');
    process.kill(host.pid, 'SIGKILL');
    expect(await host.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(existsSync(host.socketPath)).toBe(true);
    expect(await host.stop()).toMatchObject({ graceful: false, signal: 'SIGKILL' });
  });
});

describe('a host that is gone', () => {
  it('before it reads the handshake line is told from one that waits: the plugin ends', async () => {
    const before = await toy.leftovers();
    const plugin = spawn(toy.executable, ['server'], {
      env: toy.env({ NodeAttestor: 'NodeAttestor' }),
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    plugin.stdout.destroy();
    expect(await once(plugin, 'exit')).toEqual([1, null]);
    expect(await toy.leftovers()).toEqual(before);
  });

  it('takes its plugin with it', async () => {
    // The shell is the host; it is killed without a word to its child.
    const host = spawn('/bin/sh', ['-c', `"${toy.executable}" server & echo $!; wait`], {
      env: toy.env({ NodeAttestor: 'NodeAttestor' }),
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let out = '';
    host.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      out += chunk;
    });
    await until(() => out.includes('|grpc|'));
    const socketPath = /\|unix\|(.+)\|grpc/.exec(out)?.[1] ?? '';
    expect(existsSync(socketPath)).toBe(true);
    host.kill('SIGKILL');
    await until(() => !existsSync(socketPath));
  });
});

/** Listening TCP sockets among the process's file descriptors. */
async function tcpListeners(pid: number): Promise<number> {
  const links = execFileSync('ls', ['-l', `/proc/${pid}/fd`], { encoding: 'utf8' });
  const inodes = new Set([...links.matchAll(/socket:\[(\d+)\]/g)].map((match) => match[1]));
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/${pid}/net/${name}`, 'utf8').catch(() => '')),
  );
  const rows = tables.flatMap((table) => table.trim().split('\n').slice(1));
  return rows.filter((row) => inodes.has(row.trim().split(/\s+/)[9])).length;
}
