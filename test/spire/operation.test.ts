import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { checksumOf, pluginExecutable, tpmAttestor } from '../../src/testing/spire-plugin-block.ts';
import { spireCommand, spireFolder } from '../../src/testing/spire-process.ts';
import { serverConfig } from '../../src/testing/spire-server.ts';
import { admitting, agentOf, attestorOn, errorOf, pluginPid, says, serverFor, startServer } from '../support/spire.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';

const tpm: SoftwareTpm = await startSwtpm({ templates: ['L-1'], persistentEks: true });

describe('spire-server validate', () => {
  async function validate(data: string): Promise<{ readonly code: number; readonly text: string }> {
    const config = join(tpm.folder, 'server.conf');
    await writeFile(config, serverConfig(tpm.folder, 8081, { nodeAttestors: [tpmAttestor('server', data)] }));
    const command = spireCommand(join(await spireFolder(), 'spire-server'), ['validate', '-config', config]);
    return command.then(
      ({ stdout, stderr }) => ({ code: 0, text: stdout + stderr }),
      ({ code, stdout, stderr }) => ({ code, text: stdout + stderr }),
    );
  }

  test('takes a sound configuration', async () => {
    expect(await validate(admitting([tpm]))).toMatchObject({ code: 0, text: expect.stringContaining('is valid') });
  });

  test('shows every mistake of ours on a line of its own', async () => {
    const { code, text } = await validate('ca_path = "/nowhere"\npcr = "sha256:0"\nattest_timeout = "1ms"');
    expect(code).toBe(1);
    const [, told = ''] = text.split('NodeAttestor "tpm":\n');
    // SPIRE prints inline plugin_data anew, with blank lines between; lines of a plugin_data_file are the file's own.
    expect(told.trim().split(/\n\s*/)).toEqual([
      expect.stringMatching(/^line \d: "pcr" is not an option; did you mean "pcrs"\?$/),
      expect.stringMatching(/^line \d: "attest_timeout" must be 1000 ms to 600000 ms$/),
    ]);
  });

  test('shows a CA path that is not there', async () => {
    const { code, text } = await validate('ca_path = "/nowhere"');
    expect(code).toBe(1);
    expect(text).toMatch(/"ca_path" cannot be used/);
  });
});

