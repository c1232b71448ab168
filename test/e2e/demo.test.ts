import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { TAMPERINGS, type TamperingName } from '../../src/cli/demo/tampering.ts';
import { DEMO, demoCli } from '../support/cli.ts';
import { execute } from '../support/execute.ts';
import { commandsInPcap } from '../support/pcap.ts';
import { processesUsing, until } from '../support/processes.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';
import { swtpmSelectors } from '../support/swtpm-selectors.ts';

const SERVER = fileURLToPath(new URL('../../dist/bin/tpm-attestor-server.cjs', import.meta.url));
const PEER_MESSAGE = 'nodeattestor(tpm): attestation refused; the reasons are in the log of the SPIRE server';
const serverSha256 = (): string => createHash('sha256').update(readFileSync(SERVER)).digest('hex');

interface Round {
  readonly tpm_commands: { readonly total: number; readonly by_command: Readonly<Record<string, number>> };
  readonly ms: number;
}

async function demo(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { code, stdout, stderr } = await demoCli(['--json', ...args], { env });
  return { code, stderr, document: stdout === '' ? undefined : JSON.parse(stdout) };
}

/** Those in which a warm agent's payload is refused. */
const WITHOUT_CHALLENGE: readonly TamperingName[] = ['ek-swap', 'ek-key-mismatch'];

const sum = ({ by_command }: Round['tpm_commands']): number => Object.values(by_command).reduce((a, b) => a + b, 0);

function sumOf(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...names].map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)]));
}

