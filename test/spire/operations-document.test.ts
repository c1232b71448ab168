/** docs/operations.md in genuine SPIRE: its scripts as they stand, and the lines it says are SPIRE's. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeScratchFolder, removeScratchFolder } from '../../src/cli/scratch-folder.ts';
import type { SpireAgent } from '../../src/cli/spire-agent.ts';
import { tpmAttestor } from '../../src/cli/spire-plugin-block.ts';
import { SpireProcess, spireCommand, spireFolder } from '../../src/cli/spire-process.ts';
import { type SpireServer, serverConfig } from '../../src/cli/spire-server.ts';
import { AttestAgentClient } from '../support/attest-agent.ts';
import { CLI } from '../support/cli.ts';
import { MarkdownDocument, quotedIn, tableRows } from '../support/document.ts';
import { type Execution, execute } from '../support/execute.ts';
import { admitting, agentOf, attestorOn, errorOf, says, startServer, TRUST_DOMAIN } from '../support/spire.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';

const document = new MarkdownDocument('docs/operations.md');
const folder: string = await makeScratchFolder('operations-');
const hashes: string = join(folder, 'hashes');
const bin: string = join(folder, 'bin');

beforeAll(async () => {
  await mkdir(hashes);
  await mkdir(bin);
  await writeFile(join(bin, 'tpm-attestor'), `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`);
  await chmod(join(bin, 'tpm-attestor'), 0o755);
});
afterAll(() => removeScratchFolder(folder));

interface Place {
  readonly tpm?: SoftwareTpm;
  readonly server?: SpireServer;
}

/** A script of the document, on a machine with this TPM or beside this server. */
async function run(name: string, args: readonly string[], { tpm, server }: Place = {}): Promise<Execution> {
  await writeFile(join(folder, name), document.block('bash', name));
  const env = {
    ...process.env,
    PATH: `${bin}:${await spireFolder()}:${process.env['PATH']}`,
    HASH_PATH: hashes,
    TPM_ATTESTOR_TCTI: tpm?.tcti,
    SPIRE_SERVER_PRIVATE_SOCKET: server?.socketPath,
  };
  return execute('bash', [join(folder, name), ...args], { cwd: folder, env });
}

/** The same, which must succeed. */
async function done(execution: Promise<Execution>): Promise<string> {
  const { code, stdout, stderr } = await execution;
  expect(code, stdout + stderr).toBe(0);
  return stdout;
}

async function hashOf(tpm: SoftwareTpm): Promise<string> {
  const told = await done(run('hash.sh', [], { tpm }));
  const hash = told.trim().split('\n').at(-1) ?? '';
  expect(told).toMatch(new RegExp(`^pub_hash +${hash}$`, 'm'));
  return hash;
}

async function outcome(agent: SpireAgent): Promise<'attested' | 'refused'> {
  const end = await agent.process.log.until('a verdict', says(/^(Node attestation was successful|Agent crashed)$/));
  return end.message === 'Agent crashed' ? 'refused' : 'attested';
}

test('the lines that are SPIRE’s are in its executables', async () => {
  const executables = await Promise.all(
    ['spire-server', 'spire-agent'].map(async (name) => readFile(join(await spireFolder(), name))),
  );
  // Put together by SPIRE or Go when they are logged.
  const composed: Readonly<Record<string, readonly string[]>> = {
    'Could not reattest agent': ['Could not %s', 'reattest agent'],
    'bind: invalid argument': ['invalid argument'],
  };
  const rows = tableRows(document.section('What to do when'), 'who').filter(([who]) => who === 'SPIRE');
  expect(rows.length).toBeGreaterThan(20);
  const missing = rows
    .map(([, line = '']) => quotedIn(line)[0] ?? '')
    .flatMap((line) => composed[line] ?? line.split('…').map((part) => part.trim()))
    .filter((part) => !executables.some((bytes) => bytes.includes(part)));
  expect(missing).toEqual([]);
});

