import { existsSync, readFileSync, statSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bundler } from '../support/bundle.ts';
import { execute } from '../support/execute.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const existing = bundler.EXECUTABLES.filter(({ entry }) => existsSync(join(ROOT, entry)));

describe.each(existing)('$outfile', (executable) => {
  test('comes out the same twice, and is what lies in dist/bin', async () => {
    const [once, twice] = await Promise.all([bundler.bundle(executable), bundler.bundle(executable)]);
    expect(once === twice).toBe(true);
    expect(readFileSync(join(ROOT, executable.outfile), 'utf8') === once).toBe(true);
  });

  test('is executable and names no path of the machine that built it', () => {
    const file = join(ROOT, executable.outfile);
    expect(statSync(file).mode & 0o111).toBe(0o111);
    const text = readFileSync(file, 'utf8');
    expect(text.startsWith('#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node\n')).toBe(true);
    expect(text.includes(ROOT)).toBe(false);
    expect(text.includes('sourceMappingURL=data:')).toBe(false);
  });
});

describe.each(existing)('$outfile under a Node.js that is too old', ({ outfile, plugin }) => {
  let preload: string;
  beforeEach(async () => {
    preload = join(await mkdtemp(join(tmpdir(), 'ground-')), 'old.cjs');
  });
  afterEach(() => rm(dirname(preload), { recursive: true, force: true }));

  const under = async (version: string) => {
    const versions = `{ ...process.versions, node: '${version}' }`;
    await writeFile(preload, `Object.defineProperty(process, 'versions', { value: ${versions} });`);
    return execute(process.execPath, ['--require', preload, join(ROOT, outfile), '--version']);
  };
  const REFUSAL = 'Node.js 20.19 or newer is needed, and the node in PATH is ';

  test.each(['18.20.8', '20.18.3'])('%s ends with one sentence', async (version) => {
    const { code, stdout, stderr } = await under(version);
    expect([code, stdout]).toEqual([plugin ? 1 : 2, '']);
    if (!plugin) expect(stderr).toBe(`tpm-attestor: ${REFUSAL}${version}\n`);
    else {
      expect(stderr.trim().split('\n')).toHaveLength(1);
      expect(JSON.parse(stderr)).toEqual({
        '@level': 'error',
        '@message': `${REFUSAL}${version}`,
        '@timestamp': expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      });
    }
  });

  test.each(['20.19.0', '22.0.0'])('%s is not too old', async (version) => {
    const { stderr } = await under(version);
    expect(stderr).not.toContain(REFUSAL);
  });
});

describe('scripts/bundle.mjs', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'ground-'));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
    return join(root, path);
  };
  const server = bundler.EXECUTABLES.find(({ outfile }) => outfile.includes('server'));
  if (server === undefined) throw new Error('there is no server bundle');

  test('says that the addons are absent', async () => {
    await write('src/x.ts', '');
    for (const name of ['package.json', 'package-lock.json', 'scripts/bundle.mjs', 'scripts/bundle'])
      await cp(join(ROOT, name), join(root, name), { recursive: true });
    const { code, stderr } = await execute(process.execPath, [join(root, 'scripts/bundle.mjs')]);
    expect(code).toBe(0);
    for (const name of ['tpm_attestor.node', 'public_key_steps.node'])
      expect(stderr).toContain(`bundle: build/Release/${name} is absent, so is dist/bin/${name};`);
  });

  test('gives modules the place of the bundle as import.meta.url', async () => {
    await write('src/server-plugin/main.ts', "import './beside.ts';");
    await write('src/server-plugin/beside.ts', 'console.log(import.meta.url);');
    const file = await write('out.cjs', await bundler.bundle(server, root));
    expect((await execute(process.execPath, [file])).stdout).toBe(`${pathToFileURL(file)}\n`);
  });

  test('keeps one first line when the entry point has its own', async () => {
    await write('src/server-plugin/main.ts', '#!/usr/bin/env node\nconsole.log(1 as number);');
    const file = await write('out.cjs', await bundler.bundle(server, root));
    expect((await execute(process.execPath, [file])).stdout).toBe('1\n');
  });

  describe('what a plugin imports while it runs', () => {
    const program = async (main: string, late: string) => {
      await write('src/server-plugin/main.ts', main);
      await write('src/server-plugin/late.ts', late);
      return write('out.cjs', await bundler.bundle(server, root));
    };
    const IMPORT = "import('./late.ts').then(({ said }) => console.log(said));";

    test('comes of the text that was read at first, whatever became of the file', async () => {
      const main = `import { writeFileSync } from 'node:fs';\nwriteFileSync(__filename, 'process.exit(1)');\n${IMPORT}`;
      const file = await program(main, 'export const said = import.meta.url;');
      expect((await execute(process.execPath, [file])).stdout).toBe(`${pathToFileURL(file)}\n`);
      expect(readFileSync(file, 'utf8')).toBe('process.exit(1)');
    });

    test('shares with the rest what both import', async () => {
      await write('src/server-plugin/both.ts', 'export const counted = { calls: 0 };');
      const use = "import { counted } from './both.ts';\n";
      const file = await program(`${use}counted.calls = 7;\n${IMPORT}`, `${use}export const said = counted.calls;`);
      expect((await execute(process.execPath, [file])).stdout).toBe('7\n');
    });

    test('may contain the end of a comment', async () => {
      const file = await program(IMPORT, "export const said = '*/' + 'a*/b'.replace(/a*/, '') /* a */ + `*/`;");
      expect((await execute(process.execPath, [file])).stdout).toBe('*/*/b*/\n');
    });

    test('has in a stack trace the lines of the file', async () => {
      const file = await program(IMPORT, "export const said = new Error('of late').stack;");
      const line = /:(\d+):\d+\)?\n/.exec((await execute(process.execPath, [file])).stdout)?.[1];
      expect(readFileSync(file, 'utf8').split('\n')[Number(line) - 1]).toContain(
        "new Error('of late'".replaceAll("'", '"'),
      );
    });
  });

  test.each(['src/tpm/device/native.ts', 'node_modules/@peculiar/x509/index.ts', 'node_modules/pkijs/index.ts'])(
    'refuses a server that reaches %s, and says through what',
    async (path) => {
      await write('src/server-plugin/main.ts', "import './innocent.ts';");
      await write('src/server-plugin/innocent.ts', `export const late = () => import('../../${path}');`);
      await write(path, 'export const reached = 1;');
      await expect(bundler.bundle(server, root)).rejects.toThrow(
        `${server.outfile} must not contain:\n  ${path} <- src/server-plugin/innocent.ts`,
      );
      await write('src/server-plugin/innocent.ts', 'export const late = 1;');
      await expect(bundler.bundle(server, root)).resolves.toContain('#!');
    },
  );
});
