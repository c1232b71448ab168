/** The Unix socket of a plugin: its path, its mode, and the removal of old sockets. */
import { rmdirSync, unlinkSync } from 'node:fs';
import { chmod, chown, lstat, mkdtemp, readdir, readFile, rmdir, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { PluginEnvironment } from './handshake.ts';

/** The size of `sun_path` without its NUL. libuv cuts a longer path and reports success. */
export const MAX_SOCKET_PATH_BYTES = 107;

const DIRECTORY_PREFIX = 'spire-plugin-';
/** A fixed name is enough: the directory has a random name, and only this plugin uses it. */
const SOCKET_NAME = 'plugin.sock';
/** A new directory is empty until the bind. An older empty directory was left behind. */
const EMPTY_DIRECTORY_MS = 3_600_000;

export interface PluginSocket {
  readonly path: string;
  /** Sets the mode of the socket, and its group if the environment names one. Call it once the socket listens. */
  restrict(): Promise<void>;
  /** Synchronous, because it runs while the process exits. Never throws. */
  remove(): void;
}

async function makeDirectory(base: string): Promise<string> {
  try {
    return await mkdtemp(join(base, DIRECTORY_PREFIX));
  } catch (cause) {
    throw new Error(
      `cannot make a folder for the socket in ${base} (${cause instanceof Error ? cause.message : cause}); ` +
        'set TMPDIR or PLUGIN_UNIX_SOCKET_DIR, for SPIRE too, to a folder this user may write to',
      { cause },
    );
  }
}

/**
 * Makes a new directory with mode 0700 for one socket. The protocol has no peer authentication: anyone who can open the
 * socket can configure and end the plugin. The path holds no secret, because SPIRE tells it to remote agents when the
 * plugin is dead.
 *
 * Reads `PLUGIN_UNIX_SOCKET_DIR` and `PLUGIN_UNIX_SOCKET_GROUP` like plugins written in Go.
 */
export async function preparePluginSocket(env: PluginEnvironment): Promise<PluginSocket> {
  const base = resolve(env['PLUGIN_UNIX_SOCKET_DIR'] || tmpdir());
  const group = env['PLUGIN_UNIX_SOCKET_GROUP'] || undefined;
  const gid = group === undefined ? undefined : await groupId(group);
  const longest = join(base, `${DIRECTORY_PREFIX}XXXXXX`, SOCKET_NAME);
  if (Buffer.byteLength(longest) > MAX_SOCKET_PATH_BYTES) {
    throw new RangeError(
      `socket path of ${Buffer.byteLength(longest)} bytes is longer than the ${MAX_SOCKET_PATH_BYTES} a Unix socket can have: ` +
        `${longest}; set TMPDIR or PLUGIN_UNIX_SOCKET_DIR to a shorter directory`,
    );
  }
  if (/[|\n\r]/.test(base)) throw new RangeError(`socket directory must not contain | or a newline: ${base}`);
  const directory = await makeDirectory(base);
  const path = join(directory, SOCKET_NAME);
  return {
    path,
    async restrict() {
      await chmod(path, gid === undefined ? 0o600 : 0o660);
      if (gid === undefined) return;
      await chown(path, -1, gid);
      await chown(directory, -1, gid);
      await chmod(directory, 0o710);
    },
    remove() {
      for (const step of [() => unlinkSync(path), () => rmdirSync(directory)]) {
        try {
          step();
        } catch {
          // It may be gone already: grpc-js removes the file when it closes the listener.
        }
      }
    },
  };
}

/** Removes the directories of this user's killed plugins. Returns how many it removed. */
export async function removeStaleSockets(env: PluginEnvironment): Promise<number> {
  const base = resolve(env['PLUGIN_UNIX_SOCKET_DIR'] || tmpdir());
  const names = await readdir(base).catch(() => []);
  const candidates = names.filter((name) => /^spire-plugin-[A-Za-z0-9]{6}$/.test(name)).slice(0, 256);
  const removed = await Promise.all(candidates.map((name) => removeWhenStale(join(base, name)).catch(() => false)));
  return removed.filter(Boolean).length;
}

async function removeWhenStale(directory: string): Promise<boolean> {
  const status = await lstat(directory);
  if (!status.isDirectory() || status.uid !== process.geteuid?.()) return false;
  const names = await readdir(directory);
  if (names.length === 0 && Date.now() - status.mtimeMs < EMPTY_DIRECTORY_MS) return false;
  for (const name of names) {
    const path = join(directory, name);
    if (!(await lstat(path)).isSocket()) return false;
    // Try twice: a living plugin refuses connections for microseconds between bind and listen.
    if (!(await refusesConnections(path))) return false;
    await delay(50);
    if (!(await refusesConnections(path))) return false;
    await unlink(path);
  }
  await rmdir(directory);
  return true;
}

function refusesConnections(path: string): Promise<boolean> {
  return new Promise((settle) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      settle(false);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => settle(error.code === 'ECONNREFUSED'));
  });
}

async function groupId(group: string): Promise<number> {
  if (/^\d+$/.test(group)) return Number(group);
  for (const line of (await readFile('/etc/group', 'utf8')).split('\n')) {
    const [name, , gid] = line.split(':');
    if (name === group && gid !== undefined) return Number(gid);
  }
  throw new RangeError(`PLUGIN_UNIX_SOCKET_GROUP names an unknown group: ${group}`);
}
