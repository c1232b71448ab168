/** What the command says where something around it is not as it should be: each in one sentence with its remedy. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { preparePluginSocket } from '../../src/spire/plugin/plugin-socket.ts';
import { CLI, cli, demoCli } from '../support/cli.ts';
import { execute } from '../support/execute.ts';
import { keyPair, mintEkChain, pem } from '../support/pki.ts';
import { until } from '../support/processes.ts';

const folder: string = mkdtempSync(join(tmpdir(), 'messages-'));
const path = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a TPM', () => {
  test('that was not started is told how to be started, by every command', async () => {
    mkdirSync(path('state'));
    const socket = path('tpm.sock');
    const swtpm = spawn('swtpm', [
      ...['socket', '--tpm2', '--tpmstate', `dir=${path('state')}`, '--flags', 'not-need-init'],
      ...['--server', `type=unixio,path=${socket}`, '--ctrl', `type=unixio,path=${socket}.ctrl`],
    ]);
    try {
      await until(() => existsSync(socket));
      for (const command of ['tpm info', 'ek show', 'ek hash', 'ek doctor']) {
        const { code, stderr } = await cli([...command.split(' '), '--tcti', `swtpm:path=${socket}`]);
        expect([code, stderr], command).toEqual([3, expect.stringContaining('run "tpm2_startup -c"')]);
      }
      // The nearest neighbour: the same TPM, started.
      const env = { ...process.env, TPM2TOOLS_TCTI: `swtpm:path=${socket}` };
      expect((await execute('tpm2_startup', ['-c'], { env })).code).toBe(0);
      expect((await cli(['tpm', 'info', '--tcti', `swtpm:path=${socket}`])).code).toBe(0);
    } finally {
      const ended = once(swtpm, 'exit');
      swtpm.kill('SIGKILL');
      await ended;
    }
  });

  test.skipIf(process.getuid?.() !== 0)('that this user may not open', async () => {
    mkdirSync(path('dev'));
    writeFileSync(path('dev/tpmrm0'), '');
    chmodSync(path('dev'), 0o700);
    // The checkout may lie where nobody may look.
    const command = path('tpm-attestor.cjs');
    copyFileSync(CLI, command);
    copyFileSync(join(dirname(CLI), 'tpm_attestor.node'), path('tpm_attestor.node'));
    const nobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups', '--', process.execPath, command];
    chmodSync(folder, 0o755);
    const { code, stderr } = await execute(
      'setpriv',
      [...nobody, 'tpm', 'info', '--tcti', `device:${path('dev/tpmrm0')}`],
      { cwd: '/' },
    );
    expect([code, stderr]).toEqual([3, expect.stringContaining('this user (UID 65534) may not open the device')]);
    expect(stderr).toContain('group tss');
  });

  test('that is not there, here or in a container', async () => {
    const { code, stderr } = await cli(['tpm', 'info', '--tcti', 'device:/dev/nonesuch'], {
      env: { container: 'podman' },
    });
    expect([code, stderr]).toEqual([3, expect.stringContaining('runs in a container that was not given a TPM')]);
  });

  test('named by tpm2-tools’ own variable is not used, and that is said', async () => {
    const env = { TPM2TOOLS_TCTI: 'swtpm:path=/nonesuch' };
    const unnamed = await cli(['tpm', 'info'], { env });
    expect(unnamed.stderr).toMatch(/^TPM2TOOLS_TCTI is set and is ignored: the TPM is device:\/dev\/tpm\w+; /);
    expect(unnamed.stderr).toContain('set --tcti or TPM_ATTESTOR_TCTI\n');
    for (const named of [{ ...env, TPM_ATTESTOR_TCTI: 'device:/dev/nonesuch' }])
      expect((await cli(['tpm', 'info'], { env: named })).stderr).not.toContain('TPM2TOOLS_TCTI');
  });
});

describe('a file', () => {
  test('behind --allow is told to stand before it', async () => {
    writeFileSync(path('leaf.pem'), pem(mintEkChain().leaf.der));
    const { code, stderr } = await cli(['ek', 'verify', '--allow', 'software_tpm', 'leaf.pem'], { cwd: folder });
    expect([code, stderr]).toEqual([2, expect.stringContaining('gce_profile. Put FILE before --allow.')]);
  });

  test('that is a private key in place of a CA is told to be a certificate', async () => {
    const key = String(keyPair('p256', 'ca').privateKey.export({ format: 'pem', type: 'pkcs8' }));
    writeFileSync(path('key.pem'), key);
    writeFileSync(path('key.hcl'), 'ca_path = "key.pem"\n');
    writeFileSync(path('leaf.pem'), pem(mintEkChain().leaf.der));
    for (const by of [
      ['--ca-path', 'key.pem'],
      ['--policy', 'key.hcl'],
    ]) {
      const { code, stderr } = await cli(['ek', 'verify', 'leaf.pem', ...by], { cwd: folder });
      expect([code, stderr]).toEqual([2, expect.stringMatching(/Keep it secret, and give the certificate\n/)]);
    }
  });

  test('that is evidence in place of a certificate is sent to verify', async () => {
    writeFileSync(path('evidence.json'), '{\n  "payload": {}\n}\n');
    const { code, stderr } = await cli(['ek', 'verify', 'evidence.json', '--ca-path', '.'], { cwd: folder });
    expect([code, stderr]).toEqual([2, expect.stringContaining('Judge evidence with "tpm-attestor verify"')]);
  });

  test('that is not there is one line of ek doctor; beside one that is, the other is told of', async () => {
    const { code, stdout, stderr } = await cli(['ek', 'doctor', 'nope'], { cwd: folder });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toBe(`${path('nope')}: cannot be read: no such file or directory\n`);
    writeFileSync(path('leaf.pem'), pem(mintEkChain().leaf.der));
    const both = await cli(['ek', 'doctor', 'nope', 'leaf.pem'], { cwd: folder });
    expect([both.code, both.stdout]).toEqual([2, expect.stringContaining('leaf.pem')]);
  });
});

describe('--policy', () => {
  const options = 'ca_path = "ca.pem"\n';
  const files: Readonly<Record<string, string>> = {
    'server.conf': `server {\n  trust_domain = "example.org"\n}\nplugins {\n  DataStore "sql" {\n    plugin_data { database_type = "sqlite3" }\n  }\n  NodeAttestor "tpm" {\n    plugin_cmd = "/opt/x"\n    plugin_data {\n      ${options}    }\n  }\n}\n`,
    'attestor.hcl': `NodeAttestor "tpm" {\n  plugin_data {\n    ${options}  }\n}\n`,
    'data.hcl': `plugin_data {\n  ${options}}\n`,
  };

  test.each([
    ['server.conf', '"server" in line 1 belongs to SPIRE', '(line 10)'],
    ['attestor.hcl', '"NodeAttestor" in line 1', '(line 2)'],
    ['data.hcl', '"plugin_data" in line 1', 'NodeAttestor "tpm" into'],
  ])('of SPIRE’s own configuration says what to cut out: %s', async (name, found, line) => {
    writeFileSync(path(name), files[name] ?? '');
    writeFileSync(path('ca.pem'), pem(mintEkChain().root.der));
    writeFileSync(path('leaf.pem'), pem(mintEkChain().leaf.der));
    const { code, stdout, stderr } = await cli(['ek', 'verify', 'leaf.pem', '--policy', name], { cwd: folder });
    expect([code, stdout]).toEqual([2, '']);
    for (const words of [found, line, 'the contents of plugin_data', 'plugin_data_file'])
      expect(stderr).toContain(words);
    // The neighbour: what was inside, in a file of its own.
    writeFileSync(path('cut.hcl'), options);
    expect((await cli(['ek', 'verify', 'leaf.pem', '--policy', 'cut.hcl'], { cwd: folder })).code).not.toBe(2);
  });
});

describe('a folder for temporary files that is not there', () => {
  test('ends the command with the variable to set', async () => {
    const { code, stdout, stderr } = await demoCli(['--json'], { env: { TMPDIR: path('nonesuch') } });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toBe(
      `tpm-attestor-demo: no temporary folder can be made in ${path('nonesuch')}: no such file or directory; set TMPDIR to a folder this user may write to\n`,
    );
  });

  test('ends a plugin likewise', async () => {
    await expect(preparePluginSocket({ PLUGIN_UNIX_SOCKET_DIR: path('nonesuch') })).rejects.toThrow(
      /no folder for the socket can be made in .*set TMPDIR or PLUGIN_UNIX_SOCKET_DIR/,
    );
  });
});

test('--nonce is needed for a quote of other tools and not for evidence, as its help says', async () => {
  const { stdout } = await cli(['verify', '--help']);
  const help = stdout.replace(/\s+/g, ' ');
  expect(help).toContain('required for a quote of other tools. Without it, an evidence file may hold an old quote');
  const tools = ['--message', 'm', '--signature', 's', '--pcr-values', 'p', '--ak', 'a'];
  const { code, stderr } = await cli(['verify', ...tools], { cwd: folder });
  expect([code, stderr]).toEqual([2, expect.stringContaining('--nonce')]);
});
