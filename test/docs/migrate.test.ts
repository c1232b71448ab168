/** docs/migrate-from-spire-tpm-plugin.md: its commands and configurations, run as they are written. */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { WIRES } from '../../src/evidence/wires.ts';
import { type PluginHost, startPlugin } from '../../src/testing/plugin-host/plugin-host.ts';
import { type AttestedAgent, relayAttestation } from '../../src/testing/plugin-host/relay.ts';
import type { TrustedEk } from '../../src/verifier/endorsement.ts';
import { selectors } from '../../src/verifier/identity.ts';
import { checkEkProfile } from '../../src/x509/ek/ek-profile.ts';
import { CLI } from '../support/cli.ts';
import { MarkdownDocument } from '../support/document.ts';
import { type Execution, execute } from '../support/execute.ts';
import { mintEkChain, pem } from '../support/pki.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';

const document = new MarkdownDocument('docs/migrate-from-spire-tpm-plugin.md');

/** What SPIRE hands to the plugin of a configuration. */
function pluginData(name: string): string {
  const data = /plugin_data \{\n([\s\S]*?)\n {2}\}/.exec(document.block('hcl', name))?.[1];
  if (data === undefined) throw new Error(`${name} has no plugin_data`);
  return data;
}

let tpm: SoftwareTpm;
let folder: string;
let temporary: string;
let environment: NodeJS.ProcessEnv;
const hosts: PluginHost<'agent' | 'server'>[] = [];

beforeAll(async () => {
  tpm = await startSwtpm({ templates: ['L-1', 'L-2'] });
  folder = await mkdtemp(join(tmpdir(), 'migrate-'));
  const [bin, hashes] = [join(folder, 'bin'), join(folder, 'hashes')];
  await mkdir(bin);
  await mkdir(hashes);
  temporary = join(folder, 'tmp');
  await mkdir(temporary);
  await writeFile(join(bin, 'tpm-attestor'), `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`);
  await chmod(join(bin, 'tpm-attestor'), 0o755);
  environment = {
    ...process.env,
    PATH: `${bin}:${process.env['PATH']}`,
    TPM_ATTESTOR_TCTI: tpm.tcti,
    CA_PATH: tpm.caPath,
    HASH_PATH: hashes,
    TMPDIR: temporary,
  };
});
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop()));
});
afterAll(async () => {
  await tpm.stop();
  await rm(folder, { recursive: true, force: true });
});

async function run(name: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Execution> {
  await writeFile(join(folder, name), document.block('bash', name));
  return execute('bash', [name, ...args], { cwd: folder, env: { ...environment, ...env } });
}

test('a node says who it is, its judge why it would be refused, and the list is the way out', async () => {
  const node = await run('node.sh');
  expect(node).toMatchObject({ code: 0, stdout: expect.stringMatching(/^template +L-1 \(rsa-2048\)$/m) });
  const hash = node.stdout.trim().split('\n').at(-1) ?? '';
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
  expect(node.stdout).toMatch(new RegExp(`^pub_hash +${hash}$`, 'm'));

  // The software TPM's certificate is one of those that are refused, as are some of hardware.
  const refused = await run('judge.sh');
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('ek.software_tpm') });

  // A node that cannot say its hash says none, and none is listed.
  const mute = await run('node.sh', [], { TPM_ATTESTOR_TCTI: `swtpm:path=${join(folder, 'nothing')}` });
  expect(mute).toMatchObject({ code: 3, stdout: '' });
  for (const args of [[], [''], [hash.toUpperCase()], ['../policy.hcl'], [hash, hash]])
    expect(await run('list.sh', args), args.join(' ')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^list\.sh takes one hash/),
    });
  expect(await readdir(join(folder, 'hashes'))).toEqual([]);
  expect(await run('judge.sh')).toMatchObject({ code: 1 });

  // The server has no TPM.
  expect(await run('list.sh', [hash], { TPM_ATTESTOR_TCTI: undefined })).toMatchObject({ code: 0 });
  expect(await readdir(join(folder, 'hashes'))).toEqual([hash]);
  expect(await run('judge.sh')).toMatchObject({ code: 0 });
  // Under the folders that the server has, and no others.
  const policy = async (env: NodeJS.ProcessEnv) => {
    const { code } = await run('judge.sh', [], env);
    return [code, (await readFile(join(folder, 'policy.hcl'), 'utf8')).match(/^\w+/gm)];
  };
  expect(await policy({ CA_PATH: undefined })).toEqual([0, ['trust_domain', 'hash_path']]);
  expect(await policy({ HASH_PATH: undefined })).toEqual([1, ['trust_domain', 'ca_path']]);
  expect(await policy({ CA_PATH: undefined, HASH_PATH: '' })).toEqual([2, ['trust_domain']]);

  // A challenge and its secret are left nowhere.
  expect(await readdir(temporary)).toEqual([]);
  expect((await readdir(folder)).filter((name) => name.startsWith('challenge'))).toEqual([]);
});

