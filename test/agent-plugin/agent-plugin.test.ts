import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { encodeChallenge } from '../../src/evidence/messages.ts';
import { STATUS } from '../../src/spire/status.ts';
import type { HostedLogRecord } from '../../src/testing/plugin-host/hclog-reader.ts';
import { type PluginHost, startPlugin } from '../../src/testing/plugin-host/plugin-host.ts';
import { encode } from '../../src/tpm/structures/codec.ts';
import { TPM_ALG } from '../../src/tpm/structures/constants.ts';
import { pcrSelection, tpmlPcrSelection } from '../../src/tpm/structures/pcr.ts';
import { begin, finish, type Verdict } from '../../src/verifier/verify.ts';
import { policyFor, TRUST_DOMAIN } from '../support/agent-attestation.ts';
import { bundler } from '../support/bundle.ts';
import { keyPair, mintEkChain, spkiOf } from '../support/pki.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';
import { interpose, type TpmInterposer } from '../support/tpm-interposer.ts';

const ADDON = fileURLToPath(new URL('../../build/Release/tpm_attestor.node', import.meta.url));

let folder: string;
let executable: string;
let tpm: SoftwareTpm;
let logs: HostedLogRecord[];
let host: PluginHost<'agent'>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'agent-'));
  executable = join(folder, 'agent.cjs');
  const agent = bundler.EXECUTABLES.find(({ entry }) => entry === 'src/agent-plugin/main.ts');
  if (agent === undefined) throw new RangeError('no agent among the executables');
  await writeFile(executable, await bundler.bundle(agent));
  await chmod(executable, 0o755);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

beforeEach(async () => {
  logs = [];
  tpm = await startSwtpm();
  const env = { PATH: process.env['PATH'], TMPDIR: folder, TPM_ATTESTOR_ADDON: ADDON };
  host = await startPlugin({ kind: 'agent', command: executable, env, onLog: (record) => logs.push(record) });
});
afterEach(async () => {
  await host.stop();
  await tpm.stop();
});

/** One attestation as spire-agent drives it, judged here. */
async function attest(): Promise<Verdict> {
  const policy = policyFor(tpm);
  const stream = host.openAttestation();
  const payload = await stream.next();
  const begun = begin(payload.bytes, policy, (bytes) => Uint8Array.from(randomBytes(bytes)), new Date());
  if (begun.outcome === 'rejected') return begun.verdict;
  stream.sendChallenge(begun.challenge);
  const response = await stream.next();
  await stream.close();
  return finish(begun.pending, response.bytes, new Date());
}

/** The log comes by another way than the answers. */
function logged(message: string, fields: Readonly<Record<string, unknown>> = {}): Promise<HostedLogRecord> {
  return vi.waitFor(() => {
    const found = logs.findLast((entry) => entry.message.startsWith(message));
    expect(found).toBeDefined();
    expect(found?.fields).toMatchObject(fields);
    return found as HostedLogRecord;
  });
}

const configure = (hcl = `tcti = "${tpm.tcti}"`): Promise<void> => host.configure(hcl, TRUST_DOMAIN);

test('the plugin attests, says what it used and sent, and warns of a software TPM', async () => {
  await configure();
  expect(await logged('the TCTI string names neither a device nor tpm2-abrmd')).toMatchObject({
    level: 'warn',
    fields: { tcti: tpm.tcti },
  });
  expect((await attest()).verdict).toBe('trusted');
  await logged('answered the challenge', {
    ek_template: 'L-1',
    ek_nv_index: '0x01c00002',
    ek_source: 'created',
    ek_certificates: 1,
    ek_certificate_source: 'NV index 0x01c00002',
    ak_algorithm: 'ecc-P-256',
    warm: 'false',
  });

  expect((await attest()).verdict).toBe('trusted');
  await logged('answered the challenge', { warm: 'true' });
  const sent = [
    'ActivateCredential:1',
    'ContextLoad:2',
    'FlushContext:2',
    'PolicySecret:1',
    'Quote:1',
    'StartAuthSession:1',
  ];
  const { fields } = await logged('closed the TPM', { tpm_commands_total: 8 });
  expect(String(fields['tpm_commands']).split(',').sort()).toEqual(sent);
});

test('the commands of an attestation that came to nothing are counted, too', async () => {
  await configure();
  const stream = host.openAttestation();
  await stream.next();
  stream.sendChallenge(Uint8Array.of(1, 2, 3));
  await expect(stream.next()).rejects.toMatchObject({ code: STATUS.INVALID_ARGUMENT });
  const { fields } = await logged('closed the TPM', { tpm_commands_total: expect.any(Number) });
  // AK and EK are flushed; a challenge that cannot be read starts no session.
  expect(fields['tpm_commands']).toMatch(/FlushContext:2/);
});

