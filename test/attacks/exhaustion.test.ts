/** Attempts to use up the server or to foresee it: idle streams, sizes, lengths that lie, randomness, its surroundings. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { concat, hex } from '../../src/bytes/bytes.ts';
import { decodeChallenge } from '../../src/evidence/messages.ts';
import { STATUS } from '../../src/spire/status.ts';
import { forger } from '../support/forger.ts';
import { useJudge } from '../support/judge.ts';
import { until } from '../support/processes.ts';
import { softwareDevice } from '../support/software-device.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'exhaustion-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const judge = useJudge();
const narrow = useJudge({ config: 'max_message_bytes = 4096' });
const brief = useJudge({ config: 'attest_timeout = "3s"' });
const machine = softwareDevice();

const patched = (bytes: Uint8Array, offset: number, ...values: number[]): Uint8Array =>
  concat(bytes.subarray(0, offset), Uint8Array.from(values), bytes.subarray(offset + values.length));

/** The most memory that a process ever had, in MiB. */
const peak = (pid: number): number =>
  Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

test('A78 refuses a length beyond the end of the input, and allocates nothing for it', async () => {
  await judge.admits(machine);
  const before = peak(judge.host.pid);
  // A protobuf field of bytes whose length is 2^31 - 1, 2^32 - 1 and 2^63 - 1.
  for (const length of [
    [0xff, 0xff, 0xff, 0xff, 0x07],
    [0xff, 0xff, 0xff, 0xff, 0x0f],
    [...Array(8).fill(0xff), 0x7f],
  ]) {
    const endless = Uint8Array.of(0x1a, ...length);
    await judge.refuses({ payloadBytes: (bytes) => concat(bytes, endless) }, 'evidence.malformed');
    await judge.refuses({ payloadBytes: () => endless }, 'evidence.malformed');
    await judge.refuses({ responseBytes: (bytes) => concat(bytes, endless) }, 'response.malformed');
  }
  // The size of the policy in a TPMT_PUBLIC, behind type, name algorithm and attributes.
  await judge.refuses({ payload: (p) => ({ ...p, ekPublic: patched(p.ekPublic, 8, 0xff, 0xff) }) }, 'ek.malformed');
  await judge.refuses({ payload: (p) => ({ ...p, akPublic: patched(p.akPublic, 8, 0xff, 0xff) }) }, 'ak.malformed');
  // The size of the signer's name, and the count of a TPML_PCR_SELECTION behind clock and firmware version.
  await judge.refuses({ quoted: (quoted) => patched(quoted, 6, 0xff, 0xff) }, 'quote.malformed');
  const count = 4 + 2 + (2 + 34) + (2 + 32) + 17 + 8;
  await judge.refuses({ quoted: (quoted) => patched(quoted, count, 0xff, 0xff, 0xff, 0xff) }, 'quote.malformed');
  await judge.refuses({ signature: (signature) => patched(signature, 4, 0xff, 0xff) }, 'quote.malformed');
  expect(peak(judge.host.pid) - before).toBeLessThan(64);
});

test('A86 admits a machine beside 200 idle streams, and after a thousand have timed out', async () => {
  const idle = (count: number) => Array.from({ length: count }, () => brief.open());
  const ends = (streams: ReturnType<typeof idle>) =>
    Promise.all(
      streams.map((stream) =>
        stream.next().then(
          () => undefined,
          (error: { readonly code: number }) => error.code,
        ),
      ),
    );
  const few = ends(idle(200));
  await brief.admits(machine);
  expect(new Set(await few)).toEqual(new Set([STATUS.DEADLINE_EXCEEDED]));
  const codes = await ends(idle(1000));
  expect(codes.filter((code) => code === STATUS.DEADLINE_EXCEEDED)).toHaveLength(256);
  expect(codes.filter((code) => code === STATUS.RESOURCE_EXHAUSTED)).toHaveLength(744);
  await brief.admits(machine);
});

