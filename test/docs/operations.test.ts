/** docs/operations.md against the code; what it says of SPIRE is held in test/spire/operations-document.test.ts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AGENT_OPTIONS } from '../../src/agent-plugin/agent-config.ts';
import { DOCTOR_FINDINGS } from '../../src/enrolment/ek-remarks.ts';
import { BUNDLE_OPTIONS } from '../../src/policy/bundle-options.ts';
import { readDenyList } from '../../src/policy/deny-list.ts';
import { readHashList } from '../../src/policy/hash-list.ts';
import { readServerSettings, SERVER_OPTIONS } from '../../src/policy/server-settings.ts';
import { readTrustStore } from '../../src/policy/trust-files.ts';
import { parseHcl } from '../../src/spire/config/hcl.ts';
import { type OptionSpec, readOptions } from '../../src/spire/config/options.ts';
import { VERSION } from '../../src/spire/version.ts';
import { checksumOf } from '../../src/testing/spire-plugin-block.ts';
import { REMEDIES } from '../../src/verifier/findings.ts';
import { CRL_POLICIES, MODES, type Policy } from '../../src/verifier/policy.ts';
import { commonName } from '../support/certificate-recipe.ts';
import { CLI } from '../support/cli.ts';
import { mintCrl } from '../support/crl-recipe.ts';
import { MarkdownDocument, quotedIn, tableRows } from '../support/document.ts';
import { type Execution, execute } from '../support/execute.ts';
import { openPolicy } from '../support/live-policy.ts';
import { mintEkChain, pem } from '../support/pki.ts';
import { startSwtpm } from '../support/swtpm.ts';

const document = new MarkdownDocument('docs/operations.md');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'operations-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function run(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Execution> {
  await writeFile(join(folder, name), document.block('bash', name));
  return execute('bash', [join(folder, name), ...args], { env: { ...process.env, ...env } });
}

describe.each([
  { section: 'Server', table: SERVER_OPTIONS },
  { section: 'Bundles of CAs', table: BUNDLE_OPTIONS },
  { section: 'Agent', table: AGENT_OPTIONS },
])('the options under $section', ({ section, table }) => {
  const rows = tableRows(document.section(section), 'option');

  test('are all there, in the order of the code, and no others', () => {
    expect(rows.map(([option]) => option)).toEqual(Object.keys(table).map((name) => `\`${name}\``));
  });

  test('have the defaults of the code', () => {
    const stated = rows.map(([option, byDefault]) => [option, byDefault]);
    expect(stated).toEqual(Object.entries(table).map(([name, spec]) => [`\`${name}\``, defaultOf(spec)]));
  });

  test('have examples that the code takes', () => {
    for (const [option, , , example = ''] of rows) {
      const [hcl = ''] = quotedIn(example);
      const [name = ''] = hcl.split(' ');
      expect(`\`${name}\``).toBe(option);
      const required = Object.keys(table).filter((one) => table[one]?.required === true && one !== name);
      const beside = required.map((one) => `${one} = "x"`).join('\n');
      expect(readOptions(table, parseHcl(`${beside}\n${hcl}`)), hcl).toMatchObject({ ok: true });
    }
  });
});

test('the rules that ca_path and a bundle share have the same defaults in both tables', () => {
  const [ofServer, ofBundle] = ['Server', 'Bundles of CAs'].map((title) =>
    tableRows(document.section(title), 'option'),
  );
  for (const [option, byDefault] of ofBundle ?? []) {
    if (option === '`kind`') continue;
    expect(ofServer?.find(([name]) => name === option)?.[1], option).toBe(byDefault);
  }
});

describe('the configurations of the document, with its folders in place', () => {
  const { root, rootKey } = mintEkChain();
  let etc: string;
  const configured = async (name: string): Promise<Policy> => {
    const live = await openPolicy(document.block('hcl', name).replaceAll('/etc/spire', etc));
    return live.current().policy;
  };
  beforeEach(async () => {
    etc = await mkdtemp(join(folder, 'spire-'));
    for (const name of ['tpm-cas', 'cas/infineon', 'cas/google']) {
      await mkdir(join(etc, name), { recursive: true });
      await writeFile(join(etc, name, 'root.pem'), pem(root.der));
    }
    await writeFile(join(etc, 'cas/lab.pem'), pem(root.der));
    await mkdir(join(etc, 'tpm-crls'));
    const list = mintCrl({ issuer: commonName('Test TPM Root CA'), signer: rootKey.privateKey });
    await writeFile(join(etc, 'tpm-crls/root.crl'), list);
    await mkdir(join(etc, 'tpm-hashes'));
  });

  test('tpm-server.hcl admits by either', async () => {
    expect(await configured('tpm-server.hcl')).toMatchObject({
      mode: 'either',
      bundles: [{ name: 'ca_path' }],
      enforce: true,
    });
  });

  test('bundles.hcl has three bundles, each for what it says', async () => {
    expect(await configured('bundles.hcl')).toMatchObject({
      mode: 'certificate',
      bundles: [
        { name: 'hardware', rules: { kinds: ['hardware'], manufacturers: ['49465800'], minFirmware: '0740' } },
        { name: 'cloud', rules: { kinds: ['cloud'], allowGceProfile: true } },
        { name: 'lab', rules: { kinds: ['software'], allowGceProfile: false } },
      ],
    });
    expect(document.section('Server')).toContain(`up to ${constantIn('src/policy/bundle-options.ts', 'MAX_BUNDLES')}.`);
  });

  test('the same bundles in JSON, an object of bundles by name, are the same', () => {
    const bodies = { hardware: { ca_path: '/etc/spire/cas/infineon', manufacturers: ['IFX'], min_firmware: '0740' } };
    const settings = (text: string) => readServerSettings('example.org', text).bundles[0];
    expect(settings(JSON.stringify({ bundle: bodies }))).toEqual(settings(document.block('hcl', 'bundles.hcl')));
  });

  test('revocation.hcl asks its lists, and watch.hcl enforces nothing', async () => {
    const { bundles, crls } = await configured('revocation.hcl');
    expect([bundles[0]?.rules.crlPolicy, crls.lists.length]).toEqual(['fail-closed', 1]);
    expect((await configured('watch.hcl')).enforce).toBe(false);
  });

  test('the policies for lists are those that there are', () => {
    const rows = tableRows(document.section('Revocation lists'), 'crl_policy');
    expect(rows.map(([policy]) => policy)).toEqual(CRL_POLICIES.map((policy) => `\`${policy}\``));
  });

  test('judge-certificate.sh judges by them', async () => {
    const { leaf, intermediate } = mintEkChain();
    await writeFile(join(etc, 'ek.pem'), pem(leaf.der, intermediate.der));
    await writeFile(join(etc, 'tpm-attestor'), `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`, {
      mode: 0o755,
    });
    const judged = async (name: string): Promise<Execution> => {
      await writeFile(join(etc, name), document.block('hcl', name).replaceAll('/etc/spire', etc));
      const PATH = `${etc}:${process.env['PATH']}`;
      return run('judge-certificate.sh', [join(etc, 'ek.pem'), join(etc, name)], { PATH });
    };
    expect(await judged('tpm-server.hcl')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^trusted\n/) });
    // Its firmware is 073F.
    expect(await judged('bundles.hcl')).toMatchObject({ code: 1, stdout: expect.stringContaining('ek.firmware: ') });
  });

  test('the lists in it have two entries each, and no line that is none', async () => {
    for (const [name, read] of [
      ['tpm-hashes.txt', (path: string) => readHashList(path).isListed],
      [
        'tpm-denied',
        (path: string) => (pubHash: string) => readDenyList(path).isDenied({ pubHash, serial: undefined }),
      ],
    ] as const) {
      const text = document.block('text', name);
      await writeFile(join(etc, name), text);
      const holds = read(join(etc, name));
      const [hash = ''] = /^[0-9a-f]{64}/m.exec(text) ?? [];
      expect([holds(hash), holds('0'.repeat(64))], name).toEqual([true, false]);
    }
    expect(readHashList(join(etc, 'tpm-hashes.txt')).warnings).toEqual([]);
    const serial = Uint8Array.of(0xc0, 0xff, 0xee, 0x01);
    expect(readDenyList(join(etc, 'tpm-denied')).isDenied({ pubHash: '', serial })).toBe(true);
  });
});

test('the modes that admit are those that there are', () => {
  const rows = tableRows(document.section('Enrol'), 'mode');
  expect(rows.map(([mode]) => mode).sort()).toEqual(MODES.map((mode) => `\`${mode}\``).sort());
});

test('the selectors are those that the code gives', () => {
  const rows = tableRows(document.section('Selectors and entries'), 'selector');
  const source = readFileSync('src/verifier/identity.ts', 'utf8');
  const boot = readFileSync('src/verifier/boot-state.ts', 'utf8');
  const given = [
    ...source.matchAll(/[`']([a-z_]+):(?:\$\{|false)/g),
    ...boot.matchAll(/\['([a-z_]+)', following\(/g),
  ].map(([, name]) => name);
  expect(rows.map(([name = '']) => quotedIn(name)[0]).sort()).toEqual(given.sort());
  for (const [name = '', , example = ''] of rows) expect(quotedIn(example)[0]).toMatch(`${quotedIn(name)[0]}:`);
});

test('a change is seen after as long as it says', () => {
  const seconds = (name: string): number => constantIn('src/policy/live-policy.ts', name) / 1000;
  const text = document.section('Files that change').replaceAll('\n', ' ');
  expect(text).toContain(`looks at the deny list every ${seconds('DENY_LIST_EVERY_MS')} s`);
  expect(text).toContain(`at the other files every ${seconds('LOOK_EVERY_MS')} s`);
});

/** As the table writes it: HCL. */
function defaultOf({ type, default: value }: OptionSpec): string {
  if (value === undefined) return '–';
  if (type === 'duration') return `\`"${Number(value) / 1000}s"\``;
  return `\`${JSON.stringify(value)}\``;
}

