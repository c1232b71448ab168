import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLI, type CliOptions, cli, demoCli } from '../support/cli.ts';
import { execute } from '../support/execute.ts';
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
    'misspelt.hcl': 'hash_path = "."\ntrust_domian = "example.org"\n',
    'foreign.hcl': 'hash_path = "."\nzzzzzzzz = 1\n',
    'absent.hcl': 'ca_path = "/nonesuch"\n',
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
    ['verify . --policy policy.hcl', [' cannot be read: it is a folder; give a file in it']],
    ['verify empty.json', ['give --policy']],
    ['verify empty.json --policy policy.hcl --message noise.bin', ['without --message, --ak and the like']],
    ['verify empty.json --policy policy.hcl --nonce 00 --challenge x', ['a quote carries only one of them']],
    ['challenge empty.json --policy policy.hcl -o x.json', ['empty.json holds no payload; make one with "tpm quote"']],
    ['challenge list.json --policy policy.hcl -o x.json', ['list.json is not an evidence file']],
    ['challenge latin1.json --policy policy.hcl -o x.json', ['latin1.json is not an evidence file', 'not UTF-8 text']],
    [[...TOOLS, '--nonce', '00'].join(' '), ['all of --message']],
    [[...TOOLS, '--ak', 'noise.bin', '--nonce', '00'].join(' '), ['the file of --ak cannot be read']],
    [[...TOOLS, '--ak', 'nonesuch', '--nonce', '00'].join(' '), ['nonesuch cannot be read']],
    ['demo --tcti swtpm:path=/nonesuch', ['--tcti and --ca-path are given together']],
    ['demo --ca-path /nonesuch', ['--tcti and --ca-path are given together']],
    ['tpm quote -o x.json', ['give --nonce, or --challenge and --evidence']],
    ['help nosuch', ['there is no command "nosuch"']],
    ['help tpm nosuch', ['there is no command "tpm nosuch"']],
    ['tpm help nosuch', ['there is no command "nosuch"']],
    ['verify - --policy -', ['two files are "-"']],
    ['verify x.json --policy policy.hcl --challenge -', ['--challenge is standard input']],
    ['verify x.json --policy policy.hcl --junit -', ['--junit is standard output']],
    ['challenge x.json --policy policy.hcl -o -', ['--output is standard output']],
    ['tpm quote --challenge x -o x.json', ['--challenge and --evidence belong together']],
    ['tpm quote --nonce 00 --pcrs sha256:0 --trust-domain A/B -o x.json', ['--trust-domain must be a name']],
  ])('%s', async (command, said) => {
    const { code, stdout, stderr } = await ours(command.split(' ').filter(Boolean), { cwd: folder });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^tpm-attestor(-demo)?: [^\n]+\n$/);
    for (const words of said) expect(stderr).toContain(words);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  const tools = 'verify --message noise.bin --signature noise.bin --pcr-values noise.bin --ak noise.bin --nonce 00';
  test.each([
    ['verify empty.json --policy kept --junit kept', 'kept'],
    ['verify kept --policy policy.hcl --junit kept', 'kept'],
    ['verify empty.json --policy policy.hcl --challenge kept --junit kept', 'kept'],
    ['verify empty.json --policy policy.hcl --challenge kept --junit kept.secret', 'kept.secret'],
    ...['message', 'signature', 'pcr-values', 'ak'].map((name) => [`${tools} --${name} kept --junit kept`, 'kept']),
    ['challenge kept --policy policy.hcl -o kept', 'kept'],
    ['challenge empty.json --policy kept -o kept', 'kept'],
    ['challenge empty.json --policy kept.secret -o kept', 'kept.secret'],
    ['tpm quote --challenge kept --evidence x.json -o kept', 'kept'],
    ['tpm quote --challenge x.json --evidence kept -o kept', 'kept'],
    ['tpm quote --nonce 00 --owner-auth-file kept -o kept', 'kept'],
    ['tpm quote --nonce 00 --endorsement-auth-file kept -o kept', 'kept'],
    ['tpm quote --challenge x.json --evidence ak.pem -o y.json --tpm2-tools .', 'ak.pem'],
  ])('an output that is an input: %s', async (command, name) => {
    for (const file of ['kept', 'kept.secret', 'ak.pem']) writeFileSync(join(folder, file), 'as it was');
    const { code, stdout, stderr } = await cli(command.split(' '), { cwd: folder });
    const sentence = `${join(folder, name)} is also an input of this command; give another file to write`;
    expect([code, stdout, stderr]).toEqual([2, '', `tpm-attestor: ${sentence}\n`]);
    expect(readFileSync(join(folder, name), 'utf8')).toBe('as it was');
  });

  test('a file that is not there, by its whole path', async () => {
    const { stderr } = await cli(['verify', 'nonesuch.json', '--policy', 'policy.hcl'], { cwd: folder });
    expect(stderr).toContain(`${join(folder, 'nonesuch.json')} cannot be read: no such file or directory\n`);
  });

  test.each([
    ['unknown.hcl', '"ca_pth" is not an option'],
    ['misspelt.hcl', 'did you mean "trust_domain"?'],
    ['foreign.hcl', 'the options are trust_domain, bundle, plugin_name, mode, ca_path'],
    ['absent.hcl', 'absent.hcl: "ca_path" cannot be used: /nonesuch: no such file or directory'],
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
    [`verify x.json --nonce ${'00'.repeat(65)}`, '1 to 64 bytes'],
    ['tpm quote --pcrs md5:0 -o x', 'not a PCR bank'],
    ['tpm quote --pcrs sha256:16 -o x', 'proves nothing'],
    ['tpm quote --nonce 00 --pcrs sha256:0', "required option '-o, --output <file>'"],
    ['demo --tamper everything', 'Allowed choices are nonce, pcr, ek-swap'],
    ['demo --repeat 0', 'a whole number above zero'],
    ['ek hash --owner-auth-file nonesuch', 'nonesuch cannot be read: no such file or directory.'],
    ['tpm info --endorsement-auth-file nonesuch', 'nonesuch cannot be read: no such file or directory.'],
  ])('%s', async (command, words) => {
    const { code, stdout, stderr } = await ours(command.split(' '), { cwd: folder });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(words);
  });
});

