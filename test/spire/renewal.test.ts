import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeScratchFolder } from '../../src/files/scratch-folder.ts';
import { STATUS } from '../../src/spire/status.ts';
import type { SpireAgent } from '../../src/testing/spire-agent.ts';
import { tpmAttestor } from '../../src/testing/spire-plugin-block.ts';
import type { SpireServer } from '../../src/testing/spire-server.ts';
import { AttestAgentClient } from '../support/attest-agent.ts';
import { forger } from '../support/forger.ts';
import { mintEkChain, pem } from '../support/pki.ts';
import { softwareDevice } from '../support/software-device.ts';
import { agentOf, attestorOn, errorOf, says, serverFor, startServer } from '../support/spire.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';

/** Each test waits far more than it works, so they run side by side, each with a server, an agent and a TPM of its own. */
const WAITING_MS = 150_000;

interface Machine {
  readonly tpm: SoftwareTpm;
  readonly server: SpireServer;
  readonly agent: SpireAgent;
}

async function machine(agentTtl: string, config = ''): Promise<Machine> {
  const tpm = await startSwtpm({ templates: ['L-1'], persistentEks: true });
  const server = await serverFor([tpm], { agentTtl });
  return { tpm, server, agent: await agentOf(server, attestorOn(tpm, config)) };
}

const REATTESTED = says('Successfully reattested node');

describe.concurrent('an agent’s SVID', () => {
  test('is renewed by attesting anew, each time with another quote', { timeout: WAITING_MS }, async ({ expect }) => {
    const { server, agent } = await machine('20s');
    const id = await agent.attested();
    const serials = new Set<string>();
    for (let from = 0, rotation = 0; rotation < 3; rotation++) {
      serials.add((await server.nodes())[0]?.serialNumber ?? '');
      await agent.process.log.until('rotation', REATTESTED, { from });
      from = agent.process.log.records.length;
    }
    expect(serials.size).toBe(3);
    const attested = () => server.process.log.records.filter(says('node attested', { agent_id: id }));
    await expect.poll(() => attested().length).toBeGreaterThanOrEqual(4);
    const attestations = attested();
    expect(new Set(attestations.map(({ fields }) => fields['attestation'])).size).toBe(attestations.length);
    const counted = agent.process.log.records.filter(says('closed the TPM'));
    for (const { fields } of counted) expect(fields['tpm_commands']).toMatch(/\bQuote:1\b/);
    // Known keys are not looked for again.
    for (const { fields } of counted.slice(1)) expect(fields['tpm_commands_total']).toBe(6);
  });

  test('comes again after an eviction', { timeout: WAITING_MS }, async ({ expect }) => {
    const { server, agent } = await machine('1h');
    const id = await agent.attested();
    await server.command('agent', 'evict', '-spiffeID', id);
    await agent.process.log.until('notice', says('Agent needs to re-attest; will attempt to re-attest'));
    await agent.process.log.until('attestation', REATTESTED);
    expect(await server.nodes()).toMatchObject([{ id, banned: false }]);
  });

  test('does not come again after a ban, also when the agent starts again', { timeout: WAITING_MS }, async ({
    expect,
  }) => {
    const { server, agent, tpm } = await machine('1h');
    const id = await agent.attested();
    await server.command('agent', 'ban', '-spiffeID', id);
    expect(await agent.process.exited).toMatchObject({ code: 1 });
    const again = await agentOf(server, tpm);
    expect(await again.process.exited).toMatchObject({ code: 1 });
    const refused = await again.process.log.until('refusal', says('Agent crashed'));
    expect(errorOf(refused)).toMatch(/PermissionDenied.*agent is banned/);
    expect(await server.nodes()).toMatchObject([{ id, banned: true }]);
  });
});

