/** The sources keep the rules of the architecture, and each rule finds an example that breaks it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ADDON_FILE, NATIVE, NATIVE_STEPS, RULES, violations } from './support/architecture-rules.ts';

describe('in src', () => {
  const root = fileURLToPath(new URL('../', import.meta.url));
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const sources = Object.fromEntries(
    files.map((name) => [`src/${name}`, readFileSync(join(root, 'src', name), 'utf8')]),
  );

  test('there is something to look at', () => {
    expect(Object.keys(sources)).toEqual(expect.arrayContaining([ADDON_FILE, NATIVE, NATIVE_STEPS]));
  });

  test.each(Object.entries(RULES))('%s', (_, rule) => {
    expect(violations(rule, sources)).toEqual([]);
  });
});

// For each rule: examples in which the first file breaks it, and the expected sentence.
const VIOLATIONS: Readonly<Record<keyof typeof RULES, readonly [Readonly<Record<string, string>>, string][]>> = {
  'a folder imports only from floors below it': [
    [{ 'src/evidence/a.ts': "import { b } from '../verifier/b.ts';" }, ':1 imports src/verifier/b.ts'],
    [{ 'src/agent/a.ts': "import type { B } from '../verifier/b.ts';" }, ':1 imports src/verifier/b.ts'],
    [{ 'src/x509/a.ts': "const b = await import('../evidence/b.ts');" }, ':1 imports src/evidence/b.ts'],
    [{ 'src/agent/a.ts': "let b: import('../cli/b.ts').B;" }, ':1 imports src/cli/b.ts'],
    [{ 'src/other/a.ts': '' }, ' stands on no floor'],
  ],
  'no folder imports what its place forbids': [
    [{ 'src/tpm/structures/a.ts': "\nexport * from '../device/tpm.ts';" }, ':2 imports src/tpm/device/tpm.ts'],
    [{ 'src/x509/path/a.ts': "import type { B } from '../ek/b.ts';" }, ':1 imports src/x509/ek/b.ts'],
    [{ 'src/cli/terminal/a.ts': "import { b } from '../ek/b.ts';" }, ':1 imports src/cli/ek/b.ts'],
  ],
  'only demos, tests and benchmarks import src/testing': [
    [{ 'src/cli/ek/a.ts': "import { b } from '../../testing/b.ts';" }, ':1 imports src/testing/b.ts'],
    [{ 'src/agent/a.ts': "import type { B } from '../testing/b.ts';" }, ':1 imports src/testing/b.ts'],
  ],
  'no two folders import each other': [
    [
      {
        'src/agent/wires/a.ts': "import { b } from '../b.ts';",
        'src/agent/b.ts': '',
        'src/agent/c.ts': "import type { A } from './wires/a.ts';",
      },
      ':1 imports src/agent/b.ts, and src/agent imports src/agent/wires',
    ],
  ],
  'a pure file imports only pure files and pure modules': [
    [{ 'src/verifier/a.ts': "import 'node:fs';" }, ':1 imports node:fs'],
    [{ 'src/tpm/new.ts': "import { open } from 'fs';" }, ':1 imports fs'],
    [{ 'src/x509/a.ts': "import { tpm } from '../tpm/device/tpm.ts';" }, ':1 imports src/tpm/device/tpm.ts'],
  ],
  'a pure file draws no randomness': [
    [{ 'src/evidence/a.ts': "import { createHash, randomBytes as r } from 'node:crypto';" }, ':1 takes randomBytes'],
    [{ 'src/evidence/a.ts': "import * as crypto from 'node:crypto';" }, ':1 takes *'],
    [{ 'src/evidence/a.ts': "import crypto from 'node:crypto';" }, ':1 takes default'],
    [{ 'src/tpm/a.ts': "export const a = createECDH('prime256v1').generateKeys();" }, ':1 takes generateKeys'],
  ],
  'a pure file reads no clock, environment or network through a global': [
    ...['Date.now()', 'new Date()', 'new Date', 'Date()', 'Math.random()', "Math['random']()", "process.env['X']"],
    ...['performance.now()', 'f(setTimeout)', 'fetch(url)', 'crypto.getRandomValues(a)', '({ process })'],
    ...['globalThis.Date', 'f(globalThis)', 'new Function(text)', "eval('1')", 'console.log(1)'],
  ].map((code) => [{ 'src/verifier/a.ts': `export const a = () => ${code};` }, ':1 uses ']),
  'only the TPM and the native steps have an addon': [
    [{ 'src/server-plugin/a.ts': "import { AddonFile } from '../files/addon-file.ts';" }, `:1 imports ${ADDON_FILE}`],
    [{ 'src/policy/a.ts': "export * from '../files/addon-file.ts';" }, `:1 imports ${ADDON_FILE}`],
  ],
  'only the policy in force hands native steps to the verifier': [
    [{ 'src/cli/a.ts': "import { nativeSteps } from '../policy/native-steps.ts';" }, `:1 imports ${NATIVE_STEPS}`],
    [
      { 'src/policy/policy-files.ts': "import { nativeSteps } from './native-steps.ts';" },
      `:1 imports ${NATIVE_STEPS}`,
    ],
  ],
  'only src/files/addon-file.ts loads native code': [
    [{ 'src/agent/a.ts': 'process.dlopen(module, file);' }, ':1 uses process.dlopen'],
    [{ 'src/tpm/a.ts': "import addon from './addon.node';" }, ':1 imports src/tpm/addon.node'],
    [{ 'src/cli/a.ts': "import { createRequire } from 'node:module';" }, ':1 imports node:module'],
    [{ 'src/cli/a.ts': "const addon = require('./addon.node');" }, ':1 imports src/cli/addon.node'],
  ],
  'whoever judges never reaches native code': [
    [
      {
        'src/verifier/a.ts': "import '../tpm/b.ts';",
        'src/tpm/b.ts': "export { c } from './device/native.ts';",
        [NATIVE]: 'process.dlopen(module, file);',
      },
      ' -> src/tpm/b.ts -> src/tpm/device/native.ts',
    ],
  ],
  'no import is computed': [[{ 'src/cli/a.ts': 'await import(name);' }, ':1 imports what it computes']],
  'no file imports itself through others': [
    [
      { 'src/tpm/a.ts': "import { b } from './b.ts';", 'src/tpm/b.ts': "import { a } from './a.ts';" },
      ' -> src/tpm/b.ts -> src/tpm/a.ts',
    ],
  ],
  'no file has more than 350 lines': [[{ 'src/tpm/a.ts': '\n'.repeat(351) }, ' has 351 lines']],
  'a file is named by what it holds': [[{ 'src/tpm/utils.ts': '' }, '']],
};

describe.each(Object.keys(RULES))('%s:', (rule) => {
  const cases = VIOLATIONS[rule] ?? [];

  test('there is an example of what breaks it', () => {
    expect(cases).not.toEqual([]);
  });

  test.each(cases)('%o breaks it', (sources, said) => {
    const [first = 'nothing'] = violations(RULES[rule], sources);
    expect(first).toContain(`${Object.keys(sources)[0]}${said}`);
  });
});

test('what only looks like a violation is none', () => {
  const sources = {
    [ADDON_FILE]: 'process.dlopen(module, file);',
    [NATIVE]: "import { AddonFile } from '../../files/addon-file.ts';",
    'src/verifier/a.ts': `
      import { createHash, type KeyObject } from 'node:crypto';
      import type { Context } from '../tpm/device/native.ts';
      import { encode } from '../tpm/structures/codec.ts';
      export function judge(now: number, process: { env: string }, { setTimeout: limit }: Options): Date {
        return quote.process.dlopen(new Date(now), Math.max(1), process.env, limit, Date.UTC(2026), quote.fetch());
      }`,
    'src/tpm/structures/codec.ts': 'export const encode = new globalThis.Error("1");',
    'src/spire/gen/common/large.ts': '\n'.repeat(1000),
    'src/spire/a.ts': "import type { B } from './b.ts'; Date.now();",
    'src/spire/b.ts': "import { a } from './a.ts';",
  };
  const found = Object.entries(RULES).flatMap(([name, rule]) => violations(rule, sources).map((said) => [name, said]));
  // The verifier must not import even a type of the device.
  expect(found).toEqual([
    ['a pure file imports only pure files and pure modules', 'src/verifier/a.ts:3 imports src/tpm/device/native.ts'],
  ]);
});
