import { writeFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Attestor } from '../../src/agent/attest.ts';
import { decodePayload, decodeResponse } from '../../src/evidence/messages.ts';
import { startPlugin } from '../../src/testing/plugin-host/plugin-host.ts';
import { relayAttestation } from '../../src/testing/plugin-host/relay.ts';
import { quotedExtraData } from '../../src/verifier/quote.ts';
import { attestTo, policyFor, TRUST_DOMAIN } from '../support/agent-attestation.ts';
import { agileLog, GRUB_BOOT } from '../support/event-log-writer.ts';
import { type Execution, execute } from '../support/execute.ts';
import { keyPair, mintAuthority, mintEkChain, pem } from '../support/pki.ts';
import { startSwtpm } from '../support/swtpm.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

let folder: string;
let tarball: string;
let installation: Execution;
/** Of a machine that has Node and nothing to build with. */
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'package-'));
  const packed = await execute('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: ROOT });
  expect(packed).toMatchObject({ code: 0 });
  const tools = join(folder, 'tools');
  await mkdir(tools);
  // npm runs with the shell's own programs; no compiler, no make, no python.
  for (const name of ['node', 'npm', 'sh', 'env']) await symlink(await which(name), join(tools, name));
  env = { HOME: folder, PATH: tools, ...registry() };
  const application = join(folder, 'application');
  await mkdir(application);
  tarball = join(folder, packed.stdout.trim().split('\n').at(-1) ?? '');
  installation = await execute('npm', ['install', '--no-audit', '--no-fund', tarball], { cwd: application, env });
}, 300_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the packed tarball, installed where there is no compiler', () => {
  test('installs without running or warning of install scripts', () => {
    expect(installation).toMatchObject({ code: 0 });
    expect(installation.stderr + installation.stdout).not.toMatch(/script|gyp|warn/i);
  });

  test('holds the executables, the addons, documents and declarations, and no sources or tests', async () => {
    const home = join(folder, 'application/node_modules/tpm-attestor');
    expect((await readdir(home)).sort()).toEqual([
      ...['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md', 'dist', 'docs', 'examples', 'package.json', 'scripts'],
    ]);
    expect((await readdir(join(home, 'docs'))).sort()).toEqual((await readdir(join(ROOT, 'docs'))).sort());
    expect((await readdir(join(home, 'dist/bin'))).sort()).toEqual([
      'public_key_steps.node',
      ...['tpm-attestor-agent.cjs', 'tpm-attestor-demo.cjs', 'tpm-attestor-server.cjs', 'tpm-attestor.cjs'],
      'tpm_attestor.node',
    ]);
  });

  test('attests from its agent plugin to its server plugin', async () => {
    const tpm = await startSwtpm({ templates: ['L-1'], persistentEks: true });
    const bin = join(folder, 'application/node_modules/.bin');
    const agent = await startPlugin({ kind: 'agent', command: join(bin, 'tpm-attestor-agent'), env });
    const server = await startPlugin({ kind: 'server', command: join(bin, 'tpm-attestor-server'), env });
    try {
      await agent.configure(`tcti = "${tpm.tcti}"`, 'example.org');
      await server.configure(`ca_path = "${tpm.caPath}"\nallow_software_tpm = true`, 'example.org');
      expect((await relayAttestation(agent, server)).agentId).toMatch(/^spiffe:\/\/example.org\/spire\/agent\/tpm\//);
    } finally {
      await agent.stop();
      await server.stop();
    }
  });

  test('judges evidence as a library, without the addon', async () => {
    const script =
      "import('tpm-attestor/verifier').then((verifier) => console.log(Object.keys(verifier).sort().join()))";
    const cwd = join(folder, 'application');
    expect(await execute('node', ['-e', script], { cwd, env })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/\bbegin,.*\bfinish,.*\bpolicyOf,/),
    });
  });
});