describe('a challenge', () => {
  const pcrs = encode(tpmlPcrSelection, [pcrSelection(TPM_ALG.SHA256, [0])]);
  const random = (credentialBytes: number, secretBytes: number): Uint8Array =>
    encodeChallenge({
      version: 1,
      nonce: randomBytes(32),
      credentialBlob: randomBytes(credentialBytes),
      encryptedSecret: randomBytes(secretBytes),
      pcrSelection: pcrs,
      logs: [],
    });
  const answerTo = async (challenge: Uint8Array): Promise<unknown> => {
    const stream = host.openAttestation();
    await stream.next();
    stream.sendChallenge(challenge);
    return stream.next();
  };
  beforeEach(() => configure());

  test.each([
    ['credential', random(133, 512)],
    ['secret', random(132, 513)],
  ])('with a larger %s than goes to a TPM is malformed', async (_, challenge) => {
    await expect(answerTo(challenge)).rejects.toMatchObject({ code: STATUS.INVALID_ARGUMENT });
    await logged('attestation failed', { code: 'ERR_MALFORMED' });
  });

  // Lengths that this TPM unmarshals, in digests of SHA-256 and a key of RSA-2048, and others.
  test.each([
    [68, 256],
    [132, 512],
    [68, 255],
    [0, 0],
  ])('of random bytes, %i and %i, was not made for these keys, and the TPM is not to blame', async (blob, secret) => {
    const remedy = /the challenge was not made for this TPM's keys; nothing is wrong with the TPM/;
    await expect(answerTo(random(blob, secret))).rejects.toMatchObject({
      code: STATUS.UNAVAILABLE,
      message: expect.stringMatching(remedy),
    });
    await logged('attestation failed', {
      tpm_command: 'TPM2_ActivateCredential',
      remedy: expect.stringMatching(remedy),
    });
    expect((await attest()).verdict).toBe('trusted');
  });
});

test('attestations at the same time are answered one after the other', async () => {
  await configure();
  const verdicts = await Promise.all([attest(), attest(), attest()]);
  expect(verdicts.map(({ verdict }) => verdict)).toEqual(['trusted', 'trusted', 'trusted']);
});

describe('configuration', () => {
  test('with a mistake is refused with its line, and the one before stays in force', async () => {
    await configure();
    const refused = configure('tcti = "swtpm"\nek = "dsa"');
    await expect(refused).rejects.toMatchObject({
      code: STATUS.INVALID_ARGUMENT,
      message: expect.stringMatching(/line 2: "ek" must be/),
    });
    expect((await attest()).verdict).toBe('trusted');
  });

  test('pins the addon: with its own SHA-256 it is taken, with another the start fails with both', async () => {
    const sha256 = createHash('sha256')
      .update(await readFile(ADDON))
      .digest('hex');
    await configure(`tcti = "${tpm.tcti}"\naddon_sha256 = "${sha256}"`);
    expect((await attest()).verdict).toBe('trusted');
    const other = 'ab'.repeat(32);
    await expect(configure(`tcti = "${tpm.tcti}"\naddon_sha256 = "${other}"`)).rejects.toMatchObject({
      code: STATUS.FAILED_PRECONDITION,
      message: expect.stringContaining(sha256),
    });
    expect((await attest()).verdict).toBe('trusted');
  });

  test('is validated without touching the TPM', async () => {
    expect(await host.validate('tcti = "swtpm:path=/nowhere"', TRUST_DOMAIN)).toEqual({ valid: true, notes: [] });
    expect(await host.validate('tpm = "x"\nak = 3', TRUST_DOMAIN)).toMatchObject({
      valid: false,
      notes: [expect.stringContaining('line 1'), expect.stringContaining('line 2')],
    });
  });
});

test('a TPM that cannot be reached is UNAVAILABLE with a remedy, and the plugin goes on', async () => {
  await configure('tcti = "swtpm:path=/nowhere/tpm.sock"');
  await expect(attest()).rejects.toMatchObject({
    code: STATUS.UNAVAILABLE,
    message: expect.stringMatching(/whether the software TPM runs/),
  });
  await logged('attestation failed', {
    tpm_error: expect.stringMatching(/^TSS2_/),
    remedy: expect.stringContaining('whether the software TPM runs'),
  });
  await configure('tcti = "device:/nowhere"');
  await expect(attest()).rejects.toMatchObject({
    message: expect.stringMatching(/enable it in the firmware setup|in a container that was not given a TPM/),
  });
  await configure();
  expect((await attest()).verdict).toBe('trusted');
});

