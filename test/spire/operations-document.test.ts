/**
 * docs/operations.md in genuine SPIRE: its scripts as they stand, and the lines it says are SPIRE's; and what
 * docs/migrate-from-spire-tpm-plugin.md asks of SPIRE.
 */
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeScratchFolder, removeScratchFolder } from '../../src/files/scratch-folder.ts';
import type { SpireAgent } from '../../src/testing/spire-agent.ts';
import { tpmAttestor } from '../../src/testing/spire-plugin-block.ts';
import { spireFolder } from '../../src/testing/spire-process.ts';
import { type SpireServer, serverConfig } from '../../src/testing/spire-server.ts';
import { AttestAgentClient } from '../support/attest-agent.ts';
import { CLI } from '../support/cli.ts';
import { MarkdownDocument, quotedIn, tableRows } from '../support/document.ts';
import { type Execution, execute } from '../support/execute.ts';
import { forger } from '../support/forger.ts';
import { mintEkChain, pem } from '../support/pki.ts';
import { softwareDevice } from '../support/software-device.ts';
import { admitting, agentOf, attestorOn, errorOf, says, startServer, TRUST_DOMAIN } from '../support/spire.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';

const document = new MarkdownDocument('docs/operations.md');
const migration = new MarkdownDocument('docs/migrate-from-spire-tpm-plugin.md');
const folder: string = makeScratchFolder('operations-');
const hashes: string = join(folder, 'hashes');
const bin: string = join(folder, 'bin');

beforeAll(async () => {
  await mkdir(hashes);
  await mkdir(bin);
  await writeFile(join(bin, 'tpm-attestor'), `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`);
  await chmod(join(bin, 'tpm-attestor'), 0o755);
  const real = join(await spireFolder(), 'spire-server');
  const failing = '[ -z "$FAILING" ] || case "$*" in *"$FAILING"*) echo "$FAILING fails" >&2; exit 1 ;; esac';
  await writeFile(join(bin, 'spire-server'), `#!/bin/sh\n${failing}\nexec '${real}' "$@"\n`);
  await chmod(join(bin, 'spire-server'), 0o755);
});
afterAll(() => removeScratchFolder(folder));

interface Place {
  readonly tpm?: SoftwareTpm;
  readonly server?: SpireServer;
  /** Words that stand in the one command of spire-server that fails there. */
  readonly failing?: string;
  readonly of?: MarkdownDocument;
}

/** A script of the document, on a machine with this TPM or beside this server. */
async function run(name: string, args: readonly string[], place: Place = {}): Promise<Execution> {
  const { tpm, server, failing, of = document } = place;
  await writeFile(join(folder, name), of.block('bash', name));
  const env = {
    ...process.env,
    PATH: `${bin}:${await spireFolder()}:${process.env['PATH']}`,
    HASH_PATH: hashes,
    TPM_ATTESTOR_TCTI: tpm?.tcti,
    SPIRE_SERVER_PRIVATE_SOCKET: server?.socketPath,
    FAILING: failing,
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
    'Failed to attest: agent is banned': ['failed to attest: agent is banned'],
  };
  const rows = tableRows(document.section('What to do when'), 'who').filter(([who]) => who === 'SPIRE');
  expect(rows.length).toBeGreaterThan(20);
  const missing = rows
    .map(([, line = '']) => quotedIn(line)[0] ?? '')
    .flatMap((line) => composed[line] ?? line.split('…').map((part) => part.trim()))
    .filter((part) => !executables.some((bytes) => bytes.includes(part)));
  expect(missing).toEqual([]);
});

test('group.sh makes a group of the machines that have every selector, and of no others', {
  timeout: 120_000,
}, async () => {
  const tpm = await startSwtpm({ templates: ['L-1'], persistentEks: true });
  const server = await startServer({ nodeAttestors: [tpmAttestor('server', admitting([tpm]))] });
  const id = (path: string): string => `spiffe://${TRUST_DOMAIN}/${path}`;
  const uid = `${process.getuid?.()}`;
  await done(run('group.sh', [id('others'), 'tpm:ca:ca_path', 'tpm:manufacturer:IFX'], { server }));
  await done(run('group.sh', [id('edge'), 'tpm:ca:ca_path', 'tpm:manufacturer:00001014'], { server }));
  // The alias by this hash is of no machine.
  for (const [node, workload] of [
    [id('others'), id('wrong')],
    [id('edge'), id('web')],
  ] as const)
    await done(run('entries.sh', ['0'.repeat(64), node, workload, uid], { server }));
  const agent = await agentOf(server, tpm);
  await agent.attested();
  expect(await agent.workloadId()).toBe(id('web'));
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
  expect(await aliasesOf(server, node)).toEqual([`tpm:pub_hash:${other}`]);

  // Once more changes nothing and ends well: the old board is banned, the new one attested.
  await done(run('replace.sh', [hash, other, node, TRUST_DOMAIN], { server }));
  expect(await aliasesOf(server, node)).toEqual([`tpm:pub_hash:${other}`]);
  expect((await server.nodes()).map(({ id, banned }) => [id.slice(-64), banned])).toEqual(
    expect.arrayContaining([
      [hash, true],
      [other, false],
    ]),
  );
});

