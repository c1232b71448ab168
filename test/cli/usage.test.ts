import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLI, cli } from '../support/cli.ts';
import { until } from '../support/processes.ts';
import { startSwtpm } from '../support/swtpm.ts';
import { relayTo } from '../support/tpm-relay.ts';

let folder: string;
const EVIDENCE = { payload: {}, response: {} };

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cli-'));
  const files = {
    'truncated.json': JSON.stringify(EVIDENCE).slice(0, -3),
    'empty.json': '{}',
    'list.json': '[]',
    'latin1.json': Buffer.from([0x7b, 0xff, 0x7d]),
    'policy.hcl': 'trust_domain = "example.org"\nhash_path = "."\n',
    'unknown.hcl': 'hash_path = "."\nca_pth = "x"\n',
    'broken.hcl': 'hash_path = ',
    'nothing.hcl': 'trust_domain = "example.org"\n',
    'domain.hcl': 'trust_domain = "spiffe://x"\nhash_path = "."\n',
    'noise.bin': Buffer.alloc(40, 0x5a),
  };
  for (const [name, contents] of Object.entries(files)) writeFileSync(join(folder, name), contents);
});
afterAll(() => rmSync(folder, { recursive: true }));

const TOOLS = ['verify', '--message', 'noise.bin', '--signature', 'noise.bin', '--pcr-values', 'noise.bin'];

describe('what the caller can put right ends with exit code 2, one line that says how, and nothing on standard output', () => {
  test.each([
    ['verify', ['give an evidence file and --policy']],
    ['verify nonesuch.json --policy policy.hcl', ['nonesuch.json cannot be read: no such file']],
    ['verify . --policy policy.hcl', ['. cannot be read: illegal operation on a directory']],
    ['verify empty.json', ['needs --policy']],
    ['verify empty.json --policy policy.hcl', ['empty.json holds no payload; make it with "tpm quote"']],
    ['verify truncated.json --policy policy.hcl', ['truncated.json is no evidence file']],
    ['verify list.json --policy policy.hcl', ['list.json is no evidence file']],
    ['verify latin1.json --policy policy.hcl', ['latin1.json is not UTF-8']],
    ['verify empty.json --policy policy.hcl --message noise.bin', ['--message, --ak and the like are for other tools']],
    ['verify empty.json --policy policy.hcl --nonce 00 --challenge x', ['give --nonce or --challenge']],
    ['challenge empty.json --policy policy.hcl -o x.json', ['empty.json holds no payload']],
    [[...TOOLS, '--nonce', '00'].join(' '), ['all of --message']],
    [[...TOOLS, '--ak', 'noise.bin', '--nonce', '00'].join(' '), ['the file of --ak cannot be read']],
    [[...TOOLS, '--ak', 'nonesuch', '--nonce', '00'].join(' '), ['nonesuch cannot be read']],
    ['demo --tcti swtpm:path=/nonesuch', ['--tcti and --ca-path are given together']],
    ['demo --ca-path /nonesuch', ['--tcti and --ca-path are given together']],
    ['tpm quote --nonce 00 -o x.json', ['give --nonce and --pcrs']],
    ['tpm quote --challenge x -o x.json', ['--challenge and --evidence are given together']],
    ['tpm quote --nonce 00 --pcrs sha256:0 --trust-domain A/B -o x.json', ['--trust-domain must be a name']],
  ])('%s', async (command, said) => {
    const { code, stdout, stderr } = await cli(command.split(' ').filter(Boolean), { cwd: folder });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^tpm-attestor: [^\n]+\n$/);
    for (const words of said) expect(stderr).toContain(words);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  test.each([
    ['unknown.hcl', '"ca_pth" is not an option'],
    ['broken.hcl', 'broken.hcl: '],
    ['nothing.hcl', 'ca_path'],
    ['domain.hcl', 'line 1: "trust_domain" must be a name'],
  ])('a policy such as %s', async (name, words) => {
    writeFileSync(join(folder, 'evidence.json'), minimalEvidence());
    const { code, stdout, stderr } = await cli(['verify', 'evidence.json', '--policy', name], { cwd: folder });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(words);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  test.each([
    ['frobnicate', "unknown command 'frobnicate'"],
    ['verify --frobnicate', "unknown option '--frobnicate'"],
    ['verify x.json --nonce 0g', 'hexadecimal digits'],
    ['verify x.json --nonce 000', 'hexadecimal digits'],
    [`verify x.json --nonce ${'00'.repeat(67)}`, '1 to 66 bytes'],
    ['tpm quote --pcrs md5:0 -o x', 'not a PCR bank'],
    ['tpm quote --pcrs sha256:16 -o x', 'proves nothing'],
    ['tpm quote --nonce 00 --pcrs sha256:0', "required option '-o, --output <file>'"],
    ['demo --tamper everything', 'Allowed choices are nonce, pcr, ek-swap'],
    ['demo --repeat 0', 'a whole number above zero'],
  ])('%s', async (command, words) => {
    const { code, stdout, stderr } = await cli(command.split(' '), { cwd: folder });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(words);
  });
});

test('a TPM that is not there ends with exit code 3 and one line that says what to look at', async () => {
  const { code, stdout, stderr } = await cli(['tpm', 'info', '--json', '--tcti', 'swtpm:path=/nonesuch/tpm.sock']);
  expect([code, stdout]).toEqual([3, '']);
  expect(stderr).toMatch(
    /^tpm-attestor: open swtpm:path=\S+: TSS2_TCTI_RC_IO_ERROR [^\n]*look whether the TPM[^\n]*\n$/,
  );
});

test('a TPM that does not answer does not hold the command up at SIGTERM', async () => {
  const wire = await relayTo(await startSwtpm());
  wire.hold();
  const child = spawn(process.execPath, [CLI, 'tpm', 'info', '--tcti', wire.tcti], { stdio: 'ignore' });
  try {
    await until(() => wire.commands > 0);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([143, null]);
  } finally {
    child.kill('SIGKILL');
    await wire.stop();
  }
});

test('help goes to standard output with exit code 0 and names every command but the one of the demo', async () => {
  const { code, stdout, stderr } = await cli(['--help']);
  expect([code, stderr]).toEqual([0, '']);
  for (const command of ['demo', 'tpm', 'ek', 'challenge', 'verify']) expect(stdout).toContain(`  ${command} `);
  expect(stdout).not.toContain('tampering-agent');
});

function minimalEvidence(): string {
  const payload = { versions: [1], trustDomain: '', ekPublic: '', ekCertificates: [], akPublic: '', pcrBanks: [11] };
  return JSON.stringify({ payload, response: { secret: '', quoted: '', signature: '', pcrValues: [] } });
}
