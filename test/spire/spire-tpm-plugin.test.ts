/**
 * Live, beside that project's own executables: `tpm_attestor_server` and `tpm_attestor_agent` in the folder that
 * SPIRE_TPM_PLUGIN_BIN names. What needs no such folder is in test/e2e/plugin-wire.test.ts.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type NodeAttestorBlock, tpmAttestor } from '../../src/testing/spire-plugin-block.ts';
import type { SpireServer } from '../../src/testing/spire-server.ts';
import { admitting, agentOf, attestorOn, says, startServer } from '../support/spire.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';

const folder = process.env['SPIRE_TPM_PLUGIN_BIN'];
const reason =
  folder === undefined ? 'SPIRE_TPM_PLUGIN_BIN names no folder with that project’s executables' : undefined;

describe('two agents and two servers, ours and those of spire-tpm-plugin', () => {
  test.skipIf(reason !== undefined)(
    `attest in all four pairs under one ID, and one workload entry serves them all${reason === undefined ? '' : ` (skipped: ${reason})`}`,
    { timeout: 180_000 },
    async () => {
      const tpm = await startSwtpm({ templates: ['L-1'], persistentEks: true });
      const wire = 'wire = "spire-tpm-plugin"';
      const caFolder = join(tpm.folder, 'cas');
      await mkdir(caFolder);
      await writeFile(join(caFolder, 'ca.pem'), await readFile(tpm.caPath));
      const servers: Readonly<Record<'theirs' | 'ours', NodeAttestorBlock>> = {
        theirs: { command: join(folder ?? '', 'tpm_attestor_server'), data: `ca_path = "${caFolder}"` },
        ours: tpmAttestor('server', `${admitting([tpm])}\n${wire}`),
      };
      // One datastore: a migration swaps plugin_cmd and nothing else.
      const database = join(tpm.folder, 'datastore.sqlite3');
      const dataStore = `database_type = "sqlite3"\n      connection_string = "${database}"`;
      const seen: { readonly pair: string; readonly id: string; readonly workload: string }[] = [];
      for (const [serverName, block] of Object.entries(servers)) {
        const server = await startServer({ nodeAttestors: [block], dataStore });
        if (seen.length === 0) await registerWorkload(server, await pubHashOf(tpm));
        for (const agentName of ['theirs', 'ours'] as const) {
          const agent = await startAgent(server, agentName, tpm, serverName === 'theirs' ? wire : '');
          const id = await agent.attested();
          seen.push({ pair: `${agentName} → ${serverName}`, id, workload: await agent.workloadId() });
          if (serverName === 'ours') {
            const expected = agentName === 'theirs' ? 'spire-tpm-plugin' : 'tpm-attestor';
            await server.process.log.until('the wire', says('node attested', { agent_id: id, wire: expected }));
          }
          await agent.stop();
        }
        await server.stop();
      }
      const id = `spiffe://example.org/spire/agent/tpm/${await pubHashOf(tpm)}`;
      expect(seen).toEqual(
        ['theirs → theirs', 'ours → theirs', 'theirs → ours', 'ours → ours'].map((pair) => {
          return { pair, id, workload: 'spiffe://example.org/workload' };
        }),
      );
    },
  );
});

function startAgent(server: SpireServer, whose: 'theirs' | 'ours', tpm: SoftwareTpm, config: string) {
  if (whose === 'ours') return agentOf(server, attestorOn(tpm, config));
  const block = { command: join(folder ?? '', 'tpm_attestor_agent'), data: '' };
  return agentOf(server, block, { under: ['unshare', '--mount', 'sh', '-euc', SHOW_TPM, 'sh', tpm.socketPath] });
}

/**
 * That agent knows /dev/tpm0 alone, and finds it through /sys/class/tpm. Here both are made in a mount namespace of its
 * own: the first is swtpm's socket, which its TPM library connects to where it finds one.
 */
const SHOW_TPM = `
  socket=$1; shift
  view=$(mktemp -d)
  mount --rbind /dev "$view"
  mount -t tmpfs -o mode=755 none /dev
  for name in null zero full random urandom; do touch "/dev/$name"; mount --bind "$view/$name" "/dev/$name"; done
  umount -l "$view"; rmdir "$view"
  ln -s "$socket" /dev/tpm0
  mount -t tmpfs -o mode=755 none /sys/class
  mkdir -p /sys/class/tpm/tpm0
  exec "$@"`;

async function registerWorkload(server: SpireServer, pubHash: string): Promise<void> {
  const alias = 'spiffe://example.org/edge';
  await server.command('entry', 'create', '-node', '-spiffeID', alias, '-selector', `tpm:pub_hash:${pubHash}`);
  const user = `unix:uid:${process.getuid?.() ?? 0}`;
  await server.command(
    ...['entry', 'create', '-parentID', alias, '-spiffeID', 'spiffe://example.org/workload', '-selector', user],
  );
}

async function pubHashOf(tpm: SoftwareTpm): Promise<string> {
  await tpm.tpm2('tpm2_readpublic', ['-c', '0x81010001', '-f', 'der', '-o', 'ek.der']);
  return createHash('sha256')
    .update(await readFile(join(tpm.folder, 'ek.der')))
    .digest('hex');
}