test('each finding stands in one row, with the remedy that the log has', () => {
  const rows = tableRows(document.section('Findings'), 'finding');
  const stated = rows.flatMap(([codes = '', remedy]) => quotedIn(codes).map((code) => [code, remedy] as const));
  expect(stated.length).toBe(new Set(stated.map(([code]) => code)).size);
  expect(Object.fromEntries(stated)).toEqual(REMEDIES);
});

describe('log lines', () => {
  const rows = tableRows(document.section('What to do when'), 'who');
  const ours = rows.filter(([who]) => who !== 'SPIRE');
  const sources: Readonly<Record<string, string>> = {
    server: sourcesIn('server-plugin', 'policy', 'spire', 'verifier', 'files'),
    agent: sourcesIn('agent', 'agent-plugin', 'spire', 'tpm', 'files'),
  };

  test('of ours are in the sources of each side that says them', () => {
    expect(ours.length).toBeGreaterThan(50);
    const missing = ours.flatMap(([who = '', line = '']) =>
      who.split(', ').flatMap((side) => fragments(line).filter((fragment) => !sources[side]?.includes(fragment))),
    );
    expect(missing).toEqual([]);
  });

  test('are each said by somebody, with cause and remedy', () => {
    for (const row of rows) {
      expect(row, row.join(' | ')).toHaveLength(4);
      expect(row[0]).toMatch(/^(server|agent|server, agent|SPIRE)$/);
    }
  });

  test('name each response code of the TPM for which the agent has advice', () => {
    const advised = new Set(readFileSync('src/agent/remedy.ts', 'utf8').match(/TPM_RC_[A-Z_]+/g));
    // One that the agent reads together with the command, in the row without a code.
    advised.delete('TPM_RC_INTEGRITY');
    const named = new Set(document.section('On the node').match(/TPM_RC_[A-Z_]+/g));
    expect([...named].sort()).toEqual([...advised].sort());
  });
});