test('a machine is listed, has its entries, is banned, comes back and gets a new board', {
  timeout: 180_000,
}, async () => {
  const tpm = await startSwtpm({ templates: ['L-1'], persistentEks: true });
  const newBoard = await startSwtpm({ templates: ['L-1'], identity: 'new board', persistentEks: true });
  const [node, workload] = [`spiffe://${TRUST_DOMAIN}/edge`, `spiffe://${TRUST_DOMAIN}/web`];
  const server = await startServer({ nodeAttestors: [tpmAttestor('server', `hash_path = "${hashes}"`)] });
  const hash = await hashOf(tpm);
  const id = `spiffe://${TRUST_DOMAIN}/spire/agent/tpm/${hash}`;

  expect(await outcome(await agentOf(server, tpm))).toBe('refused');
  await done(run('list.sh', [hash]));
  await done(run('entries.sh', [hash, node, workload, `${process.getuid?.()}`], { server }));
  const agent = await agentOf(server, tpm);
  expect(await agent.attested()).toBe(id);
  expect(await agent.workloadId()).toBe(workload);

  expect(await done(run('ban.sh', [id], { server }))).toMatch(/Banned\s*: true/);
  expect(await agent.process.exited).toMatchObject({ code: 1 });
  expect(await outcome(await agentOf(server, tpm))).toBe('refused');
  await done(run('readmit.sh', [id], { server }));
  const back = await agentOf(server, tpm);
  expect(await outcome(back)).toBe('attested');

  const other = await hashOf(newBoard);
  await done(run('replace.sh', [hash, other, node, TRUST_DOMAIN], { server }));
  expect(await back.process.exited).toMatchObject({ code: 1 });
  expect(await outcome(await agentOf(server, tpm))).toBe('refused');
  const replaced = await agentOf(server, newBoard);
  expect(await replaced.attested()).toBe(`spiffe://${TRUST_DOMAIN}/spire/agent/tpm/${other}`);
  // The workload's entry was not touched.
  expect(await replaced.workloadId()).toBe(workload);
  const { stdout } = await server.command('entry', 'show', '-spiffeID', node, '-output', 'json');
  const { entries } = JSON.parse(stdout) as { readonly entries: readonly { readonly selectors: unknown }[] };
  expect(entries.map(({ selectors }) => selectors)).toEqual([[{ type: 'tpm', value: `pub_hash:${other}` }]]);
});

test('a TPM that was cleared is the same machine; one with another endorsement seed is refused, listed or not', async () => {
  const tpm = await startSwtpm({ templates: ['L-1'], fresh: true });
  const server = await startServer({ nodeAttestors: [tpmAttestor('server', `hash_path = "${hashes}"`)] });
  const before = await hashOf(tpm);
  await done(run('list.sh', [before]));
  await tpm.tpm2('tpm2_clear', ['-c', 'p']);
  expect(await hashOf(tpm)).toBe(before);
  expect(await outcome(await agentOf(server, tpm))).toBe('attested');

  await tpm.tpm2('tpm2_changeeps', []);
  const after = await hashOf(tpm);
  expect(after).not.toBe(before);
  await done(run('list.sh', [after]));
  expect(await outcome(await agentOf(server, tpm))).toBe('refused');
  await server.process.log.until('finding', says(/^attestation refused/, { finding: 'ek.key_mismatch' }));
});

