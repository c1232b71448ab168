import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { STATUS } from '../../src/spire/status.ts';
import type { HostedLogRecord } from '../../src/testing/plugin-host/hclog-reader.ts';
import { type PluginHost, startPlugin } from '../../src/testing/plugin-host/plugin-host.ts';
import { type AttestedAgent, relayAttestation } from '../../src/testing/plugin-host/relay.ts';
import { leftInTpm } from '../support/open-tpm.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';
import { swtpmSelectors } from '../support/swtpm-selectors.ts';

const executable = (name: string): string => fileURLToPath(new URL(`../../dist/bin/${name}.cjs`, import.meta.url));
const OTHER = 'wire = "spire-tpm-plugin"';

let tpm: SoftwareTpm;
let agent: PluginHost<'agent'>;
let server: PluginHost<'server'>;
let logs: HostedLogRecord[];

beforeAll(async () => {
  tpm = await startSwtpm({ templates: ['L-1'] });
});
beforeEach(async () => {
  logs = [];
  const onLog = (entry: HostedLogRecord): void => void logs.push(entry);
  agent = await startPlugin({ kind: 'agent', command: executable('tpm-attestor-agent'), onLog });
  server = await startPlugin({ kind: 'server', command: executable('tpm-attestor-server'), onLog });
});
afterEach(async () => {
  await agent.stop();
  await server.stop();
  expect(await leftInTpm(tpm)).toEqual([]);
});

const agentSpeaks = (wire: string, more = ''): Promise<void> =>
  agent.configure(`tcti = "${tpm.tcti}"\n${wire}\n${more}`, 'example.org');
const serverTakes = (wire: string, more?: string): Promise<void> =>
  server.configure(`${more ?? `ca_path = "${tpm.caPath}"`}\nallow_software_tpm = true\n${wire}`, 'example.org');
const attest = (): Promise<AttestedAgent> => relayAttestation(agent, server);

/** The logs come by another way than the answers. */
function logged(message: RegExp, fields: Readonly<Record<string, unknown>> = {}): Promise<HostedLogRecord> {
  return vi.waitFor(() => {
    const found = logs.findLast((entry) => message.test(entry.message));
    expect(found, `${message}`).toBeDefined();
    expect(found?.fields).toMatchObject(fields);
    return found as HostedLogRecord;
  });
}

describe('a server that has both wires', () => {
  test('gives one ID to one TPM, and says of which attestation it knows less', async () => {
    await serverTakes(OTHER);
    expect(await logged(/^wire: the server accepts agents of spire-tpm-plugin.*relay/)).toMatchObject({
      level: 'warn',
    });
    await agentSpeaks('');
    const own = await attest();
    expect(own.selectors).toEqual(swtpmSelectors(expect.stringMatching(/^tpm:pub_hash:[0-9a-f]{64}$/)));
    await logged(/^node attested/, { wire: 'tpm-attestor' });

    for (const ak of ['ak = "ecc"', 'ak = "rsa"']) {
      await agentSpeaks(OTHER, ak);
      expect(await logged(/no quote: the server learns nothing .*relayed/)).toMatchObject({ level: 'warn' });
      for (const warm of ['false', 'true']) {
        expect(await attest()).toEqual({ ...own, selectors: [...own.selectors, 'tpm:proof:credential-only'] });
        await logged(/^answered the challenge/, { wire: 'spire-tpm-plugin', ek_template: 'L-1', warm });
        await logged(/^node attested/, { wire: 'spire-tpm-plugin', agent_id: own.agentId });
        const note = await logged(/^relaxed policy: wire: .*no quote/, { agent_id: own.agentId });
        expect(note.level).toBe('warn');
      }
    }
    await logged(/^closed the TPM/, { tpm_commands_total: 7 });
    await agentSpeaks('');
    expect(await attest()).toEqual(own);
  });

  test('takes a listed TPM on either wire', async () => {
    await agentSpeaks(OTHER);
    await serverTakes(OTHER);
    const { agentId } = await attest();
    const folder = await mkdtemp(join(tmpdir(), 'hashes-'));
    try {
      await serverTakes(OTHER, `hash_path = "${folder}"`);
      await expect(attest()).rejects.toMatchObject({ code: STATUS.PERMISSION_DENIED });
      await logged(/^attestation refused/, { finding: 'ek.not_listed' });
      await writeFile(join(folder, agentId.split('/').at(-1) ?? ''), '');
      const selectors = [`tpm:pub_hash:${agentId.split('/').at(-1)}`, 'tpm:proof:credential-only'];
      expect(await attest()).toMatchObject({ agentId, selectors });
      await logged(/^node attested/, { admitted_by: 'hash' });
      await agentSpeaks('');
      expect(await attest()).toMatchObject({ agentId });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('a server as it is by default', () => {
  test('refuses the other wire, names the option, and goes on with our own', async () => {
    await serverTakes('');
    await agentSpeaks(OTHER);
    await expect(attest()).rejects.toMatchObject({ side: 'server', code: STATUS.INVALID_ARGUMENT });
    await logged(/^attestation refused/, {
      finding: 'evidence.wire',
      remedy: expect.stringContaining('wire = "spire-tpm-plugin"'),
    });
    await agentSpeaks('');
    expect((await attest()).selectors).not.toContain('tpm:proof:credential-only');
    expect(logs.filter(({ message }) => /^relaxed policy: wire|^wire:/.test(message))).toEqual([]);
  });
});

test('configuration names its mistakes', async () => {
  await expect(serverTakes('wire = "tpm"')).rejects.toMatchObject({
    code: STATUS.INVALID_ARGUMENT,
    message: expect.stringContaining('"wire" must be "tpm-attestor" or "spire-tpm-plugin", not "tpm"'),
  });
  await expect(serverTakes(`${OTHER}\nek_algorithms = ["ecc"]`)).rejects.toMatchObject({
    message: expect.stringContaining('which needs RSA endorsement keys'),
  });
  await expect(agentSpeaks(OTHER, 'ek = "ecc"')).rejects.toMatchObject({
    code: STATUS.INVALID_ARGUMENT,
    message: expect.stringContaining('which needs an RSA endorsement key'),
  });
  expect(await server.validate(`ca_path = "${tpm.caPath}"\n${OTHER}`, 'example.org')).toMatchObject({ valid: true });
});

test('a malformed challenge is a precise error of the agent, not a crash', async () => {
  await serverTakes(OTHER);
  await agentSpeaks(OTHER);
  const broken = relayAttestation(agent, server, {
    onChallenge: () => Uint8Array.from(Buffer.from('{"EC":{"Credential":"AAVhYg==","Secret":"AAFh"}}')),
  });
  await expect(broken).rejects.toMatchObject({
    side: 'agent',
    code: STATUS.INVALID_ARGUMENT,
    message: expect.stringContaining('TPM2B_ID_OBJECT'),
  });
  expect((await attest()).selectors).toContain('tpm:proof:credential-only');
});

afterAll(() => tpm.stop());