/** Selectors of the entries with this SPIFFE ID. */
async function aliasesOf(server: SpireServer, node: string): Promise<readonly string[]> {
  const { stdout } = await server.command('entry', 'show', '-spiffeID', node, '-output', 'json');
  interface Entry {
    readonly selectors: readonly { readonly type: string; readonly value: string }[];
  }
  const { entries } = JSON.parse(stdout) as { readonly entries: readonly Entry[] };
  return entries.map(({ selectors }) => selectors.map(({ type, value }) => `${type}:${value}`).join());
}

test('replace.sh stops where a command fails, says so of a board that never attested, and ends well when run again', async () => {
  const server = await startServer({ nodeAttestors: [tpmAttestor('server', `hash_path = "${hashes}"`)] });
  const [node, neighbour] = [`spiffe://${TRUST_DOMAIN}/rack`, `spiffe://${TRUST_DOMAIN}/other`];
  const [before, after] = ['0c'.repeat(32), '1d'.repeat(32)] as const;
  await done(run('list.sh', [before]));
  for (const alias of [node, neighbour])
    await server.command('entry', 'create', '-node', '-spiffeID', alias, '-selector', `tpm:pub_hash:${before}`);
  const replace = (failing?: string) =>
    run('replace.sh', [before, after, node, TRUST_DOMAIN], { server, ...(failing === undefined ? {} : { failing }) });

  const looksForOld = `pub_hash:${before} -output`;
  for (const failing of ['entry show', 'entry create', looksForOld, 'entry delete', 'agent ban']) {
    const { code, stderr } = await replace(failing);
    expect(code, failing).not.toBe(0);
    expect(stderr).toContain(`${failing} fails`);
  }
  for (const _ of ['the rest', 'nothing more']) {
    expect(await done(replace())).toMatch(/^SPIRE does not know the old board /m);
    expect(await aliasesOf(server, node)).toEqual([`tpm:pub_hash:${after}`]);
  }
  // The same board under another alias is not ours to take away.
  expect(await aliasesOf(server, neighbour)).toEqual([`tpm:pub_hash:${before}`]);
  const listed = await readdir(hashes);
  expect(listed).toContain(after);
  expect(listed).not.toContain(before);
});

test('a banned machine that is evicted is back, unless the attestor was taken out of the server first', {
  timeout: 120_000,
}, async () => {
  const steps = document.section('Remove').split(/^(?=\d\. )/m);
  const [takenOut, evicted] = ['Remove the `NodeAttestor', 'evict agents'].map((words) =>
    steps.findIndex((step) => step.includes(words)),
  );
  expect([takenOut, evicted]).toEqual([2, 3]);

  const tpm = await startSwtpm({ templates: ['L-1'], persistentEks: true });
  const dataStore = `database_type = "sqlite3"\n      connection_string = "${join(folder, 'removed.sqlite3')}"`;
  const joinToken = { name: 'join_token' };
  const before = await startServer({ nodeAttestors: [tpmAttestor('server', admitting([tpm])), joinToken], dataStore });
  const id = await (await agentOf(before, tpm)).attested();
  await done(run('ban.sh', [id], { server: before }));
  await before.command('agent', 'evict', '-spiffeID', id);
  expect(await outcome(await agentOf(before, tpm))).toBe('attested');
  await done(run('ban.sh', [id], { server: before }));
  await before.stop();

  const after = await startServer({ nodeAttestors: [joinToken], dataStore });
  expect(await after.nodes()).toMatchObject([{ id, banned: true }]);
  await after.command('agent', 'evict', '-spiffeID', id);
  const { log } = (await agentOf(after, tpm)).process;
  const refusal = await log.until('the refusal', says('Failed to retrieve attestation result'));
  expect(errorOf(refusal)).toContain('could not find node attestor type "tpm"');
  expect(await after.nodes()).toEqual([]);
});