describe('the examples, run from the installed package', () => {
  const home = (): string => join(folder, 'application/node_modules/tpm-attestor');
  /** The tools of a software TPM are on the path here. */
  const example = (name: string, ...args: readonly string[]): Promise<Execution> =>
    execute('node', [join(home(), 'examples', `${name}.mjs`), ...args], { env: process.env });
  const write = (name: string, bytes: Uint8Array | string): string => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };

  test('attest a software TPM without SPIRE', async () => {
    const { code, stdout, stderr } = await example('attest');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^trusted spiffe:\/\/example\.org\/spire\/agent\/tpm\/[0-9a-f]{64}\n$/);
  });

  test('read a firmware log', async () => {
    const { stdout } = await example('read-boot-log', write('log', agileLog(GRUB_BOOT)));
    expect(stdout).toBe('enabled (not proven)\n');
  });

  test('verify a quote from its bytes, and refuse it with another nonce', async () => {
    const tpm = await startSwtpm({ templates: ['L-1'] });
    const attestor = new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => tpm.tcti });
    const { payload, response } = await attestTo(attestor, policyFor(tpm));
    const { akPublic } = decodePayload(payload);
    const { quoted, signature, pcrValues } = decodeResponse(response);
    const files = [write('ak', akPublic), write('quoted', quoted), write('signature', signature)];
    const values = pcrValues.map((value) => Buffer.from(value).toString('hex'));
    const nonce = Buffer.from(quotedExtraData(quoted) ?? []).toString('hex');
    const { code, stdout } = await example('verify-quote', ...files, nonce, ...values);
    expect([code, stdout.split('\n')[0]]).toEqual([0, expect.stringMatching(/^sha256:0 [0-9a-f]{64}$/)]);
    const other = await example('verify-quote', ...files, '00', ...values);
    expect([other.code, other.stdout]).toEqual([1, expect.stringContaining('quote.commitment: ')]);
    expect((await example('parse-public', write('ak', akPublic))).stdout).toMatch(/^ecc-P-256 [0-9a-f]{64}\n$/);
  });

  test('judge an endorsement certificate, and refuse it by another CA', async () => {
    const { root, intermediate, leaf } = mintEkChain({ leaf: { notAfter: new Date('2100-01-01T00:00:00Z') } });
    const cas = [write('root.pem', pem(root.der)), write('intermediate.pem', pem(intermediate.der))];
    const file = write('ek.der', leaf.der);
    expect(await example('judge-certificate', file, ...cas)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^trusted /),
    });
    const other = mintAuthority('Other TPM Root', keyPair('p256', 'other'), {
      issuer: 'Other TPM Root',
      key: keyPair('p256', 'other'),
    });
    expect(await example('judge-certificate', file, write('other.pem', pem(other.der)))).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^ek\.unknown_issuer: /),
    });
  });
});

describe('the types of the package', () => {
  const tool = (name: string, ...args: readonly string[]): Promise<Execution> =>
    execute(join(ROOT, 'node_modules/.bin', name), args, { cwd: folder });

  test('are where publint looks for them', async () => {
    expect(await tool('publint', tarball, '--strict')).toMatchObject({ code: 0, stderr: '' });
  });

  // The package is of ES modules alone: how CommonJS would require it is not asked.
  test('are resolved as attw resolves them', async () => {
    const { code, stdout } = await tool('attw', tarball, '--profile', 'esm-only', '--format', 'json');
    expect([code, JSON.parse(stdout).analysis.types]).toEqual([0, { kind: 'included' }]);
  });

  // What test/types says of the sources in `npm run check` is said here of the declarations.
  test.each([
    ['node16', 'node16'],
    ['bundler', 'esnext'],
  ])('serve a project with moduleResolution %s, the examples too', async (moduleResolution, module) => {
    const application = join(folder, 'application');
    const [examples, types] = [join(application, 'examples'), join(application, 'types')];
    await cp(join(ROOT, 'examples'), examples, { recursive: true });
    await cp(join(ROOT, 'test/types'), types, { recursive: true });
    await writeFile(join(types, 'package.json'), '{ "type": "module" }');
    const compilerOptions = {
      ...{ module, moduleResolution, target: 'es2023', lib: ['es2023'], noEmit: true },
      // Once is enough: it looks into the declarations of the package, and into those of Node at length.
      skipLibCheck: moduleResolution === 'bundler',
      ...{ types: ['node'], typeRoots: [join(ROOT, 'node_modules/@types')] },
      // The examples are JavaScript, whose parameters have no types.
      ...{ strict: true, noImplicitAny: false, allowJs: true, checkJs: true },
    };
    const project = join(application, `${moduleResolution}.json`);
    await writeFile(project, JSON.stringify({ compilerOptions, include: ['examples', 'types'] }));
    expect(await tool('tsc', '-p', project)).toMatchObject({ code: 0, stdout: '' });
  });
});

async function which(name: string): Promise<string> {
  const { stdout } = await execute('sh', ['-c', `command -v ${name}`]);
  const path = stdout.trim();
  return path === '' ? join(dirname(process.execPath), name) : path;
}

/** How npm reaches its registry here. */
function registry(): NodeJS.ProcessEnv {
  const names = Object.keys(process.env).filter((name) =>
    /^(npm_config_|https?_proxy|no_proxy|ssl_|node_extra)/i.test(name),
  );
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}