test('the values of selectors are those of both projects, and facts.sh shows what they are made of', async () => {
  const rows = [...document.text.matchAll(/^\| `tpm:(\w+:[^`]+)` \| `tpm:(\w+:[^`]+)` \|/gm)];
  const old = Object.fromEntries(
    rows.map(([, text = '']) => [text.slice(0, text.indexOf(':')), text.replace(/^\w+:/, '')]),
  );
  const { manufacturer = '', model = '', version = '' } = old;
  const { leaf, intermediate, root } = mintEkChain({ leaf: { san: { manufacturer, model, version } } });
  const { facts } = checkEkProfile(leaf.certificate);
  if (facts === undefined) throw new Error('the certificate names no TPM');
  const certified = {
    bundle: 'ca_path',
    facts,
    issuerKeyHash: '',
    tolerated: [],
    notes: [],
    steady: { from: 0, until: 0 },
  };
  const ours = selectors({ pubHash: '', admittedBy: 'certificate', certified } as unknown as TrustedEk);
  expect(rows).toHaveLength(3);
  for (const [, , text = ''] of rows) expect(ours).toContain(text);
  const [certificate, cas] = [join(folder, 'ek.pem'), join(folder, 'cas.pem')];
  await writeFile(certificate, pem(leaf.der, intermediate.der));
  await writeFile(cas, pem(root.der));
  const { code, stdout } = await run('facts.sh', [certificate], { CA_PATH: cas });
  expect(code).toBe(0);
  for (const fact of [manufacturer, model, version.toLowerCase()]) expect(stdout).toContain(`"${fact}"`);
});

test('every configuration names the checksum that the executable must have', () => {
  const blocks = [...document.text.matchAll(/^```hcl\n([\s\S]*?)^```/gm)].map(([, block]) => block);
  expect(blocks).toHaveLength(3);
  for (const block of blocks) expect(block).toMatch(/^ {2}plugin_cmd +=.*\n {2}plugin_checksum = /m);
});

test('every link leads somewhere', () => {
  const links = [...document.text.matchAll(/\]\((?!https:)([^)#]+)(?:#([^)]+))?\)/g)];
  expect(links.length).toBeGreaterThan(3);
  for (const [link, file = '', anchor] of links) {
    const { anchors } = new MarkdownDocument(join('docs', file));
    if (anchor !== undefined) expect(anchors, link).toContain(anchor);
  }
});

test('the line that tells a node that has moved is one of the server’s', async () => {
  const [, line = '', field, wire] = /`(node attested)` of it with `(\w+)=([\w-]+)`/.exec(document.text) ?? [];
  expect(field).toBe('wire');
  expect(WIRES).toContain(wire);
  const source = await readFile(new URL('../../src/server-plugin/attestation.ts', import.meta.url), 'utf8');
  expect(source).toMatch(new RegExp(`log\\.info\\('${line}', \\{[^}]*\\bwire,`));
});

/** Starts a side with the configuration of the document, its folders replaced by those of this machine. */
async function started<K extends 'agent' | 'server'>(kind: K, ...names: readonly string[]) {
  const command = fileURLToPath(new URL(`../../dist/bin/tpm-attestor-${kind}.cjs`, import.meta.url));
  const host = await startPlugin({ kind, command });
  hosts.push(host as PluginHost<'agent' | 'server'>);
  const configure = async (name: string, edit: (data: string) => string = (data) => data): Promise<void> => {
    const data = pluginData(name)
      .replace('/opt/spire/.data/certs', tpm.caPath)
      .replace('/opt/spire/.data/hashes', join(folder, 'hashes'));
    const machine = kind === 'agent' ? `\ntcti = "${tpm.tcti}"` : '\nallow_software_tpm = true';
    await host.configure(`${edit(data)}${machine}`, 'example.org');
  };
  for (const name of names) await configure(name);
  return { host, configure };
}

test('each step of the way leaves every kind of agent with its ID, and the last refuses the old wire', async () => {
  const server = await started('server', 'server.conf');
  const old = await started('agent', 'agent-first.conf');
  const moved = await started('agent', 'agent.conf');
  const attest = (agent: { readonly host: PluginHost<'agent'> }): Promise<AttestedAgent> =>
    relayAttestation(agent.host, server.host);

  const before = await attest(old);
  const { agentId, selectors } = await attest(moved);
  expect(before).toMatchObject({ agentId, selectors: [...selectors, 'tpm:proof:credential-only'] });
  expect(selectors).toContain(`tpm:pub_hash:${agentId.split('/').at(-1)}`);
  // What `spire-server agent list` is asked for in step 4; test/spire/operations-document.test.ts asks it.
  expect(document.block('bash', 'old-wire.sh')).toContain('-selector tpm:proof:credential-only ');

  const off = (data: string): string => data.replace(/^ *wire .*$/m, '');
  expect(off(pluginData('server.conf'))).not.toBe(pluginData('server.conf'));
  await server.configure('server.conf', off);
  expect(await attest(moved)).toMatchObject({ agentId });
  await expect(attest(old)).rejects.toMatchObject({ side: 'server' });
  // And back.
  await server.configure('server.conf');
  expect(await attest(old)).toEqual(before);
});
