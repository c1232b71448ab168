/** A recorded boot of Debian 13 on a software TPM: what its logs say becomes selectors, and nothing else does. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { decodeChallenge, decodeLogPart, encodeLogPart } from '../../src/evidence/messages.ts';
import type { HostedLogRecord } from '../../src/testing/plugin-host/hclog-reader.ts';
import { type PluginHost, startPlugin } from '../../src/testing/plugin-host/plugin-host.ts';
import { type AttestedAgent, type RelayOptions, relayAttestation } from '../../src/testing/plugin-host/relay.ts';
import { describeCorpus, readCorpusBytes } from '../support/corpus.ts';
import { startMeasuredTpm } from '../support/measured-tpm.ts';
import type { SoftwareTpm } from '../support/swtpm.ts';

const executable = (name: string): string => fileURLToPath(new URL(`../../dist/bin/${name}.cjs`, import.meta.url));
const BOOT = 'lab13/a-base';

describeCorpus('a machine with its boot logs', () => {
  let folder: string;
  let tpm: SoftwareTpm;
  let agent: PluginHost<'agent'>;
  let server: PluginHost<'server'>;
  const logs: HostedLogRecord[] = [];
  const onLog = (record: HostedLogRecord): void => {
    logs.push(record);
  };
  const file = (name: string, contents: Uint8Array): string => {
    writeFileSync(join(folder, name), contents);
    return join(folder, name);
  };
  const firmware = (): Uint8Array => readCorpusBytes(`${BOOT}/eventlog.bin`);
  const userspace = (): Uint8Array => readCorpusBytes(`${BOOT}/tpm2-measure.log`);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'boot-logs-'));
    tpm = await startMeasuredTpm(firmware(), userspace());
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  afterEach(async () => {
    await agent.stop();
    await server.stop();
  });

  interface Setting {
    readonly firmwareLog?: Uint8Array;
    readonly wanted?: string;
    readonly relay?: RelayOptions;
  }
  async function attest({ firmwareLog = firmware(), wanted, relay }: Setting = {}): Promise<AttestedAgent> {
    agent = await startPlugin({ kind: 'agent', command: executable('tpm-attestor-agent') });
    server = await startPlugin({ kind: 'server', command: executable('tpm-attestor-server'), onLog });
    const logs = [
      `firmware_log = "${file('firmware', firmwareLog)}"`,
      `userspace_log = "${file('userspace', userspace())}"`,
    ];
    await agent.configure([`tcti = "${tpm.tcti}"`, ...logs].join('\n'), 'example.org');
    const policy = [`ca_path = "${tpm.caPath}"`, 'allow_software_tpm = true', 'pcrs = "sha256:0-7"'];
    const asked = wanted ?? '["firmware", "userspace"]';
    await server.configure([...policy, `boot_logs = ${asked}`].join('\n'), 'example.org');
    return relayAttestation(agent, server, relay);
  }
  const bootSelectors = ({ selectors }: AttestedAgent): readonly string[] =>
    selectors.filter((one) => /^tpm:(secure_boot|boot_loader):/.test(one));

  test('has a selector for each proved fact of its boot', async () => {
    expect(bootSelectors(await attest())).toEqual([
      'tpm:secure_boot:enabled',
      expect.stringMatching(/^tpm:boot_loader:[0-9a-f]{64}$/),
    ]);
  });

  test('has none where the server asks for no logs, and attests all the same', async () => {
    const attested = await attest({ wanted: '[]' });
    expect([attested.agentId, bootSelectors(attested)]).toEqual([expect.stringContaining('spiffe://'), []]);
  });

  test('has none from a log that does not add up to the quoted PCRs', async () => {
    const log = firmware();
    // One byte of the last event's data: the log is read, and that event is bound no more.
    const text = Buffer.from(log).toString('latin1');
    const at = text.indexOf('S\0e\0c\0u\0r\0e\0B\0o\0o\0t\0') + 'SecureBoot'.length * 2;
    log[at] = 0;
    expect(bootSelectors(await attest({ firmwareLog: log })).join()).not.toContain('secure_boot');
  });

  test('is refused with a piece of a log that the server did not ask for', async () => {
    let isAnswer = true;
    const onResponse = (bytes: Uint8Array): Uint8Array => {
      const part = isAnswer ? undefined : decodeLogPart(bytes);
      isAnswer = false;
      return part === undefined ? bytes : encodeLogPart({ ...part, offset: part.offset + 1 });
    };
    await expect(attest({ relay: { onResponse } })).rejects.toThrow('attestation refused');
    await vi.waitFor(() => expect(logs.map(({ fields }) => fields['finding'])).toContain('boot.log_malformed'));
  });

  test('is asked for the logs that its challenge names, and for no others', async () => {
    const challenges: Uint8Array[] = [];
    const onChallenge = (bytes: Uint8Array): Uint8Array => {
      challenges.push(bytes);
      return bytes;
    };
    await attest({ wanted: '["firmware"]', relay: { onChallenge } });
    expect(decodeChallenge(challenges[0] ?? new Uint8Array()).logs).toEqual([1]);
    expect(challenges).toHaveLength(2);
  });
});
