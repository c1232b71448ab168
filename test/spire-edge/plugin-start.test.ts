import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type HealthCheckResponse, HealthClient } from '../../src/spire/gen/grpc/health/v1/health.ts';
import { formatHandshake, parseHandshake } from '../../src/spire/plugin/handshake.ts';
import { startPlugin } from '../../src/testing/plugin-host/plugin-host.ts';
import { execute } from '../support/execute.ts';
import { until } from '../support/processes.ts';
import { Toy } from './toy.ts';

let toy: Toy;
beforeAll(async () => {
  toy = await Toy.make();
});
afterEach(() => toy.stopAll());
afterAll(() => toy.remove());

const COOKIE = { NodeAttestor: 'NodeAttestor', PLUGIN_PROTOCOL_VERSIONS: '1' };

/** Runs the plugin as a host would that goes away when it has read the first line. */
async function handshakeOf(env: NodeJS.ProcessEnv): Promise<{ line: string; rest: string }> {
  const child = spawn(toy.executable, ['server'], {
    env: toy.env({ ...COOKIE, ...env }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    out += chunk;
  });
  await until(() => out.includes('\n'));
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('close', resolve));
  return { line: out.slice(0, out.indexOf('\n') + 1), rest: out.slice(out.indexOf('\n') + 1) };
}

describe('the handshake line', () => {
  it('is six fields, the last one empty', () => {
    expect(formatHandshake('/run/x.sock')).toBe('1|1|unix|/run/x.sock|grpc|\n');
    expect(parseHandshake('1|1|unix|/run/x.sock|grpc|\n')).toBe('/run/x.sock');
    expect(parseHandshake(' 1|1|unix|/run/x.sock|grpc')).toBe('/run/x.sock');
  });

  it.each([
    ['', /Unrecognized/],
    ['hello', /Unrecognized/],
    ['1|1|unix', /Unrecognized/],
    ['2|1|unix|/x|grpc|', /core API version/],
    ['1|2|unix|/x|grpc|', /incompatible API version/],
    ['1|1|pipe|/x|grpc|', /address type/],
    ['1|1|unix|x|grpc|', /absolute/],
    ['1|1|unix|/x', /netrpc/],
    [`1|1|unix|/x|grpc|${'A'.repeat(51)}`, /TLS/],
  ])('%j is refused', (line, message) => {
    expect(() => parseHandshake(line)).toThrow(message);
  });

  it('is all that standard output ever carries', async () => {
    const { line, rest } = await handshakeOf({ TOY_BANNER: '' });
    expect(line).toMatch(/^1\|1\|unix\|\/.+\|grpc\|\n$/);
    expect(rest).toBe('');
  });

  it('is refused by a host that reads a banner in its place', async () => {
    const start = startPlugin({ kind: 'server', command: toy.executable, env: toy.env({ TOY_BANNER: '1' }) });
    await expect(start).rejects.toMatchObject({
      code: 'ERR_PLUGIN_HOST',
      message: expect.stringContaining('Unrecognized'),
    });
  });
});

describe('a plugin that cannot start', () => {
  it.each([{}, { NodeAttestor: 'nodeattestor' }])('explains itself when no host started it (%j)', async (env) => {
    const ended = await execute(toy.executable, ['server'], { env: toy.env(env) });
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toMatch(/is a plugin of spire-server/);
  });

  it.each([
    [{ PLUGIN_CLIENT_CERT: '-----BEGIN CERTIFICATE-----' }, /PLUGIN_CLIENT_CERT is set: mutual TLS/],
    [{ PLUGIN_PROTOCOL_VERSIONS: '2,3' }, /the host speaks plugin protocol 2,3/],
    [{ PLUGIN_UNIX_SOCKET_DIR: '/nonexistent/directory' }, /ENOENT/],
    [{ PLUGIN_UNIX_SOCKET_GROUP: 'no-such-group' }, /unknown group: no-such-group/],
    [{ TMPDIR: `/tmp/${'x'.repeat(90)}` }, /longer than the 107 a Unix socket can have/],
    [{ PLUGIN_UNIX_SOCKET_DIR: '/tmp/a|b' }, /must not contain \|/],
    [{ TOY_EARLY_ERROR: '1' }, /before the handshake/],
  ])('says why in one error record and ends with 1: %j', async (env, reason) => {
    const ended = await execute(toy.executable, ['server'], { env: toy.env({ ...COOKIE, ...env }) });
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    const lines = ended.stderr.trimEnd().split('\n');
    expect(lines).toHaveLength(1);
    const record = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    expect(record).toMatchObject({ '@level': 'error', error: expect.stringMatching(reason) });
  });

  it('tells its host why', async () => {
    const start = startPlugin({
      kind: 'server',
      command: toy.executable,
      env: toy.env({ PLUGIN_CLIENT_CERT: 'x'.repeat(60) }),
    });
    await expect(start).rejects.toThrow(/code 1[\s\S]*PLUGIN_CLIENT_CERT is set/);
  });
});