/** Text of the sources in folders of src, and of what stands before them in an executable. */
function sourcesIn(...folders: readonly string[]): string {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((file) => folders.some((name) => file.startsWith(`${name}/`)) && file.endsWith('.ts'))
    .filter((file) => !file.includes('/gen/'))
    .map((file) => join('src', file));
  // A sentence may be put together of several literals.
  return [...files, 'scripts/bundle.mjs']
    .map((file) => readFileSync(file, 'utf8').replace(/['`] \+\s*['`]/g, ''))
    .join('\n');
}

/** The literal parts of a quoted line. */
function fragments(cell: string): readonly string[] {
  return (quotedIn(cell)[0] ?? '').split('…').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]));
}

test('each tpm_timeout of the table fits the agent_ttl beside it, as often as it says', () => {
  const challengeSeconds = Number(AGENT_OPTIONS['server_timeout']?.default) / 1000;
  const rows = tableRows(document.section('Rotation and TTLs'), 'agent_ttl');
  expect(rows.length).toBeGreaterThan(4);
  for (const [ttl = '', left, tpmTimeout = '', most, fits] of rows) {
    const seconds = 0.45 * secondsOf(ttl);
    const attempt = 2 * secondsOf(tpmTimeout) + challengeSeconds;
    // Between two tries lie 10 s or less at first.
    const tries = Math.floor((seconds + 10) / (attempt + 10));
    expect([left, most]).toEqual([`${Math.round(seconds)} s`, `${attempt} s`]);
    expect(fits).toBe(tries > 10 ? 'many times' : tries === 1 ? 'once' : `${tries} times`);
  }
});

test('the fleets of the NAT table are those at half of one attestation a second, and 60 is the wait for a challenge', () => {
  const section = document.section('Many machines behind one address');
  const rows = tableRows(section, 'agent_ttl');
  expect(rows.length).toBeGreaterThan(3);
  for (const [ttl = '', agents = ''] of rows) {
    const load = Number(agents) / (0.45 * secondsOf(ttl));
    expect(load, ttl).toBeLessThanOrEqual(0.5);
    expect(load, ttl).toBeGreaterThan(0.4);
  }
  expect(AGENT_OPTIONS['server_timeout']?.default).toBe(60_000);
  expect(section).toContain('`server_timeout`, by default 60 s.');
});

function secondsOf(duration: string): number {
  const [, number, unit] = /^(\d+)([smh])$/.exec(duration) ?? [];
  return Number(number) * { s: 1, m: 60, h: 3600 }[unit as 's' | 'm' | 'h'];
}

function constantIn(file: string, name: string): number {
  return Number(new RegExp(`const ${name} = ([\\d_]+);`).exec(readFileSync(file, 'utf8'))?.[1]?.replace(/_/g, ''));
}

test('the machines that a server remembers are as many as it says', () => {
  const most = constantIn('src/verifier/known-machines.ts', 'MOST_MACHINES');
  expect(document.section('Memory and start-up')).toContain(`remembers the last ${most} machines`);
});

test('every link leads somewhere', () => {
  const links = [...document.text.matchAll(/\]\(([^)]+)\)/g)].map(([, target = '']) => target);
  expect(links.length).toBeGreaterThan(10);
  for (const link of links) {
    const [file = '', anchor] = link.split('#');
    expect(existsSync(join('docs', file)), link).toBe(true);
    const target = file === '' ? document : anchor === undefined ? undefined : new MarkdownDocument(join('docs', file));
    if (target !== undefined) expect(target.anchors, link).toContain(anchor);
  }
});

test('every script of the document is run by a test', () => {
  const tests = ['test/docs/operations.test.ts', 'test/spire/operations-document.test.ts'];
  const texts = tests.map((file) => readFileSync(file, 'utf8')).join('\n');
  expect(document.scripts.length).toBe(document.text.match(/^```bash$/gm)?.length);
  expect(document.scripts.filter((name) => !texts.includes(`run('${name}'`))).toEqual([]);
});