test('A87 reads a message up to the limit, refuses one byte more, and survives what gRPC itself refuses', async () => {
  for (const size of [4095, 4096]) {
    const stream = narrow.open();
    stream.sendPayload(new Uint8Array(size));
    await expect(stream.next(), `${size}`).rejects.toMatchObject({ code: STATUS.INVALID_ARGUMENT });
  }
  const beyond = narrow.open();
  beyond.sendPayload(new Uint8Array(4097));
  await narrow.turnedAway(beyond.next(), STATUS.RESOURCE_EXHAUSTED, 'payload of 4097 bytes is larger than 4096');
  for (const size of [4 * 1024 * 1024 - 8, 4 * 1024 * 1024, 4 * 1024 * 1024 + 1]) {
    const stream = narrow.open();
    stream.sendPayload(new Uint8Array(size));
    await expect(stream.next(), `${size}`).rejects.toMatchObject({ code: STATUS.RESOURCE_EXHAUSTED });
  }
  await narrow.admits(machine);
});

test('A95 keeps standard output for the handshake line, even when NODE_OPTIONS loads code that writes', async () => {
  const noise = join(folder, 'noise.cjs');
  writeFileSync(noise, "setInterval(() => { console.log('noise'); process.stdout.write('noise'); }, 20);");
  const server = process.env['TPM_ATTESTOR_SERVER'] ?? join(ROOT, 'dist/bin/tpm-attestor-server.cjs');
  const plugin = spawn(process.execPath, [server], {
    env: { PATH: process.env['PATH'], NodeAttestor: 'NodeAttestor', NODE_OPTIONS: `--require ${noise}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    plugin[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  await until(() => said.stdout.includes('\n') && said.stderr.split('"noise"').length > 5);
  plugin.kill('SIGTERM');
  await new Promise((resolve) => plugin.once('close', resolve));
  expect(said.stdout).toMatch(/^1\|1\|unix\|\/.+\|grpc\|\n$/);
});

test('A96 runs no command from an option, and no plugin contains child_process', async () => {
  const marker = join(folder, 'marker');
  for (const text of [`sha256:0;touch ${marker}`, `$(touch ${marker})`, `\`touch ${marker}\``, `|touch ${marker}`])
    for (const option of ['pcrs', 'ca_path', 'hash_path', 'deny_path', 'crl_path', 'mode', 'plugin_name', 'wire']) {
      const answer = judge.host.configure(
        `hash_path = "/nonesuch"\n${option} = ${JSON.stringify(text)}`,
        'example.org',
      );
      await expect(answer, option).rejects.toMatchObject({ code: expect.any(Number) });
    }
  expect(existsSync(marker)).toBe(false);
  await judge.admits(machine);
  for (const name of ['tpm-attestor-server.cjs', 'tpm-attestor-agent.cjs'])
    expect(readFileSync(join(ROOT, 'dist/bin', name), 'utf8'), name).not.toMatch(/["'](node:)?child_process["']/);
});

test('A98 makes a new seed, secret and nonce for each challenge, even for one machine and one payload', async () => {
  const seen = new Map<string, Set<string>>();
  const note = (what: string, bytes: Uint8Array) => seen.set(what, (seen.get(what) ?? new Set()).add(hex(bytes)));
  const noted = (secret: Uint8Array): Uint8Array => {
    note('secret', secret);
    return secret;
  };
  const challenges = 100;
  for (let i = 0; i < challenges; i++) {
    const { payload, answer } = forger(machine, { secret: noted });
    const stream = judge.open();
    stream.sendPayload(payload);
    const { bytes, kind } = (await stream.next()) as { readonly kind: string; readonly bytes: Uint8Array };
    expect(kind).toBe('challenge');
    answer(bytes);
    const { nonce, credentialBlob, encryptedSecret } = decodeChallenge(bytes);
    for (const [what, part] of Object.entries({ nonce, credentialBlob, encryptedSecret })) note(what, part);
    stream.cancel();
  }
  expect([...seen.keys()].sort()).toEqual(['credentialBlob', 'encryptedSecret', 'nonce', 'secret']);
  for (const [what, values] of seen) expect(values.size, what).toBe(challenges);
});

test('A99 takes randomness from node:crypto and the TPM alone', () => {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  expect(sources.length).toBeGreaterThan(200);
  const weak = sources.filter((name) => /Math\.random/.test(readFileSync(join(ROOT, 'src', name), 'utf8')));
  expect(weak).toEqual([]);
});