test('old-wire.sh lists an agent of the old wire once it has attested to our server, and not before', {
  timeout: 120_000,
}, async () => {
  const tpm = await startSwtpm({ templates: ['L-1'], persistentEks: true });
  const wire = 'wire = "spire-tpm-plugin"';
  const server = await startServer({ nodeAttestors: [tpmAttestor('server', `${admitting([tpm])}\n${wire}`)] });
  const listed = () => done(run('old-wire.sh', [], { server, of: migration }));
  const attestedBy = async (config: string): Promise<string> => {
    const agent = await agentOf(server, attestorOn(tpm, config));
    const id = await agent.attested();
    await agent.stop();
    return id;
  };
  // As the server before ours left it in the datastore: no selector of a wire.
  const id = await attestedBy('');
  const hash = `tpm:pub_hash:${id.slice(-64)}`;
  expect(await server.nodes()).toMatchObject([{ id, selectors: expect.arrayContaining([hash]) }]);
  expect(JSON.stringify(await server.nodes())).not.toContain('tpm:proof:');
  expect(await listed()).not.toContain(id);
  expect(await attestedBy(wire)).toBe(id);
  expect(await listed()).toContain(id);
  expect(await attestedBy('')).toBe(id);
  expect(await listed()).not.toContain(id);
});

describe('who has a machine’s endorsement certificate, at a single address', () => {
  const data = async (): Promise<string> => {
    const caPath = join(folder, 'maker.pem');
    await writeFile(caPath, pem(mintEkChain().root.der));
    return `ca_path = "${caPath}"`;
  };
  /** The machine's attestation, while somebody asks for challenges in its name and its TPM takes two seconds. */
  const besieged = async (server: Pick<SpireServer, 'bundle' | 'folder' | 'port'>, label: string): Promise<string> => {
    const machine = forger(softwareDevice({ label }));
    const client = await AttestAgentClient.to(server);
    const answer = async (challenge: Uint8Array): Promise<Uint8Array> => {
      for (let i = 0; i < 4; i++)
        client.attest({ payload: machine.payload, answer: () => new Promise(() => {}) }).catch(() => {});
      await sleep(2000);
      return machine.answer(challenge);
    };
    return client.attest({ payload: machine.payload, answer }).finally(() => client.close());
  };

  test('ends its challenges where SPIRE does not limit attestations', async () => {
    const server = await startServer({ nodeAttestors: [tpmAttestor('server', await data())] });
    await expect(besieged(server, 'unlimited')).rejects.toThrow('plugin closed stream unexpectedly');
    await server.process.log.until('why', says(/later challenges of the same endorsement key/));
  });

  test('does not where SPIRE does', async () => {
    const server = await startLimited(await data());
    expect(await besieged(server, 'limited')).toMatch(/^spiffe:/);
    await server.stop();
  });
});

test('a TPM that was cleared is the same machine; one with another endorsement seed is another, which its hash admits', async () => {
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
  expect(await outcome(await agentOf(server, tpm))).toBe('refused');
  await server.process.log.until('finding', says(/^attestation refused/, { finding: 'ek.not_listed' }));
  await done(run('list.sh', [after]));
  expect(await outcome(await agentOf(server, tpm))).toBe('attested');
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
      .toMatch(/allow_software_tpm: .*the server admits every TPM that the CAs ever certified/s);
    await write('ca_pth = "/nowhere"');
    const { code, stdout, stderr } = await run('validate.sh', [config]);
    expect(code).toBe(1);
    expect(stdout + stderr).toContain('did you mean "ca_path"');

    // SPIRE writes blocks and their labels anew before the plugin reads them.
    const bundle = (...more: readonly string[]): string =>
      ['bundle "lab" {', `ca_path = "${tpm.caPath}"`, 'kind = "software"', ...more, '}'].join('\n');
    await write(bundle('models = ["swtpm"]'));
    await done(run('validate.sh', [config]));
    await write(bundle('model = ["swtpm"]'));
    const wrong = await run('validate.sh', [config]);
    expect(wrong.code).toBe(1);
    expect(wrong.stdout + wrong.stderr).toMatch(/bundle \W*"lab\W*": line \d+: .*did you mean \W*"models/);
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
function startLimited(data: string): Promise<SpireServer> {
  return startServer({ nodeAttestors: [tpmAttestor('server', data)], limitsAttestations: true });
}
