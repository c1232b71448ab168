import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { SERVER_OPTIONS } from '../../src/policy/server-settings.ts';
import { VERSION } from '../../src/spire/version.ts';
import { MarkdownDocument, quotedIn, tableRows } from '../support/document.ts';

const run = promisify(execFile);
const readme = new MarkdownDocument('README.md');
const packageJson: { readonly version: string; readonly scripts: Readonly<Record<string, string>> } = JSON.parse(
  await readFile('package.json', 'utf8'),
);

interface Answer {
  readonly verdict: string;
  readonly scope?: string;
  readonly junit: string | undefined;
}

async function underTpm(name: string): Promise<Answer> {
  const folder = await mkdtemp(join(tmpdir(), 'readme-'));
  try {
    const file = join(folder, name);
    await writeFile(file, readme.block('bash', name));
    const JUNIT = join(folder, 'junit.xml');
    const { stdout } = await run('scripts/swtpm/run', ['--', 'bash', file], { env: { ...process.env, JUNIT } });
    const junit = await readFile(JUNIT, 'utf8').catch(() => undefined);
    return { ...JSON.parse(stdout.slice(stdout.lastIndexOf('\n{\n') + 1)), junit };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test('every npm script the documents name exists', async () => {
  const files = [
    'README.md',
    'CONTRIBUTING.md',
    ...(await readdir('docs')).filter((name) => name.endsWith('.md')).map((name) => join('docs', name)),
  ];
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  const named = texts.flatMap((text) => [...text.matchAll(/npm run (?:--silent )?([a-z:]+)/g)].map(([, name]) => name));
  expect(named.length).toBeGreaterThan(3);
  for (const name of named) expect(packageJson.scripts).toHaveProperty([name ?? '']);
});

test('the version the plugins state is the package’s', () => {
  expect(VERSION).toBe(packageJson.version);
});

test('the README’s ci.sh ends in a trusted quote', async () => {
  const junit = expect.stringContaining('<testsuite name="tpm-attestor verify"');
  expect(await underTpm('ci.sh')).toMatchObject({ verdict: 'trusted', scope: 'quote', findings: [], junit });
});

test.each(['ci.sh', 'tools.sh', 'challenge.sh', 'certificate.sh'])(
  'the README’s %s without a software TPM says how to run it',
  async (name) => {
    const env = { ...process.env, TPM_ATTESTOR_CA_PATH: undefined };
    await expect(run('bash', ['-c', readme.block('bash', name)], { env })).rejects.toMatchObject({
      stdout: '',
      stderr: expect.stringContaining(`run this by scripts/swtpm/run -- bash ${name}\n`),
    });
  },
);

test('the README’s tools.sh ends in a trusted quote', async () => {
  expect(await underTpm('tools.sh')).toMatchObject({ verdict: 'trusted', scope: 'quote', findings: [] });
});

test('the README’s challenge.sh ends in a trusted attestation', async () => {
  expect(await underTpm('challenge.sh')).toMatchObject({ verdict: 'trusted', scope: 'attestation', findings: [] });
});

test('the README’s certificate.sh ends in a trusted certificate', async () => {
  expect(await underTpm('certificate.sh')).toMatchObject({
    verdict: 'trusted',
    findings: [],
    manufacturer: 'id:00001014',
  });
});

test('the README names every option of the server, and what a bundle is', () => {
  const cells = tableRows(readme.text, 'server option').flatMap(([names = '']) => quotedIn(names));
  expect(cells.sort()).toEqual([...Object.keys(SERVER_OPTIONS), 'bundle "name" { … }'].sort());
});