test('install.sh puts a release where it can be run, and prints the sums that go into the configuration', async () => {
  // Built already: what npm would do first, while other tests run the executables.
  const packed = await execute('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder]);
  const tarball = join(folder, packed.stdout.trim());
  const root = join(folder, 'root');
  for (const args of [[], [''], [join(folder, 'nothing.tgz')], [tarball, tarball]])
    expect(await run('install.sh', args, { DESTDIR: root }), args.join(' ')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^usage: install\.sh TARBALL/),
    });
  // Nothing that could be taken for a release is left of one that has no executables.
  const broken = join(folder, 'broken.tgz');
  await mkdir(join(folder, 'package'));
  await writeFile(join(folder, 'package/package.json'), '{ "name": "tpm-attestor", "version": "9.9.9" }');
  await execute('tar', ['-czf', broken, '-C', folder, 'package']);
  expect((await run('install.sh', [broken], { DESTDIR: root })).code).not.toBe(0);
  expect(readdirSync(join(root, 'opt/tpm-attestor'))).toEqual([]);
  const another = join(folder, 'another.tgz');
  await writeFile(join(folder, 'package/package.json'), '{ "name": "other", "version": "9.9.9" }');
  await execute('tar', ['-czf', another, '-C', folder, 'package']);
  for (const file of [another, join(folder, 'package/package.json')])
    expect(await run('install.sh', [file], { DESTDIR: root })).toEqual({
      ...{ code: 2, signal: null, stdout: '' },
      stderr: `install.sh: ${file} is not the package of tpm-attestor, which npm pack makes\n`,
    });

  const { code, stdout, stderr } = await run('install.sh', [tarball], { DESTDIR: root });
  expect(code, stderr).toBe(0);
  expect(readdirSync(join(root, 'opt/tpm-attestor'))).toEqual([VERSION]);
  const release = join(root, 'opt/tpm-attestor', VERSION);
  const modes = { 'tpm-attestor-agent.cjs': 0o755, 'tpm-attestor-server.cjs': 0o755, 'tpm-attestor.cjs': 0o755 };
  const files = { ...modes, 'public_key_steps.node': 0o644, 'tpm_attestor.node': 0o644 };
  expect(readdirSync(release).sort()).toEqual(Object.keys(files).sort());
  for (const [name, mode] of Object.entries(files)) {
    expect((await stat(join(release, name))).mode & 0o777, name).toBe(mode);
    expect(stdout).toContain(`${checksumOf(join(release, name))}  ./${name}\n`);
  }
  expect(await execute(join(release, 'tpm-attestor.cjs'), ['--version'])).toMatchObject({ stdout: `${VERSION}\n` });
  expect(await readlink(join(root, 'usr/local/bin/tpm-attestor'))).toBe(
    `/opt/tpm-attestor/${VERSION}/tpm-attestor.cjs`,
  );

  // What may run is not written over.
  const kept = join(release, 'tpm-attestor-agent.cjs');
  await writeFile(kept, 'kept');
  expect(await run('install.sh', [tarball], { DESTDIR: root })).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining(`${release} is there already`),
  });
  expect(await readFile(kept, 'utf8')).toBe('kept');
  await rm(release, { recursive: true });
  expect(await run('install.sh', [tarball], { DESTDIR: root })).toMatchObject({ code: 0, stdout });
});