describe('a server’s configuration', () => {
  test('is tried by validate.sh, which shows mistakes and the warnings of the log', async () => {
    const tpm = await startSwtpm({ templates: ['L-1'], persistentEks: true });
    const config = join(folder, 'server.conf');
    const write = (data: string): Promise<void> =>
      writeFile(config, serverConfig(folder, 8081, { nodeAttestors: [tpmAttestor('server', data)] }));
    await write(admitting([tpm]));
    // SPIRE may end before it has read the plugin's log to its end, on a busy machine.
    await expect
      .poll(() => done(run('validate.sh', [config])), { timeout: 20_000 })
      .toMatch(/allow_software_tpm: .*ca_path admits every TPM that its CAs ever certified/s);
    await write('ca_pth = "/nowhere"');
    const { code, stdout, stderr } = await run('validate.sh', [config]);
    expect(code).toBe(1);
    expect(stdout + stderr).toContain('did you mean "ca_path"');
  });

  test('is read anew by reload.sh', async () => {
    const dataFile = join(folder, 'server.hcl');
    await writeFile(dataFile, `hash_path = "${hashes}"`);
    const { data: _, ...block } = tpmAttestor('server', '');
    const server = await startServer({ nodeAttestors: [{ ...block, dataFile }] });
    const reload = async (): Promise<string> => {
      const from = server.process.log.records.length;
      await done(run('reload.sh', [`${server.process.pid}`]));
      const end = says(/^(Plugin reconfigured|Failed to reconfigure|Plugin not reconfigured)/);
      return (await server.process.log.until('its end', end, { from })).message;
    };
    expect(await reload()).toBe('Plugin not reconfigured since the config is unchanged');
    await writeFile(dataFile, `hash_path = "${hashes}"\npcr = "sha256:0"`);
    expect(await reload()).toBe('Failed to reconfigure plugin');
    await writeFile(dataFile, `hash_path = "${hashes}"\npcrs = "sha256:0"`);
    expect(await reload()).toBe('Plugin reconfigured');
  });
});

test('an agent that stands in the queue of its address for longer than server_timeout gets its challenge too late', {
  timeout: 150_000,
}, async () => {
  const tpm = await startSwtpm({ templates: ['L-1'], persistentEks: true });
  const server = await startLimited(admitting([tpm]));
  const client = await AttestAgentClient.to(server);
  // Each takes its turn, of a second, and is refused.
  const queue = async (length: number) => {
    const others = Array.from({ length }, () =>
      client.attest({ payload: new Uint8Array([1]), answer: (bytes) => bytes }).catch(() => {}),
    );
    await Promise.race(others);
    return others;
  };
  const others = await queue(12);
  const agent = await agentOf(server, attestorOn(tpm, 'server_timeout = "5s"'));
  const { log } = agent.process;
  await log.until('what took too long', says("waiting for the server's challenge took longer than 5000 ms"));
  const told = await log.until('what SPIRE says', says(/^(Failed to retrieve attestation result|Agent crashed)$/));
  expect(errorOf(told)).toContain('plugin closed stream before handling the challenge');
  await agent.stop();
  await Promise.all(others);
  await queue(8);
  const patient = await agentOf(server, attestorOn(tpm, 'server_timeout = "30s"'));
  expect(await patient.attested()).toMatch(/^spiffe:/);
  client.close();
  await server.stop();
});

/** A server with SPIRE's default limit on attestations, which the other tests do without. */
async function startLimited(data: string) {
  const home = makeScratchFolder('limited-');
  const file = join(await spireFolder(), 'spire-server');
  const config = join(home, 'server.conf');
  const port = 20_000 + (process.pid % 10_000);
  const text = serverConfig(home, port, { nodeAttestors: [tpmAttestor('server', data)] });
  await writeFile(config, text.replace('attestation = false', 'attestation = true'));
  const server = new SpireProcess(file, ['run', '-config', config]);
  const command = (...words: readonly string[]) =>
    spireCommand(file, [...words, '-socketPath', join(home, 'api.sock')]);
  await server.log.until(
    'TCP API',
    ({ message, fields }) => message === 'Starting Server APIs' && fields['network'] === 'tcp',
  );
  await expect
    .poll(
      () =>
        command('healthcheck').then(
          () => true,
          () => false,
        ),
      { timeout: 20_000 },
    )
    .toBe(true);
  return {
    folder: home,
    port,
    bundle: async () => (await command('bundle', 'show')).stdout,
    stop: async () => {
      await server.stop();
      await removeScratchFolder(home);
    },
  };
}