describe('a TPM that is not there ends with exit code 3 and one line that says what to look at', () => {
  test.each([
    ['swtpm:path=/nonesuch/device/tpm.sock', 'IO_ERROR', 'whether the software TPM runs'],
    ['pcap:swtpm:path=/nonesuch/tpm.sock', 'IO_ERROR', 'whether the software TPM runs'],
    ['device:/dev/nonesuch', 'IO_ERROR', '/dev/nonesuch does not exist'],
    ['nonesuch:path=/dev/tpm0', 'NOT_SUPPORTED', 'no module for this TCTI string'],
    ['/dev/tpm0', 'NOT_SUPPORTED', '; write device:/dev/tpm0\n'],
  ])('%s', async (tcti, name, advice) => {
    const { code, stdout, stderr } = await cli(['tpm', 'info', '--json', '--tcti', tcti]);
    expect([code, stdout]).toEqual([3, '']);
    expect(stderr).toMatch(/^tpm-attestor: open [^\n]+\n$/);
    expect(stderr).toContain(`open ${tcti}: TSS2_TCTI_RC_${name} `);
    expect(stderr).toContain(advice);
  });
});

test('a hierarchy with a password names the options of the command, not those of the plugin', async () => {
  const tpm = await startSwtpm();
  await tpm.tpm2('tpm2_changeauth', ['-c', 'e', 'secret']);
  const args = ['tpm', 'quote', '--nonce', '00', '-o', join(folder, 'locked.json'), '--tcti', tpm.tcti];
  const { code, stderr } = await cli(args);
  expect(code).toBe(3);
  expect(stderr).toContain('into the file of --endorsement-auth-file or --owner-auth-file;');
  writeFileSync(join(folder, 'password'), 'secret\n');
  expect(await cli([...args, '--endorsement-auth-file', 'password'], { cwd: folder })).toMatchObject({ code: 0 });
});

