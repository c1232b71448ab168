/** The agent on a real TPM: what its log holds, what other users of the TPM and its surroundings can do to it. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { Attestor } from '../../src/agent/attest.ts';
import { STATUS } from '../../src/spire/status.ts';
import type { HostedLogRecord } from '../../src/testing/plugin-host/hclog-reader.ts';
import { type PluginHost, startPlugin } from '../../src/testing/plugin-host/plugin-host.ts';
import { begin, finish } from '../../src/verifier/verify.ts';
import { attestTo, policyFor, TRUST_DOMAIN } from '../support/agent-attestation.ts';
// Bundles the executables where they are not current.
import '../support/cli.ts';
import { leftInTpm } from '../support/open-tpm.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';
import { interpose, refusal } from '../support/tpm-interposer.ts';
import { spellingsIn } from '../support/traces.ts';

const AGENT = fileURLToPath(new URL('../../dist/bin/tpm-attestor-agent.cjs', import.meta.url));
const PASSWORD = 'correct horse battery staple';
const TPM_RC_RETRY = 0x922;

const folder = await mkdtemp(join(tmpdir(), 'agent-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

let tpm: SoftwareTpm;
let host: PluginHost<'agent'> | undefined;
let records: HostedLogRecord[];
beforeEach(async () => {
  tpm = await startSwtpm();
  records = [];
});
afterEach(async () => {
  await host?.stop();
  host = undefined;
  await tpm.stop();
});

async function started(config: string, more: NodeJS.ProcessEnv = {}): Promise<PluginHost<'agent'>> {
  const env = { PATH: process.env['PATH'], TMPDIR: folder, ...more };
  host = await startPlugin({ kind: 'agent', command: AGENT, env, onLog: (record) => records.push(record) });
  await host.configure(config, TRUST_DOMAIN);
  return host;
}

test('A76 keeps hierarchy passwords and the activated secret out of the log of the agent', async () => {
  const file = join(folder, 'password');
  await tpm.tpm2('tpm2_changeauth', ['-c', 'e', PASSWORD]);
  const agent = await started(`tcti = "${tpm.tcti}"\nendorsement_auth_file = ${JSON.stringify(file)}`);
  await writeFile(file, `${PASSWORD}!`, { mode: 0o600 });
  await expect(agent.openAttestation().next()).rejects.toThrow(/another password/);
  await writeFile(file, PASSWORD, { mode: 0o600 });
  const stream = agent.openAttestation();
  const { bytes: payload } = await stream.next();
  const begun = begin(payload, policyFor(tpm), (count) => Uint8Array.from(randomBytes(count)), new Date());
  if (begun.outcome === 'rejected') throw new Error('no challenge was made');
  stream.sendChallenge(begun.challenge);
  const { bytes: response } = await stream.next();
  await stream.close();
  expect(finish(begun.pending, response, new Date()).verdict).toBe('trusted');
  await agent.stop();
  const log = JSON.stringify(records);
  expect(log).toContain('TPM_RC_');
  const secrets = [Buffer.from(PASSWORD), Buffer.from(`${PASSWORD}!`), begun.pending.secret, payload, response];
  expect(secrets.flatMap((secret) => spellingsIn(log, secret))).toEqual([]);
});

test('A91 waits for a busy TPM, gives up on one that stays busy, and leaves nothing loaded in it', async () => {
  let busy = 3;
  const bus = await interpose(tpm, async (name, command, transmit) => {
    if (name !== 'TPM2_Quote' || busy === 0) return transmit(command);
    busy -= 1;
    return refusal(TPM_RC_RETRY);
  });
  const attestor = new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => bus.tcti });
  try {
    expect((await attestTo(attestor, policyFor(tpm))).verdict.verdict).toBe('trusted');
    expect(busy).toBe(0);
    busy = Number.POSITIVE_INFINITY;
    await expect(attestTo(attestor, policyFor(tpm))).rejects.toMatchObject({ code: 'ERR_TPM', rc: TPM_RC_RETRY });
    busy = 0;
    expect((await attestTo(attestor, policyFor(tpm))).verdict.verdict).toBe('trusted');
  } finally {
    await bus.stop();
  }
  expect(await leftInTpm(tpm)).toEqual([]);
});

test('A95 chooses the TPM by its configuration alone, not by the environment', async () => {
  const { tcti } = tpm;
  const environment = { TPM2TOOLS_TCTI: tcti, TPM_ATTESTOR_TCTI: tcti, TPM2TOOLS_TCTI_NAME: 'swtpm', TCTI: tcti };
  const agent = await started(`tcti = "swtpm:path=${join(folder, 'nonesuch')}"`, environment);
  await expect(agent.openAttestation().next()).rejects.toMatchObject({ code: STATUS.UNAVAILABLE });
  await agent.configure(`tcti = "${tcti}"`, TRUST_DOMAIN);
  const stream = agent.openAttestation();
  expect(await stream.next()).toMatchObject({ kind: 'payload' });
  stream.cancel();
  // Where no TPM is configured, that the variable is not followed is to be heard.
  const unused = () => records.filter(({ message }) => message.startsWith('TPM2TOOLS_TCTI is set and is ignored'));
  expect(unused()).toEqual([]);
  await agent.configure('', TRUST_DOMAIN);
  await agent.stop();
  expect(unused()).toEqual([expect.objectContaining({ message: expect.stringContaining('tcti in plugin_data') })]);
});