test('collect.sh fills a ca_path that the server reads, says what it left out, and stops where nothing can be read', async () => {
  const { root, intermediate, leaf } = mintEkChain();
  await mkdir(join(folder, 'bin'));
  await symlink(CLI, join(folder, 'bin/tpm-attestor'));
  const env = { PATH: `${join(folder, 'bin')}:${process.env['PATH']}`, CA_PATH: join(folder, 'tpm-cas') };
  await writeFile(join(folder, 'cas.pem'), pem(root.der, intermediate.der, leaf.der));
  const { code, stdout, stderr } = await run('collect.sh', [join(folder, 'cas.pem')], env);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('2 added, 0 there already, 1 left out, 0 unreadable');
  expect(stdout).toMatch(/^2 certificates: 1 root, 1 intermediate; 0 errors, 0 warnings, 1 remark$/m);
  const { anchors, problems } = readTrustStore(env.CA_PATH);
  const fingerprints = anchors.certificates.map(({ fingerprint }) => fingerprint);
  expect([fingerprints.sort(), problems]).toEqual([
    [root, intermediate].map(({ certificate }) => certificate.fingerprint).sort(),
    [],
  ]);
  await writeFile(join(folder, 'junk.pem'), 'junk');
  expect(await run('collect.sh', [join(folder, 'junk.pem')], env)).toMatchObject({ code: 2 });
});

