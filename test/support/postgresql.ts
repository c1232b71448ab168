/** Starts a PostgreSQL server for one test, on a Unix socket in its own folder. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeScratchFolder, removeScratchFolder } from '../../src/files/scratch-folder.ts';

export interface PostgreSql {
  /** plugin_data of SPIRE's sql DataStore. */
  readonly dataStore: string;
  stop(): Promise<void>;
}

/** Debian installs the programs of each version here. */
const VERSIONS = '/usr/lib/postgresql';
const START_TRIES = 200;

export async function startPostgreSql(): Promise<PostgreSql> {
  const version = readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a))[0] ?? '';
  const programs = join(VERSIONS, version, 'bin');
  const folder = makeScratchFolder('postgresql-');
  const data = join(folder, 'data');
  mkdirSync(data);
  // PostgreSQL refuses to run as root, so use the user of its package.
  const as = process.getuid?.() === 0 ? ['--reuid', 'postgres', '--regid', 'postgres', '--clear-groups'] : [];
  if (as.length > 0) for (const path of [folder, data]) chownSync(path, idOf('-u'), idOf('-g'));
  const run = (program: string, args: readonly string[]): void => {
    execFileSync('setpriv', [...as, '--', join(programs, program), ...args], { cwd: folder, stdio: 'pipe' });
  };
  run('initdb', ['--pgdata', data, '--auth', 'trust', '--username', 'spire', '--no-sync']);
  const server = spawn(
    'setpriv',
    [
      ...[...as, '--pdeathsig', 'INT', '--', join(programs, 'postgres'), '-D', data, '-k', folder],
      ...['-c', 'listen_addresses=', '-c', 'fsync=off'],
    ],
    { cwd: folder, stdio: 'ignore' },
  );
  const connection = ['--host', folder, '--username', 'spire'];
  await ready(server, () => run('pg_isready', [...connection, '--dbname', 'postgres', '--quiet']));
  run('createdb', [...connection, 'spire']);
  const parameters = `host=${folder} user=spire dbname=spire sslmode=disable`;
  return {
    dataStore: `database_type = "postgres"\n      connection_string = "${parameters}"`,
    async stop() {
      if (server.exitCode === null) {
        // Fast shutdown: PostgreSQL disconnects its clients.
        server.kill('SIGINT');
        await once(server, 'exit');
      }
      await removeScratchFolder(folder);
    },
  };
}

async function ready(server: ChildProcess, probe: () => void): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      probe();
      return;
    } catch (error) {
      if (server.exitCode !== null || tries === START_TRIES) throw error;
      await sleep(50);
    }
  }
}

function idOf(kind: '-u' | '-g'): number {
  return Number(execFileSync('id', [kind, 'postgres'], { encoding: 'utf8' }));
}