describe('plugin_data_file and SIGUSR1', () => {
  test('exchange the server plugin’s configuration, and a bad one leaves the old one in force', async () => {
    const dataFile = join(tpm.folder, 'server.hcl');
    const admits = admitting([tpm]);
    await writeFile(dataFile, admits);
    const { data: _, ...block } = tpmAttestor('server', '');
    const server = await startServer({ nodeAttestors: [{ ...block, dataFile }] });
    const reconfigure = async (text: string): Promise<string> => {
      const from = server.process.log.records.length;
      await writeFile(dataFile, text);
      server.process.kill('SIGUSR1');
      const done = await server.process.log.until(
        'its end',
        says(/^(Plugin reconfigured|Failed to reconf|Plugin not)/),
        {
          from,
        },
      );
      return `${done.message} ${String(done.fields['error'] ?? '')}`;
    };
    const verdict = async (): Promise<string> => {
      const agent = await agentOf(server, tpm);
      const end = await agent.process.log.until('a verdict', says(/^(Node attestation was successful|Agent crashed)$/));
      await agent.stop();
      return end.message === 'Agent crashed' ? 'refused' : 'attested';
    };
    expect(await verdict()).toBe('attested');
    expect(await reconfigure(admits.replace('true', 'false'))).toMatch(/^Plugin reconfigured/);
    expect(await verdict()).toBe('refused');
    expect(await reconfigure(`${admits}\nca_path = "/twice"`)).toMatch(
      /^Failed to reconfigure plugin .*InvalidArgument.*"ca_path" was already given in line 1 \(line 3/,
    );
    expect(await verdict()).toBe('refused');
    expect(await reconfigure(admits)).toMatch(/^Plugin reconfigured/);
    expect(await verdict()).toBe('attested');
  });

  test('exchange the agent plugin’s configuration, and a bad one leaves the old one in force', async () => {
    const server = await serverFor([tpm], { agentTtl: '20s' });
    const dataFile = join(tpm.folder, 'agent.hcl');
    const { data, ...block } = attestorOn(tpm);
    await writeFile(dataFile, data ?? '');
    const agent = await agentOf(server, { ...block, dataFile });
    await agent.attested();
    const { log } = agent.process;
    await writeFile(dataFile, `${data}\nak = "dsa"`);
    agent.process.kill('SIGUSR1');
    const failed = await log.until('refusal', says('Failed to reconfigure plugin'));
    expect(errorOf(failed)).toMatch(/"ak" must be one of/);
    await log.until('rotation with the old configuration', says('Successfully reattested node'));
    await writeFile(dataFile, `${data}\nak = "rsa"`);
    agent.process.kill('SIGUSR1');
    await log.until('reconfiguration', says('Plugin reconfigured'));
    await log.until('rotation with the new one', says('answered the challenge', { ak_algorithm: 'rsa-2048' }));
    await agent.stop();
  });
});

test('plugin_checksum admits the executable as it was built, and no other', async () => {
  const command = pluginExecutable('server');
  const sound = checksumOf(command);
  await startServer({ nodeAttestors: [{ command, checksum: sound, data: admitting([tpm]) }] });
  const checksum = `${sound.startsWith('0') ? '1' : '0'}${sound.slice(1)}`;
  await expect(startServer({ nodeAttestors: [{ command, checksum, data: admitting([tpm]) }] })).rejects.toThrow(
    'checksums did not match',
  );
});

describe('a plugin that was killed', () => {
  test('on the server: SPIRE says so once, healthcheck stays well, agents get UNAVAILABLE until the server starts again', async () => {
    const server = await serverFor([tpm]);
    process.kill(await pluginPid(server), 'SIGKILL');
    const { log } = server.process;
    expect(await log.until('its end', says('plugin process exited'))).toMatchObject({ level: 'error' });
    await server.command('healthcheck');
    const agent = await agentOf(server, tpm);
    const failed = await agent.process.log.until('failure', says('Failed to retrieve attestation result'));
    expect(errorOf(failed)).toMatch(/Unavailable.*nodeattestor\(tpm\).*\.sock/);
    await agent.stop();
  });

  test('on the agent: nothing until the next rotation, which fails and is tried again until the SVID expires', async () => {
    const server = await serverFor([tpm], { agentTtl: '20s' });
    const agent = await agentOf(server, tpm);
    await agent.attested();
    process.kill(await pluginPid(agent), 'SIGKILL');
    const { log } = agent.process;
    expect(errorOf(await log.until('rotation', says('Could not reattest agent')))).toMatch(/Unavailable/);
    expect(await agent.process.exited).toMatchObject({ code: 1 });
    // Whichever notices first: the rotation, or a sync with the expired SVID.
    const crash = await log.until('end', says('Agent crashed'));
    expect(errorOf(crash)).toMatch(/current SVID has already expired|authorization denied/);
  });
});

describe('the end', () => {
  const sockets = join(tpm.folder, 'sockets');
  const before = process.env['PLUGIN_UNIX_SOCKET_DIR'];
  afterAll(() => {
    if (before === undefined) delete process.env['PLUGIN_UNIX_SOCKET_DIR'];
    else process.env['PLUGIN_UNIX_SOCKET_DIR'] = before;
  });

  test.each([
    { what: 'SIGTERM to SPIRE', signal: 'SIGTERM', whole: false },
    { what: 'SIGTERM to the whole group, as systemd sends it', signal: 'SIGTERM', whole: true },
    { what: 'Ctrl-C', signal: 'SIGINT', whole: true },
  ] as const)(
    'by $what is graceful on both sides and leaves no process, socket or TPM session',
    async ({ signal, whole }) => {
      await mkdir(sockets, { recursive: true });
      process.env['PLUGIN_UNIX_SOCKET_DIR'] = sockets;
      const server = await serverFor([tpm]);
      const agent = await agentOf(server, tpm);
      await agent.attested();
      expect(await readdir(sockets)).toHaveLength(2);
      const plugins = [await pluginPid(agent), await pluginPid(server)];
      for (const side of [agent, server]) {
        if (whole) side.process.killGroup(signal);
        else side.process.kill(signal);
        expect(await side.process.exited).toEqual({ code: 0, signal: null });
        const { records } = side.process.log;
        const complaints = records.filter(({ level }) => level === 'error' || level === 'warning');
        expect(complaints.map(({ message }) => message).filter((message) => /plugin|exit/i.test(message))).toEqual([]);
        expect(records.at(-1)?.message).toMatch(/stopped gracefully$/);
      }
      for (const pid of plugins) await expect(readFile(`/proc/${pid}/status`)).rejects.toThrow('ENOENT');
      expect(await readdir(sockets)).toEqual([]);
      for (const kind of ['handles-transient', 'handles-loaded-session', 'handles-saved-session'])
        expect((await tpm.tpm2('tpm2_getcap', [kind])).stdout.trim()).toBe('');
    },
  );
});
