import { createHash } from 'node:crypto';
import { chmod, chown, copyFile, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { makeScratchFolder } from '../../src/files/scratch-folder.ts';
import type { SpireAgent } from '../../src/testing/spire-agent.ts';
import { type NodeAttestorBlock, pluginExecutable } from '../../src/testing/spire-plugin-block.ts';
import type { SpireServer } from '../../src/testing/spire-server.ts';
import { agentOf, attestorOn, errorOf, says, serverFor, TRUST_DOMAIN } from '../support/spire.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';

const tpm: SoftwareTpm = await startSwtpm({ templates: ['L-1'], persistentEks: true });
const otherTpm: SoftwareTpm = await startSwtpm({ templates: ['L-1'], identity: 'other', persistentEks: true });
const server: SpireServer = await serverFor([tpm, otherTpm]);

const idOf = async (agent: SpireAgent): Promise<string> => {
  try {
    return await agent.attested();
  } finally {
    await agent.stop();
  }
};

test('both plugins load, and log into SPIRE’s log at their level with their fields', async () => {
  const agent = await agentOf(server, tpm);
  const id = await agent.attested();
  const plugin = { plugin_name: 'tpm', plugin_type: 'NodeAttestor', external: true };
  const serverLog = server.process.log;
  const agentLog = agent.process.log;
  for (const log of [serverLog, agentLog]) {
    expect(await log.until('load', says('Plugin loaded', plugin))).toMatchObject({ level: 'info' });
    expect(await log.until('debug', says('plugin is serving', plugin))).toMatchObject({ level: 'debug' });
  }
  expect(await serverLog.until('verdict', says('node attested', { ...plugin, agent_id: id }))).toMatchObject({
    level: 'info',
    fields: { subsystem_name: 'tpm.tpm-attestor-server.cjs', ek_template: 'L-1', admitted_by: 'certificate' },
  });
  expect(await serverLog.until('relaxation', says(/^allow_software_tpm: /, plugin))).toMatchObject({
    level: 'warning',
  });
  expect(await agentLog.until('answer', says('answered the challenge', plugin))).toMatchObject({
    level: 'info',
    fields: { subsystem_name: 'tpm.tpm-attestor-agent.cjs', ek_source: 'persistent' },
  });
  expect(await agentLog.until('software TPM', says(/software TPM/, plugin))).toMatchObject({ level: 'warning' });
  // No record was one that SPIRE could not read, which it logs raw.
  for (const { message } of [...serverLog.records, ...agentLog.records]) expect(message).not.toContain('"@message"');
  await agent.stop();
});

test('an attested agent is listed with ID, selectors and “can re-attest”', async () => {
  const id = await idOf(await agentOf(server, tpm));
  const { stdout } = await tpm.tpm2('tpm2_readpublic', ['-c', '0x81010001', '-f', 'der', '-o', 'ek.der']);
  expect(stdout).toContain('rsa');
  const hash = await sha256Of(`${tpm.folder}/ek.der`);
  expect(id).toBe(`spiffe://${TRUST_DOMAIN}/spire/agent/tpm/${hash}`);
  expect((await server.nodes()).find((node) => node.id === id)).toMatchObject({
    attestationType: 'tpm',
    banned: false,
    canReattest: true,
    selectors: expect.arrayContaining([`tpm:pub_hash:${hash}`]),
  });
});

test('an agent that starts again on the same TPM is the same agent; on another TPM it is another', async () => {
  const first = await idOf(await agentOf(server, tpm));
  expect(await idOf(await agentOf(server, tpm))).toBe(first);
  const other = await idOf(await agentOf(server, otherTpm));
  expect(other).not.toBe(first);
  const known = (await server.nodes()).map(({ id }) => id);
  expect(known).toEqual(expect.arrayContaining([first, other]));
  expect(known).toHaveLength(2);
});

test('an agent as a user of group tss attests; the same user without the group cannot', async () => {
  const { uid, gid } = await accountOf('nobody');
  const tss = await groupId('tss');
  // As udev leaves /dev/tpmrm0: root's, and open to the group.
  const modes = [
    [tpm.folder, 0o750],
    [tpm.socketPath, 0o660],
    [`${tpm.socketPath}.ctrl`, 0o660],
  ] as const;
  for (const [path, mode] of modes) {
    await chown(path, 0, tss);
    await chmod(path, mode);
  }
  const user = { uid, gid, groups: [tss] };
  const block = await installed(attestorOn(tpm));
  const member = await agentOf(server, block, { user });
  expect(await member.attested()).toMatch(/^spiffe:/);
  expect(await readFile(`/proc/${member.process.pid}/status`, 'utf8')).toMatch(new RegExp(`^Uid:\\s+${uid}\\s`, 'm'));
  await member.stop();

  const stranger = await agentOf(server, block, { user: { ...user, groups: [] } });
  const refused = await stranger.process.log.until('failure', says('Failed to retrieve attestation result'));
  expect(errorOf(refused)).toMatch(/Unavailable.*group tss/);
  await stranger.stop();
});

test('a refused agent learns one sentence and an id; the server’s log has the finding under that id', async () => {
  const strict = await serverFor([tpm], { config: 'allow_expired_ek = false' });
  const stranger = await startSwtpm({ templates: ['L-1'], identity: 'stranger' });
  const agent = await agentOf(strict, attestorOn(stranger));
  const { code } = await agent.process.exited;
  expect(code).toBe(1);
  const crash = await agent.process.log.until('end', says('Agent crashed'));
  const told =
    /^.*PermissionDenied.*nodeattestor\(tpm\): attestation refused; the reasons are in the log of the SPIRE server \(attestation ([0-9a-f]{8})\)$/.exec(
      errorOf(crash),
    );
  expect(told, errorOf(crash)).not.toBeNull();
  const finding = await strict.process.log.until('finding', says(/^attestation refused/, { attestation: told?.[1] }));
  expect(finding).toMatchObject({ level: 'warning', fields: { finding: 'ek.unknown_issuer' } });
  const everything = agent.process.log.records.map((record) => JSON.stringify(record)).join('\n');
  expect(everything).not.toMatch(/unknown_issuer|ca_path|hash_path/);
});

/** The plugin in a folder that everybody may read, as an installation is; a checkout may be root's alone. */
async function installed(block: NodeAttestorBlock): Promise<NodeAttestorBlock> {
  const folder = makeScratchFolder('installed-');
  await chmod(folder, 0o755);
  const command = pluginExecutable('agent');
  for (const file of [command, join(dirname(command), 'tpm_attestor.node')])
    await copyFile(file, join(folder, basename(file)));
  return { ...block, command: join(folder, basename(command)) };
}

async function sha256Of(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}

async function accountOf(name: string): Promise<{ readonly uid: number; readonly gid: number }> {
  const [, , uid, gid] = await entryOf('/etc/passwd', name);
  return { uid: Number(uid), gid: Number(gid) };
}

async function groupId(name: string): Promise<number> {
  return Number((await entryOf('/etc/group', name))[2]);
}

async function entryOf(file: string, name: string): Promise<readonly string[]> {
  const line = (await readFile(file, 'utf8')).split('\n').find((entry) => entry.startsWith(`${name}:`));
  if (line === undefined) throw new Error(`${file} has no ${name}`);
  return line.split(':');
}