test('all-hashes.sh prints lines for the file of deny_path', async () => {
  const tpm = await startSwtpm({ templates: [] });
  const bin = join(folder, 'hashes-bin');
  await mkdir(bin);
  await symlink(CLI, join(bin, 'tpm-attestor'));
  const env = { PATH: `${bin}:${process.env['PATH']}`, TPM_ATTESTOR_TCTI: tpm.tcti };
  const { code, stdout } = await run('all-hashes.sh', [], env);
  expect([code, stdout.split('\n').length]).toEqual([0, 8]);
  await writeFile(join(folder, 'all-hashes'), stdout);
  const { isDenied } = readDenyList(join(folder, 'all-hashes'));
  expect(isDenied({ pubHash: stdout.slice(0, 64), serial: undefined })).toBe(true);
  await tpm.stop();
});

describe('when a machine is refused', () => {
  test('doctor.sh says what keeps it out, and nothing once its CA is there', async () => {
    const { root, intermediate, leaf } = mintEkChain({ keyAlgorithm: 'rsa2048' });
    const bin = join(folder, 'doctor-bin');
    await mkdir(bin);
    await symlink(CLI, join(bin, 'tpm-attestor'));
    const PATH = `${bin}:${process.env['PATH']}`;
    const saved = join(folder, 'saved.pem');
    await writeFile(saved, pem(leaf.der, intermediate.der));
    await writeFile(join(folder, 'doctor-root.pem'), pem(root.der));
    const without = await run('doctor.sh', [saved], { PATH });
    expect(without).toMatchObject({ code: 0, stdout: expect.stringContaining('missing CA   CN=Test TPM Root CA\n') });
    const CA_PATH = join(folder, 'doctor-root.pem');
    const { code, stdout } = await run('doctor.sh', [saved, '--json'], { PATH, CA_PATH });
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { ways: [], cas: 1, eks: [{ admitted_by: 'certificate' }] }]);
  });

  test('the families of codes are those of the code, and the fields those of the document', () => {
    const [, section = ''] = /^## When a machine is refused$[\s\S]*?^```$([\s\S]*?)^## /m.exec(document.text) ?? [];
    const families = new Set(Object.keys(DOCTOR_FINDINGS).map((code) => `${code.split('.')[0]}.`));
    for (const family of families) expect(quotedIn(section)).toContain(family);
    for (const field of ['tpm', 'eks', 'findings', 'ways', 'cas']) expect(quotedIn(section)).toContain(field);
  });
});