describe('a host that starts something else', () => {
  it.each([
    ['nothing', '/nonexistent', [], /cannot run plugin/],
    ['a program that ends', '/bin/true', [], /exited before its handshake line \(code 0\)/],
    ['a program that prints', '/bin/echo', ['hello'], /Unrecognized remote plugin message: hello/],
    ['a program that is silent', '/bin/sleep', ['600'], /timeout while waiting/],
  ])('says so: %s', async (_what, command, args, message) => {
    const start = startPlugin({ kind: 'server', command, args, startTimeoutMs: 500 });
    await expect(start).rejects.toMatchObject({ code: 'ERR_PLUGIN_HOST', message: expect.stringMatching(message) });
  });

  it('refuses an agent plugin in place of a server plugin', async () => {
    const start = startPlugin({ kind: 'server', command: toy.executable, args: ['agent'], env: toy.env() });
    await expect(start).rejects.toThrow(/does not serve spire\.plugin\.server\.nodeattestor\.v1\.NodeAttestor/);
  });
});

describe('the socket', () => {
  it('lies in a directory only its user can enter, and only its user can connect', async () => {
    const before = process.umask(0);
    try {
      const host = await toy.start('server');
      expect(((await stat(host.socketPath)).mode & 0o777).toString(8)).toBe('600');
      expect(((await stat(dirname(host.socketPath))).mode & 0o777).toString(8)).toBe('700');
      expect(dirname(dirname(host.socketPath))).toBe(toy.directory);
    } finally {
      process.umask(before);
    }
  });

  it('is opened to the group and placed in the directory the environment names', async () => {
    const directory = await mkdtemp(join(toy.directory, 'sockets-'));
    const [gid] = process.getgroups?.() ?? [];
    const host = await toy.start('server', {
      PLUGIN_UNIX_SOCKET_DIR: directory,
      PLUGIN_UNIX_SOCKET_GROUP: String(gid),
    });
    expect(dirname(dirname(host.socketPath))).toBe(directory);
    const status = await stat(host.socketPath);
    expect([status.gid, (status.mode & 0o777).toString(8)]).toEqual([gid, '660']);
    expect(((await stat(dirname(host.socketPath))).mode & 0o777).toString(8)).toBe('710');
  });

  it('knows a group by its name', async () => {
    const gid = process.getgid?.();
    const name = (await readFile('/etc/group', 'utf8')).split('\n').find((line) => line.split(':')[2] === String(gid));
    const host = await toy.start('server', { PLUGIN_UNIX_SOCKET_GROUP: name?.split(':')[0] ?? '' });
    expect((await stat(host.socketPath)).gid).toBe(gid);
  });

  it('of a killed plugin is removed by the next one; others are left alone', async () => {
    const living = await toy.start('server');
    const killed = await toy.start('server');
    process.kill(killed.pid, 'SIGKILL');
    await killed.exited;
    expect(existsSync(killed.socketPath)).toBe(true);
    // Names like ours that are not what we make, or still in use.
    const other = (name: string, ...rest: string[]): string => join(toy.directory, `spire-plugin-${name}`, ...rest);
    await writeFile(other('aaaaaa'), 'a file');
    await mkdir(other('bbbbbb'));
    await writeFile(other('bbbbbb', 'data'), 'kept');
    await symlink(dirname(killed.socketPath), other('cccccc'));
    await mkdir(other('dddddd'));
    const listener = createServer().listen(other('dddddd', 'x.sock'));
    await until(() => listener.listening);
    await mkdir(other('eeeeee'));

    await toy.start('agent');
    await until(() => toy.record('removed sockets left behind by earlier plugins') !== undefined);
    expect(existsSync(dirname(killed.socketPath))).toBe(false);
    const left = await toy.leftovers();
    for (const name of ['aaaaaa', 'bbbbbb', 'cccccc', 'dddddd', 'eeeeee'])
      expect(left).toContain(`spire-plugin-${name}`);
    expect(await readdir(other('bbbbbb'))).toEqual(['data']);
    await living.configure('', 'example.org');
    await new Promise((resolve) => listener.close(resolve));
  });

  it('serves health under the name go-plugin asks for', async () => {
    const host = await toy.start('server');
    const client = new HealthClient(`unix:${host.socketPath}`, credentials.createInsecure());
    const check = (service: string): Promise<HealthCheckResponse | number> =>
      new Promise((resolve) => client.check({ service }, (error, response) => resolve(error?.code ?? response)));
    expect(await check('plugin')).toEqual({ status: 1 });
    expect(await check('other')).toBe(5);
    client.close();
  });
});
