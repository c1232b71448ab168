/** A host that does not read what its plugin writes: the plugin serves all the same, and ends. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PluginKind } from '../../src/spire/plugin/attestation-stream.ts';
import { type PluginHost, startPlugin } from '../../src/testing/plugin-host/plugin-host.ts';
import { FullPipe } from '../support/full-pipe.ts';
import { until } from '../support/processes.ts';
import { Toy, utf8 } from './toy.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const EXECUTABLES = [
  ['server', join(ROOT, 'dist/bin/tpm-attestor-server.cjs')],
  ['agent', join(ROOT, 'dist/bin/tpm-attestor-agent.cjs')],
] as const;

let folder: string;
let pipe: FullPipe;
let pids: number[];
beforeAll(() => {
  execFileSync(process.execPath, [join(ROOT, 'scripts/bundle.mjs')], { stdio: 'ignore' });
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'unread-'));
  pipe = new FullPipe(join(folder, 'pipe'));
  pids = [];
});
afterEach(() => {
  for (const pid of pids.filter(isAlive)) process.kill(pid, 'SIGKILL');
  pipe.close();
  rmSync(folder, { recursive: true, force: true });
});

const environment = (more: NodeJS.ProcessEnv = {}) => ({ PATH: process.env['PATH'], TMPDIR: folder, ...more });

async function started<Kind extends PluginKind>(
  kind: Kind,
  file: string,
  ...args: string[]
): Promise<PluginHost<Kind>> {
  const host = await startPlugin({ kind, ...pipe.behind(2, file, ...args), env: environment() });
  pids.push(host.pid);
  return host;
}

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}/exe`);
const sockets = (): readonly string[] => readdirSync(folder).filter((name) => name.startsWith('spire-plugin-'));

describe.each(EXECUTABLES)('the %s plugin, whose log is full and not read,', (kind, executable) => {
  test('ends after SIGTERM, with 0', async () => {
    const host = await started(kind, executable);
    process.kill(host.pid, 'SIGTERM');
    expect(await host.exited).toEqual({ code: 0, signal: null });
    expect(sockets()).toEqual([]);
  });

  test('ends when SPIRE asks it to', async () => {
    const host = await started(kind, executable);
    expect(await host.stop()).toEqual({ code: 0, signal: null, graceful: true });
    expect(sockets()).toEqual([]);
  });

  test('ends with its host', async () => {
    const { command, args } = pipe.behind(2, executable);
    const quoted = [command, ...args].map((word) => `'${word}'`).join(' ');
    const host = spawn('/bin/sh', ['-c', `${quoted} & echo $!; wait`], {
      env: environment({ NodeAttestor: 'NodeAttestor' }),
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let out = '';
    host.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    await until(() => out.includes('|grpc|'));
    const pid = Number.parseInt(out, 10);
    pids.push(pid);
    host.kill('SIGKILL');
    await until(() => !isAlive(pid));
    expect(sockets()).toEqual([]);
  });

  test('ends with 1 when it cannot start', async () => {
    const { command, args } = pipe.behind(2, executable);
    const env = environment({ NodeAttestor: 'NodeAttestor', PLUGIN_CLIENT_CERT: 'x' });
    const plugin = spawn(command, args, { env, stdio: 'ignore' });
    expect(await once(plugin, 'exit')).toEqual([1, null]);
  });

  test('ends with 1 when its handshake line is not read, and says why', async () => {
    const { command, args } = pipe.behind(1, executable);
    const env = environment({ NodeAttestor: 'NodeAttestor' });
    const plugin = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    plugin.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    expect(await once(plugin, 'close')).toEqual([1, null]);
    expect(said).toContain('the host does not read the handshake line');
    expect(sockets()).toEqual([]);
  });

  test('leaves the mode of the pipe as the host set it', async () => {
    const { command, args } = pipe.behind(2, '/bin/sh', '-c', '"$0" & wait; cat /proc/self/fdinfo/2', executable);
    const env = environment({ NodeAttestor: 'NodeAttestor', PLUGIN_CLIENT_CERT: 'x' });
    const plugin = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'ignore'] });
    let out = '';
    plugin.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    await once(plugin, 'close');
    const flags = Number.parseInt(/flags:\s+(\d+)/.exec(out)?.[1] ?? '', 8);
    expect(flags).toBeGreaterThan(0);
    expect(flags & 0o4000).toBe(0);
  });
});

describe('a plugin whose log is full', () => {
  let toy: Toy;
  beforeAll(async () => {
    toy = await Toy.make();
  });
  afterAll(() => toy.remove());

  test('goes on attesting, keeps what came first, and says how much it dropped after that', async () => {
    const host = await started('server', toy.executable, 'server');
    await host.configure('', 'example.org');
    for (const payload of ['flood', 'anything']) {
      const call = host.openAttestation();
      call.sendPayload(utf8(payload));
      expect(await call.next()).toMatchObject({ kind: 'challenge' });
      call.cancel();
    }
    const records: Record<string, unknown>[] = [];
    const dropped = (): number => Number(records.find((record) => 'dropped' in record)?.['dropped'] ?? 0);
    await until(() => {
      records.push(...pipe.read().map((line) => JSON.parse(line) as Record<string, unknown>));
      return dropped() > 0;
    });
    // What the flood logged is there from its beginning on, in its order, or is counted.
    const flood = records.filter((record) => record['@message'] === 'flood').map((record) => record['i']);
    expect(flood).toEqual(flood.map((_, i) => i));
    expect(flood.length + dropped()).toBeGreaterThanOrEqual(16_000);
    expect(records.at(-1)?.['@message']).toBe(
      `${dropped()} log records were dropped: the host did not read standard error`,
    );
    process.kill(host.pid, 'SIGTERM');
    await until(() => {
      records.push(...pipe.read().map((line) => JSON.parse(line) as Record<string, unknown>));
      return records.some((record) => String(record['@message']).startsWith('SIGTERM'));
    });
    expect(await host.stop()).toMatchObject({ graceful: true });
  });

  test.each([
    ['a socket', ['SIGKILL', null]],
    ['a file', [null, 0]],
  ])('ends also where standard error is %s', async (what, end) => {
    const file = join(folder, 'log');
    const command =
      what === 'a file' ? ['/bin/sh', '-c', `exec "$0" server 2>${file}`, toy.executable] : [toy.executable, 'server'];
    const plugin = spawn(command[0] ?? '', command.slice(1), {
      env: environment({ NodeAttestor: 'NodeAttestor', TOY_FLOOD: '16000' }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    pids.push(plugin.pid ?? 0);
    await once(plugin.stdout, 'data');
    plugin.kill('SIGTERM');
    const [code, signal] = (await once(plugin, 'exit')) as [number | null, string | null];
    expect([signal, code]).toEqual(end);
    if (what === 'a file') expect(readFileSync(file, 'utf8').match(/"flood"/g)).toHaveLength(16_000);
    plugin.stderr.destroy();
  });
});