test.each(['docs/operations.md', 'docs/migrate-from-spire-tpm-plugin.md', 'docs/configuration.md', 'README.md'])(
  '%s configures the executables where install.sh puts them',
  (path) => {
    const { text } = new MarkdownDocument(path);
    const commands = [...text.matchAll(/plugin_cmd *= "(.*)"$/gm)].map(([, command]) => command);
    const installed = ['server', 'agent'].map((kind) => `/opt/tpm-attestor/${VERSION}/tpm-attestor-${kind}.cjs`);
    expect([...new Set(commands)]).toEqual(installed);
    expect(text).not.toMatch(/\/opt\/tpm-attestor\/tpm/);
  },
);

test('the file that plugin_data_file names holds options that the code takes, and no block', () => {
  const named = /plugin_data_file = "\/etc\/spire\/(.*)"/.exec(document.block('hcl', 'server.conf'))?.[1];
  expect(readOptions(SERVER_OPTIONS, parseHcl(document.block('hcl', named ?? '')))).toMatchObject({ ok: true });
});

test('mistakes are shown in three steps: in options, in what does not fit together, in files', async () => {
  const problems = (hcl: string): Promise<string> => openPolicy(hcl).then(() => '', String);
  const [option, unfit, file] = [/did you mean "pcrs"/, /needs hash_path.*names a SHA-1 bank/s, /cannot be used/];
  const hcl = `ca_path = "${join(folder, 'nowhere')}"\nmode = "both"\npcrs = "sha1:0-7"\npcr = "sha256:0"`;
  const steps = [
    [hcl, option],
    [hcl.replace(/^pcr = .*/m, ''), unfit],
    [hcl.replace(/^(mode|pcrs?) = .*$/gm, ''), file],
  ] as const;
  for (const [text, shown] of steps)
    for (const one of [option, unfit, file]) {
      if (one === shown) expect(await problems(text)).toMatch(one);
      else expect(await problems(text)).not.toMatch(one);
    }
});

describe('what is given as a hash', () => {
  const [hash, other] = ['0a'.repeat(32), '1b'.repeat(32)] as const;
  const node = 'spiffe://example.org/edge';
  const noHashes = ['', '../server.conf', hash.toUpperCase(), hash.slice(1), `${hash}0`, `${hash}\n`, `${hash} `, '-d'];
  let hashes: string;

  beforeEach(async () => {
    const etc = await mkdtemp(join(folder, 'etc-'));
    hashes = join(etc, 'hashes');
    await mkdir(hashes);
    await writeFile(join(etc, 'server.conf'), 'kept');
    await writeFile(join(hashes, hash), 'kept');
  });

  /** Refused in a sentence, with nothing made, emptied or taken away. */
  async function untouched(name: string, args: readonly string[]): Promise<void> {
    const execution = await run(name, args, { HASH_PATH: hashes });
    const told = expect.stringMatching(/^\w+\.sh(:| takes) /);
    expect(execution, args.join(' ')).toMatchObject({ code: 2, stdout: '', stderr: told });
    expect(readdirSync(hashes)).toEqual([hash]);
    for (const file of [join(hashes, hash), join(hashes, '../server.conf')])
      expect(readFileSync(file, 'utf8')).toBe('kept');
  }

  test('becomes a file by list.sh', async () => {
    expect(await run('list.sh', [other], { HASH_PATH: hashes })).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(hashes).sort()).toEqual([hash, other]);
    expect((await stat(join(hashes, other))).mode & 0o777).toBe(0o644);
  });

  test('and is none, touches nothing by list.sh', async () => {
    for (const none of noHashes) await untouched('list.sh', [none]);
    await untouched('list.sh', []);
    await untouched('list.sh', [other, other]);
    // A folder of that name admits nobody, and a file in it neither.
    await mkdir(join(hashes, other));
    expect(await run('list.sh', [other], { HASH_PATH: hashes })).toMatchObject({ code: 1 });
    expect(readdirSync(join(hashes, other))).toEqual([]);
  });

  test('and is none, touches nothing by replace.sh, old or new; nor do the same twice, or a node of another trust domain', async () => {
    for (const none of noHashes) {
      await untouched('replace.sh', [none, other, node, 'example.org']);
      await untouched('replace.sh', [hash, none, node, 'example.org']);
    }
    await untouched('replace.sh', []);
    await untouched('replace.sh', [hash, other, node]);
    await untouched('replace.sh', [hash, hash, node, 'example.org']);
    await untouched('replace.sh', [hash, other, node, 'example.com']);
  });
});