describe('the demo on a TPM of its own', () => {
  test.each([
    { ek: 'rsa', ak: 'ecc', ekAlgorithm: 'rsa-2048', akAlgorithm: 'ecc-P-256' },
    { ek: 'ecc', ak: 'rsa', ekAlgorithm: 'ecc-P-384', akAlgorithm: 'rsa-2048' },
  ])('is trusted with an EK of kind $ek and an AK of kind $ak', async ({ ek, ak, ekAlgorithm, akAlgorithm }) => {
    const { code, document } = await demo(['--ek', ek, '--ak', ak]);
    expect(code).toBe(0);
    const { pub_hash } = document.ek;
    expect(pub_hash).toMatch(/^[0-9a-f]{64}$/);
    expect(document).toEqual({
      verdict: 'trusted',
      agent_id: `spiffe://example.org/spire/agent/tpm/${pub_hash}`,
      selectors: swtpmSelectors(`tpm:pub_hash:${pub_hash}`),
      can_reattest: true,
      findings: [],
      peer_message: null,
      correlation_id: null,
      ek: { algorithm: ekAlgorithm, source: 'created', pub_hash },
      ak: { algorithm: akAlgorithm },
      server_sha256: serverSha256(),
      rounds: [{ tpm_commands: { total: expect.any(Number), by_command: expect.any(Object) }, ms: expect.any(Number) }],
    });
    const [{ tpm_commands }] = document.rounds as [Round];
    expect(sum(tpm_commands)).toBe(tpm_commands.total);
  });

  test('prints each step with what it proved, then agent ID and selectors', async () => {
    const { code, stdout } = await demoCli();
    expect(code).toBe(0);
    const steps = ['TPM', 'plugins', 'payload', 'challenge', 'answer', 'trusted', 'agent ID', 'selector', 'verdict'];
    expect(stdout).toMatch(new RegExp(steps.map((step) => `^${step} .*\\n`).join('[^]*?'), 'm'));
  });

  test('ends at SIGTERM with its plugins, its TPM and its folders', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'demo-'));
    const child = spawn(process.execPath, [DEMO, '--repeat', '100000'], {
      env: { ...process.env, TMPDIR: folder },
    });
    try {
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      await until(() => said.includes('again '));
      child.kill('SIGTERM');
      const [code] = await once(child, 'exit');
      expect(code).toBe(143);
      await until(async () => (await processesUsing(folder)).length === 0);
      expect(readdirSync(folder).filter((name) => name.startsWith('swtpm-'))).toEqual([]);
    } finally {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('the demo, interrupted while it makes its TPM,', () => {
  // Before the folder, in make-ca, in provision (swtpm_setup, then the tools), about when the TPM starts.
  test.each([
    ...([100, 200, 400, 700, 1000, 1300] as const).map((ms) => ['SIGTERM', 143, ms] as const),
    // The terminal was closed; Ctrl-\\.
    ...([400, 700, 1000] as const).map((ms) => ['SIGHUP', 129, ms] as const),
    ...([400, 700, 1000] as const).map((ms) => ['SIGQUIT', 131, ms] as const),
  ])('by %s (%d) after %d ms leaves no key and no process', async (name, status, ms) => {
    const folder = mkdtempSync(join(tmpdir(), 'demo-'));
    const child = spawn(process.execPath, [DEMO], { env: { ...process.env, TMPDIR: folder }, stdio: 'ignore' });
    try {
      await sleep(ms);
      child.kill(name);
      const [code, signal] = await once(child, 'exit');
      // Before its handlers are there the signal itself ends it.
      expect([status, name]).toContain(code ?? signal);
      await until(async () => (await processesUsing(folder)).length === 0);
      expect(readdirSync(folder).filter((name) => !name.startsWith('spire-'))).toEqual([]);
    } finally {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('an attack is refused for a reason of its own, which the peer does not learn', () => {
  const names = Object.keys(TAMPERINGS) as TamperingName[];

  test.each(names)('%s', async (tamper) => {
    const { code, document } = await demo(['--tamper', tamper]);
    expect(code).toBe(1);
    expect(document).toMatchObject({
      verdict: 'untrusted',
      control: 'trusted',
      agent_id: null,
      selectors: [],
      can_reattest: false,
      peer_message: PEER_MESSAGE,
      correlation_id: expect.stringMatching(/^[0-9a-f]+$/),
      server_sha256: serverSha256(),
    });
    const { findings, rounds } = document as { findings: { code: string; remedy: string }[]; rounds: Round[] };
    expect(findings.map((finding) => finding.code)).toEqual([TAMPERINGS[tamper].finding]);
    expect(findings[0]?.remedy).not.toBe('');
    expect(rounds).toHaveLength(1);
    // The agent is warm after the control: it opens the TPM for a challenge and for nothing else.
    if (WITHOUT_CHALLENGE.includes(tamper)) expect(rounds[0]?.tpm_commands.total).toBe(0);
    else expect(rounds[0]?.tpm_commands.total).toBeGreaterThan(0);
  });

  test('no two have the same', () => {
    expect(new Set(Object.values(TAMPERINGS).map(({ finding }) => finding)).size).toBe(names.length);
  });

  test.each(['pcr', 'signature', 'ek-key-mismatch', 'ak-unrestricted'] as const)(
    '%s, with keys of the other kinds',
    async (tamper) => {
      const { code, document } = await demo(['--tamper', tamper, '--ek', 'ecc', '--ak', 'rsa']);
      expect(code).toBe(1);
      expect(document).toMatchObject({ control: 'trusted', findings: [{ code: TAMPERINGS[tamper].finding }] });
    },
  );
});

describe('the demo on a TPM that is given', () => {
  let tpm: SoftwareTpm;
  beforeAll(async () => {
    tpm = await startSwtpm();
  });
  const given = (...more: string[]): string[] => ['--tcti', tpm.tcti, '--ca-path', tpm.caPath, ...more];
  const state = async (): Promise<string> => {
    const outputs: string[] = [];
    for (const list of ['handles-transient', 'handles-loaded-session', 'handles-saved-session'])
      outputs.push((await tpm.tpm2('tpm2_getcap', [list])).stdout);
    expect(outputs.join('')).toBe('');
    for (const list of ['handles-persistent', 'handles-nv-index', 'properties-variable'])
      outputs.push((await tpm.tpm2('tpm2_getcap', [list])).stdout);
    return [...outputs, (await tpm.tpm2('tpm2_pcrread', [])).stdout].join('');
  };

  // The commands of the warm sequence, by the template of the endorsement key.
  test.each([
    { ek: 'rsa', index: '0x1c00002', most: 8 },
    { ek: 'ecc', index: '0x1c00016', most: 9 },
  ])(
    'with an EK of kind $ek: the hash openssl finds, at most $most commands from the second on, nothing changed',
    async (row) => {
      const before = await state();
      const recording = join(tpm.folder, `${row.ek}.pcap`);
      const args = ['--tcti', `pcap:${tpm.tcti}`, '--ca-path', tpm.caPath, '--repeat', '3', '--ek', row.ek];
      const { code, document } = await demo(args, { TCTI_PCAP_FILE: recording });
      expect([code, document.verdict]).toEqual([0, 'trusted']);
      expect(await state()).toBe(before);

      await tpm.tpm2('tpm2_nvread', [row.index, '-C', 'o', '-o', `${row.ek}.der`]);
      const hash = 'openssl x509 -inform der -pubkey -noout -in "$0" | openssl pkey -pubin -outform der | sha256sum';
      const { stdout } = await execute('sh', ['-c', hash, join(tpm.folder, `${row.ek}.der`)]);
      expect(stdout.slice(0, 64)).toBe(document.ek.pub_hash);

      const rounds = document.rounds as Round[];
      const [made = {}, answered = {}, ...warm] = recordingsIn(readFileSync(recording)).map((part) =>
        Object.fromEntries(commandsInPcap(part)),
      );
      // A cold agent closes the TPM while it waits for the challenge.
      const recorded = [sumOf(made, answered), ...warm];
      expect(recorded).toEqual(rounds.map(({ tpm_commands }) => tpm_commands.by_command));
      expect(rounds).toHaveLength(3);
      for (const { tpm_commands } of rounds.slice(1)) expect(tpm_commands.total).toBeLessThanOrEqual(row.most);
    },
  );

  test.each(['nonce', 'ek-swap', 'ak-unrestricted', 'ak-software'] as const)(
    'is not changed by %s either',
    async (tamper) => {
      const before = await state();
      expect(await demo(given('--tamper', tamper))).toMatchObject({ code: 1, document: { control: 'trusted' } });
      expect(await state()).toBe(before);
    },
  );

  test('is untrusted when its CA is another; an attack is then not tried, which is no refused attack', async () => {
    const other = await startSwtpm({ identity: 'other' });
    const args = ['--tcti', tpm.tcti, '--ca-path', other.caPath];
    const untrusted = { verdict: 'untrusted', findings: [{ code: 'ek.unknown_issuer' }] };
    expect(await demo(args)).toMatchObject({ code: 1, document: untrusted });
    const { code, document, stderr } = await demo([...args, '--tamper', 'pcr']);
    expect(code).toBe(2);
    expect(document).toMatchObject({ ...untrusted, control: 'untrusted' });
    expect(stderr.trim().split('\n').at(-1)).toBe(
      'tpm-attestor-demo: the control was refused, so the attack was not tried; see its findings',
    );
  });

  test('that is not there ends with exit code 3 and one sentence, a CA path that is not there with 2', async () => {
    const missing = `swtpm:path=${join(tmpdir(), randomUUID())}`;
    const gone = await demo(['--tcti', missing, '--ca-path', tpm.caPath]);
    expect([gone.code, gone.document]).toEqual([3, undefined]);
    expect(gone.stderr.trim().split('\n').at(-1)).toMatch(/^tpm-attestor-demo: .*TSS2_TCTI_RC_IO_ERROR/);
    const nowhere = await demo(['--tcti', tpm.tcti, '--ca-path', join(tpm.folder, 'nonesuch')]);
    expect([nowhere.code, nowhere.document]).toEqual([2, undefined]);
    expect(nowhere.stderr).toContain('ca_path');
  });
});

/** The TCTI `pcap:` begins a section of the file each time a TPM is opened. */
function recordingsIn(file: Buffer): readonly Buffer[] {
  const SECTION_HEADER_BLOCK = 0x0a0d0d0a;
  const starts: number[] = [];
  for (let offset = 0; offset + 12 <= file.length; offset += file.readUInt32LE(offset + 4))
    if (file.readUInt32LE(offset) === SECTION_HEADER_BLOCK) starts.push(offset);
  return starts.map((start, i) => file.subarray(start, starts[i + 1]));
}