test('outside a checkout no other addon is loaded than the one beside the executable', async () => {
  const place = join(folder, 'opt', 'tpm-attestor', 'bin');
  mkdirSync(place, { recursive: true });
  copyFileSync(CLI, join(place, 'tpm-attestor.cjs'));
  const elsewhere = join(folder, 'opt', 'build', 'Release');
  mkdirSync(elsewhere, { recursive: true });
  writeFileSync(join(elsewhere, 'tpm_attestor.node'), 'must not be loaded');
  const info = () => execute(process.execPath, [join(place, 'tpm-attestor.cjs'), 'tpm', 'info']);
  expect(await info()).toEqual({
    code: 3,
    signal: null,
    stdout: '',
    // With one remedy, not two.
    stderr:
      `tpm-attestor: the TPM addon is not there: looked for ${join(place, 'tpm_attestor.node')}. Put tpm_attestor.node ` +
      'beside the executable, or build it with `npm run build:native`, which needs build-essential, python3, pkg-config ' +
      'and libtss2-dev.\n',
  });
  copyFileSync(join(dirname(CLI), 'tpm_attestor.node'), join(place, 'tpm_attestor.node'));
  expect((await info()).stderr).toContain('open device:/dev/tpm');
});

test('a TPM that does not answer is said to be waited for, and does not hold the command up at SIGTERM', async () => {
  const wire = await relayTo(await startSwtpm());
  wire.hold();
  const child = spawn(process.execPath, [CLI, 'tpm', 'info', '--tcti', wire.tcti], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    await until(() => wire.commands > 0);
    const [said] = await once(child.stderr.setEncoding('utf8'), 'data');
    expect(said).toBe(
      `still waiting for the TPM at ${wire.tcti}: it is slow, or other software uses it; press Ctrl-C to stop\n`,
    );
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([143, null]);
  } finally {
    child.kill('SIGKILL');
    await wire.stop();
  }
});

test('help for one command is its own, also where its reader stops early', async () => {
  for (const words of [
    ['help', 'tpm', 'quote'],
    ['tpm', 'help', 'quote'],
    ['tpm', 'quote', '--help'],
  ]) {
    const { code, stdout, stderr } = await cli(words);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('Usage: tpm-attestor tpm quote ');
  }
  const script = '"$0" "$1" --help | { exec <&-; sleep 1; }; echo $PIPESTATUS';
  expect(await execute('bash', ['-c', script, process.execPath, CLI])).toMatchObject({ stdout: '0\n', stderr: '' });
});

test('help goes to standard output with exit code 0 and names every command', async () => {
  const { code, stdout, stderr } = await cli(['--help']);
  expect([code, stderr]).toEqual([0, '']);
  for (const command of ['tpm', 'ek', 'ca', 'challenge', 'verify']) expect(stdout).toContain(`  ${command} `);
  expect(stdout).not.toContain('demo');
  const shown = await demoCli(['--help']);
  expect([shown.code, shown.stderr]).toEqual([0, '']);
  for (const option of ['--tamper', '--repeat', '--ca-path', 'spire']) expect(shown.stdout).toContain(`  ${option}`);
  expect(shown.stdout).not.toContain('tampering-agent');
});

test('the help of a command marks the options that are required, and no others', async () => {
  const { stdout } = await cli(['challenge', '--help']);
  const help = stdout.replace(/\s+/g, ' ');
  expect(help).toContain('options of the server plugin, and trust_domain (required) -o');
  expect(help).toContain('must stay on this machine (required) -h');
  expect((await cli(['verify', '--help'])).stdout).not.toContain('(required)');
});

/** By the executable that a line of words is for. */
function ours([first = '', ...others]: readonly string[], options: CliOptions) {
  return first === 'demo' ? demoCli(others, options) : cli([first, ...others], options);
}

function minimalEvidence(): string {
  const payload = { versions: [1], trustDomain: '', ekPublic: '', ekCertificates: [], akPublic: '', pcrBanks: [11] };
  return JSON.stringify({ payload, response: { secret: '', quoted: '', signature: '', pcrValues: [] } });
}