test.each([
  'judge-certificate.sh CERTIFICATE SERVER_OPTIONS.HCL',
  'reload.sh PID',
  'validate.sh SERVER.CONF',
  'collect.sh SOURCE...',
  'entries.sh HASH NODE WORKLOAD UID',
  'group.sh NODE SELECTOR...',
  'ban.sh AGENT_ID',
  'readmit.sh AGENT_ID',
  'memory.sh PID',
])('%s without its arguments says so and does nothing', async (usage) => {
  const [name = ''] = usage.split(' ');
  const { code, stdout, stderr } = await run(name, []);
  expect([code, stdout]).toEqual([expect.any(Number), '']);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/: usage: [^\n]*\n$/);
  expect(stderr).toContain(`usage: ${usage}\n`);
});

test('memory.sh shows what a process takes', async () => {
  const sleeper = spawn('sleep', ['60'], { stdio: 'ignore' });
  await once(sleeper, 'spawn');
  try {
    const { stdout } = await run('memory.sh', [`${sleeper.pid}`]);
    expect(stdout).toMatch(/^VmRSS:\s+\d+ kB$/m);
  } finally {
    sleeper.kill();
  }
});

const analyze = await execute('systemd-analyze', ['--version']).catch(() => ({ code: 127 }));
describe.skipIf(analyze.code !== 0)('the systemd units (skipped where systemd-analyze is not installed)', () => {
  /** What systemd says of a unit. SPIRE itself need not be installed. */
  async function verify(name: string, edit: (text: string) => string = (text) => text): Promise<string> {
    const unit = await readFile(`docs/systemd/${name}`, 'utf8');
    const file = join(folder, name);
    await writeFile(file, edit(unit.replace(/^ExecStart=\S+/m, 'ExecStart=/bin/true')));
    const { stdout, stderr } = await execute('systemd-analyze', ['verify', file]);
    return stdout + stderr;
  }

  test.each(['spire-server.service', 'spire-agent.service'])('%s: systemd has nothing to say of it', async (name) => {
    expect(await verify(name)).toBe('');
    const [spread = '', patience = ''] = quotedIn(document.section('Many machines behind one address')).filter(
      (quoted) => /^(ExecStartPre|TimeoutStartSec)=/.test(quoted),
    );
    expect(await verify(name, (text) => text.replace('[Service]', `[Service]\n${spread}\n${patience}`))).toBe('');
    expect(await verify(name, (text) => text.replace('KillMode=mixed', 'KillMode=mixd'))).toContain('mixd');
    expect(await verify(name, (text) => text.replace('ProtectSystem=', 'ProtectSistem='))).toContain('ProtectSistem');
  });

  test('leave Node.js its compiler and the agent its TPM, and start an agent that has ended again', async () => {
    const [server = '', agent = ''] = ['spire-server', 'spire-agent'].map((name) =>
      readFileSync(`docs/systemd/${name}.service`, 'utf8'),
    );
    for (const unit of [server, agent]) {
      expect(unit).not.toMatch(/^MemoryDenyWriteExecute=/m);
      expect(unit).toMatch(/^KillMode=mixed$/m);
      // Drain of 10 s, 10 s for the Deinit of a plugin, 2 s for its end.
      expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1])).toBeGreaterThan(22);
    }
    expect(agent).not.toMatch(/^PrivateDevices=/m);
    for (const line of [
      'Restart=always',
      'StartLimitIntervalSec=0',
      'SupplementaryGroups=tss',
      'DeviceAllow=/dev/tpmrm0 rw',
    ])
      expect(agent.split('\n')).toContain(line);
  });
});