test('a TCTI that leads to a file is refused when SPIRE starts, and at an attestation', async () => {
  const file = join(tpm.folder, 'no-tpm');
  await writeFile(file, 'precious');
  await expect(configure(`tcti = "device:${file}"`)).rejects.toMatchObject({
    code: STATUS.INVALID_ARGUMENT,
    message: expect.stringContaining(`${file}, which is a regular file`),
  });
  const later = join(tpm.folder, 'later');
  await configure(`tcti = "device:${later}"`);
  await writeFile(later, 'precious');
  await expect(attest()).rejects.toMatchObject({ code: STATUS.FAILED_PRECONDITION });
  expect(await readFile(later, 'utf8')).toBe('precious');
});

test('a wrong password is told with its remedy and appears in no log record', async () => {
  const secret = 'not-to-be-told';
  await tpm.tpm2('tpm2_changeauth', ['-c', 'e', 'another']);
  const file = join(tpm.folder, 'password');
  await writeFile(file, secret);
  await chmod(file, 0o604);
  await configure(`tcti = "${tpm.tcti}"\nendorsement_auth_file = "${file}"`);
  await expect(attest()).rejects.toMatchObject({
    code: STATUS.UNAVAILABLE,
    message: expect.stringMatching(/endorsement_auth_file/),
  });
  await expect(attest()).rejects.toMatchObject({
    code: STATUS.FAILED_PRECONDITION,
    message: expect.stringMatching(/not tried again/),
  });
  await writeFile(file, 'another');
  expect((await attest()).verdict).toBe('trusted');
  await logged('every user of this machine may read or change the endorsement password');
  await logged('answered the challenge');
  expect(JSON.stringify(logs)).not.toContain(secret);
});

test('a certificate file of another machine is told with both keys and what to do, and once mended attests', async () => {
  const file = join(tpm.folder, 'ek.pem');
  const { leaf } = mintEkChain({ leaf: { publicKey: spkiOf(keyPair('rsa2048', 'another machine').publicKey) } });
  await writeFile(file, leaf.der);
  await configure(`tcti = "${tpm.tcti}"\nek_certificate_path = "${file}"`);
  await expect(attest()).rejects.toMatchObject({
    code: STATUS.FAILED_PRECONDITION,
    message: expect.stringMatching(
      /pub_hash [0-9a-f]{64}, but this TPM has other endorsement keys: L-1 [0-9a-f]{64}.*certificate of this TPM/,
    ),
  });
  await logged('attestation failed', { remedy: expect.stringContaining('"ek show"') });
  await tpm.tpm2('tpm2_nvread', ['0x01c00002', '-C', 'o', '-o', 'ek.pem']);
  expect((await attest()).verdict).toBe('trusted');
  await logged('answered the challenge', { ek_certificate_source: file });
});

describe('while the TPM does not answer', () => {
  let bus: TpmInterposer;
  let asked: Promise<void>;

  beforeEach(async () => {
    let ask: () => void = () => {};
    asked = new Promise((resolve) => {
      ask = resolve;
    });
    bus = await interpose(tpm, () => {
      ask();
      return new Promise(() => {});
    });
    await configure(`tcti = "${bus.tcti}"`);
    host
      .openAttestation()
      .next()
      .catch(() => {});
    await asked;
  });
  afterEach(() => bus.stop());

  test('the plugin serves other calls, and an attestation may be cancelled', async () => {
    expect(await host.validate('ek = "rsa"', TRUST_DOMAIN)).toEqual({ valid: true, notes: [] });
    const cancelled = host.openAttestation();
    const answer = cancelled.next();
    cancelled.cancel();
    await expect(answer).rejects.toMatchObject({ code: expect.any(Number) });
  });

  test('each attestation ends when its time is over, and the log has what took too long', async () => {
    await configure(`tcti = "${bus.tcti}"\ntpm_timeout = "1s"`);
    const answers = [1, 2].map(() => host.openAttestation().next());
    for (const answer of answers)
      await expect(answer).rejects.toMatchObject({
        code: STATUS.DEADLINE_EXCEEDED,
        message: 'looking for the keys in the TPM took longer than 1000 ms',
      });
    await logged('looking for the keys in the TPM took longer than 1000 ms');
  });

  test('the plugin ends when its host stops it, without being killed', async () => {
    expect(await host.stop()).toMatchObject({ graceful: true, code: 0 });
  });

  test('the plugin ends by SIGTERM', async () => {
    process.kill(host.pid, 'SIGTERM');
    expect(await host.exited).toEqual({ code: 0, signal: null });
  });
});