describe.concurrent('a TPM that', () => {
  test('has gone is reported with a remedy; when it is back the agent goes on', { timeout: WAITING_MS }, async ({
    expect,
  }) => {
    const { agent, tpm } = await machine('1m');
    await agent.attested();
    tpm.kill();
    const { log } = agent.process;
    expect(errorOf(await log.until('report', says('Could not reattest agent'), { timeoutMs: 60_000 }))).toMatch(
      /Unavailable.*check whether/,
    );
    await tpm.powerCycle();
    await log.until('recovery', REATTESTED, { timeoutMs: 60_000 });
    // The TPM was reset: what was kept of its keys was looked for anew.
    await log.until('discovery', says('answered the challenge', { warm: 'false' }));
  });

  test('is silent at first boot ends each try in time, and the first after it speaks succeeds', {
    timeout: WAITING_MS,
  }, async ({ expect }) => {
    const tpm = await startSwtpm({ templates: ['L-1'], persistentEks: true });
    const server = await serverFor([tpm]);
    process.kill(tpm.pid, 'SIGSTOP');
    const agent = await agentOf(server, attestorOn(tpm, 'tpm_timeout = "2s"'));
    const failed = await agent.process.log.until('report', says('Failed to retrieve attestation result'));
    expect(errorOf(failed)).toMatch(/DeadlineExceeded.*looking for the keys in the TPM took longer than 2000 ms/);
    process.kill(tpm.pid, 'SIGCONT');
    expect(await agent.attested(60_000)).toMatch(/^spiffe:/);
  });

  test('is silent at a rotation does not freeze the agent, which goes on when it speaks', {
    timeout: WAITING_MS,
  }, async ({ expect }) => {
    const { agent, server, tpm } = await machine('1m', 'tpm_timeout = "2s"');
    await agent.attested();
    process.kill(tpm.pid, 'SIGSTOP');
    const { log } = agent.process;
    const failed = await log.until('report', says('Could not reattest agent'), { timeoutMs: 60_000 });
    expect(errorOf(failed)).toMatch(/DeadlineExceeded.*took longer than 2000 ms/);
    // A frozen agent would not learn of entries any more.
    const words = ['entry', 'create', '-parentID', (await server.nodes())[0]?.id ?? '', '-spiffeID'];
    await server.command(...words, 'spiffe://example.org/new', '-selector', `unix:uid:${process.getuid?.()}`);
    expect(await agent.workloadId()).toBe('spiffe://example.org/new');
    process.kill(tpm.pid, 'SIGCONT');
    await log.until('recovery', REATTESTED, { timeoutMs: 60_000 });
  });

  test('stays silent ends the agent when its SVID expires: it serves no expired ones', {
    timeout: WAITING_MS,
  }, async ({ expect }) => {
    const { agent, tpm } = await machine('20s', 'tpm_timeout = "2s"');
    await agent.attested();
    process.kill(tpm.pid, 'SIGSTOP');
    expect(await agent.process.exited).toMatchObject({ code: 1 });
    const crash = await agent.process.log.until('end', says('Agent crashed'));
    expect(errorOf(crash)).toMatch(/current SVID has already expired|authorization denied/);
  });

  test.for(['first boot', 'rotation'])(
    'is silent at %s does not hold up SIGTERM',
    { timeout: WAITING_MS },
    async (when, { expect }) => {
      const tpm = await startSwtpm({ templates: ['L-1'], persistentEks: true });
      const server = await serverFor([tpm], { agentTtl: '20s' });
      if (when === 'first boot') process.kill(tpm.pid, 'SIGSTOP');
      const agent = await agentOf(server, tpm);
      const { log } = agent.process;
      if (when === 'rotation') {
        await agent.attested();
        process.kill(tpm.pid, 'SIGSTOP');
      }
      const attempt = when === 'rotation' ? 'Reattesting node' : /Starting node attestation$/;
      await log.until('the attempt', says(attempt), when === 'rotation' ? { from: log.records.length } : {});
      agent.process.kill('SIGTERM');
      await agent.process.exited;
      expect(log.records.filter(says(/failed to exit gracefully|signal: killed/))).toEqual([]);
      expect(log.records.filter(says('plugin process exited', { plugin_name: 'tpm' }))).toMatchObject([
        { level: 'info' },
      ]);
    },
  );
});

test('an agent that does not answer its challenge is let go of when attest_timeout is over', async () => {
  const caPath = join(makeScratchFolder('ca-'), 'ca.pem');
  await writeFile(caPath, pem(mintEkChain().root.der));
  const data = `ca_path = "${caPath}"\nattest_timeout = "1s"\nmax_concurrent = 1`;
  const server = await startServer({ nodeAttestors: [tpmAttestor('server', data)] });
  const client = await AttestAgentClient.to(server);
  const { payload, answer } = forger(softwareDevice());
  const [challenge, challenged] = settled<Uint8Array>();
  const [lateAnswer, answerLate] = settled<Uint8Array>();
  const silent = client.attest({
    payload,
    answer: (bytes) => {
      challenged(bytes);
      return lateAnswer;
    },
  });
  const question = await challenge;
  await expect(client.attest({ payload, answer })).rejects.toMatchObject({ code: STATUS.RESOURCE_EXHAUSTED });
  // SPIRE waits for the silent agent without end; the plugin does not, and its one place is free again.
  await expect.poll(() => client.attest({ payload, answer }).catch(() => ''), { timeout: 10_000 }).toMatch(/^spiffe:/);
  answerLate(answer(question));
  await expect(silent).rejects.toThrow(/nodeattestor\(tpm\)/);
  client.close();
});

/** A promise, and what fulfils it. */
function settled<T>(): readonly [Promise<T>, (value: T) => void] {
  let fulfil: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    fulfil = resolve;
  });
  return [promise, fulfil];
}
