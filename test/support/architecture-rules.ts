/** The rules of the architecture, for test/architecture.test.ts. */
import { dirname } from 'node:path';
import { type SourceFacts, sourceFacts } from './source-facts.ts';

// A folder imports from itself and from the floors below it, never from its neighbours.
const FLOORS: Readonly<Record<string, number>> = {
  'src/cli/': 8,
  'src/library/': 8,
  'src/server-plugin/': 7,
  'src/server/': 7,
  'src/enrolment/': 7,
  'src/agent-plugin/': 6,
  'src/edge-agent/': 6,
  'src/policy/': 6,
  'src/registry/': 6,
  'src/agent/': 5,
  'src/verifier/': 5,
  'src/evidence/': 4,
  'src/boot-log/': 4,
  'src/tpm/': 3,
  'src/x509/': 3,
  'src/testing/': 3,
  'src/spire/': 2,
  'src/files/': 1,
  'src/public-key/': 1,
  'src/bytes/': 0,
};

// The first folder of each pair never imports the second.
const FORBIDDEN: readonly (readonly [string, string])[] = [
  ['src/tpm/structures/', 'src/tpm/device/'],
  ['src/x509/path/', 'src/x509/ek/'],
  ['src/cli/terminal/', 'src/cli/'],
];
// Software TPMs, plugin hosts and SPIRE for tests and demos. The product never imports them.
const TESTING = 'src/testing/';
const TRIES_THINGS = [TESTING, 'src/cli/demo/', 'src/library/testing.ts'];

// PURE: time, randomness, trust anchors and policy are arguments. A verdict depends on nothing else, so it can be
// repeated.
const PURE_FOLDERS = [
  'src/verifier/',
  'src/evidence/',
  'src/boot-log/',
  'src/x509/',
  'src/tpm/',
  'src/public-key/',
  'src/bytes/',
];
// The one folder of src/tpm that is not pure.
const DEVICE = 'src/tpm/device/';
const PURE_MODULES = ['node:crypto', 'node:buffer', '@bufbuild/protobuf', '@bufbuild/protobuf/wire'];
const RANDOM =
  /^(\*|default|random\w+|getRandomValues|webcrypto|subtle|generate\w+|createDiffieHellman\w*|sign|createSign)$/;
const IMPURE_GLOBAL =
  /^(process|console|performance|fetch|crypto|globalThis(?!\.(Array|Boolean|Error|Number|Object|String)$)|global|eval|WebSocket|set(Timeout|Interval|Immediate)|(new )?Function)\b|^Date\.now$|^Date\(\)$|^new Date\(\)$|^Math\.random$/;

/** Finds, checks and loads; what it loads is said by the two that import it. */
export const ADDON_FILE = 'src/files/addon-file.ts';
export const NATIVE = 'src/tpm/device/native.ts';
/** Loads the addon that computes with public keys, where the policy asks for it. */
export const NATIVE_STEPS = 'src/policy/native-steps.ts';
/** The files that import it, beside tests and benchmarks. */
const STEPS_USERS: readonly string[] = ['src/policy/live-policy.ts'];
// These folders never load native code, so a flaw in native code cannot affect the verifier.
const WITHOUT_NATIVE = [
  'src/verifier/',
  'src/evidence/',
  'src/boot-log/',
  'src/x509/',
  'src/spire/',
  'src/policy/',
  'src/server-plugin/',
];

const VAGUE = /\/(utils?|helpers?|types|common|misc|shared)(\.ts|\/)/;
const MAX_LINES = 350;

export type Rule = (file: SourceFacts, project: ReadonlyMap<string, SourceFacts>) => string[];

/** Each rule by its claim. A rule returns one sentence for each violation in a file. */
export const RULES: Readonly<Record<string, Rule>> = {
  'a folder imports only from floors below it': ({ path, imports }) => {
    const own = folderOf(path);
    if (own === undefined) return [`${path} stands on no floor`];
    return imports
      .filter(({ target }) => target.startsWith('src/'))
      .filter(({ target }) => {
        const other = folderOf(target);
        return other === undefined || (other !== own && (FLOORS[other] ?? 0) >= (FLOORS[own] ?? 0));
      })
      .map(({ target, line }) => `${path}:${line} imports ${target}`);
  },

  'no folder imports what its place forbids': ({ path, imports }) =>
    FORBIDDEN.filter(([from]) => path.startsWith(from)).flatMap(([from, to]) =>
      imports
        .filter(({ target }) => target.startsWith(to) && !target.startsWith(from))
        .map(({ target, line }) => `${path}:${line} imports ${target}`),
    ),

  'only demos, tests and benchmarks import src/testing': ({ path, imports }) =>
    TRIES_THINGS.some((folder) => path.startsWith(folder))
      ? []
      : imports
          .filter(({ target }) => target.startsWith(TESTING))
          .map(({ target, line }) => `${path}:${line} imports ${target}`),

  'no two folders import each other': ({ path, imports }, project) =>
    imports
      .filter(({ target }) => project.has(target) && !isGenerated(target))
      .flatMap(({ target, line }) => {
        const [own, other] = [dirname(path), dirname(target)];
        if (own === other || !importsFolder(project, other, own)) return [];
        return [`${path}:${line} imports ${target}, and ${other} imports ${own}`];
      }),

  'a pure file imports only pure files and pure modules': ({ path, imports }) =>
    !isPure(path)
      ? []
      : imports
          .filter(({ target }) => !(target.startsWith('src/') ? isPure(target) : PURE_MODULES.includes(target)))
          .map(({ target, line }) => `${path}:${line} imports ${target}`),

  'a pure file draws no randomness': ({ path, imports, members }) =>
    !isPure(path)
      ? []
      : [
          ...imports
            .filter(({ target }) => /^(node:)?crypto$/.test(target))
            .flatMap(({ names, line }) => names.filter((name) => RANDOM.test(name)).map((name) => ({ name, line }))),
          // ECDH is allowed only with given keys, not to make new ones.
          ...members.filter(({ name }) => name === 'generateKeys'),
        ].map(({ name, line }) => `${path}:${line} takes ${name} of node:crypto`),

  'a pure file reads no clock, environment or network through a global': ({ path, globals }) =>
    !isPure(path)
      ? []
      : globals.filter(({ name }) => IMPURE_GLOBAL.test(name)).map(({ name, line }) => `${path}:${line} uses ${name}`),

  'only src/files/addon-file.ts loads native code': ({ path, imports, globals }) =>
    path === ADDON_FILE
      ? []
      : [
          ...imports
            .filter(({ target, names }) => target.endsWith('.node') || names.includes('createRequire'))
            .map(({ target, line }) => `${path}:${line} imports ${target}`),
          ...globals
            .filter(({ name }) =>
              /^(process\.(dlopen|binding|_linkedBinding)|require\(\)|createRequire\(\))$/.test(name),
            )
            .map(({ name, line }) => `${path}:${line} uses ${name}`),
        ],

  'only the TPM and the native steps have an addon': ({ path, imports }) =>
    path === NATIVE || path === NATIVE_STEPS
      ? []
      : imports
          .filter(({ target, typeOnly }) => target === ADDON_FILE && !typeOnly)
          .filter(({ names }) => !names.every((name) => name === 'AddonFileError'))
          .map(({ target, line }) => `${path}:${line} imports ${target}`),

  'only the policy in force hands native steps to the verifier': ({ path, imports }) =>
    STEPS_USERS.includes(path)
      ? []
      : imports
          .filter(({ target, typeOnly }) => target === NATIVE_STEPS && !typeOnly)
          .map(({ target, line }) => `${path}:${line} imports ${target}`),

  'whoever judges never reaches native code': ({ path }, project) =>
    WITHOUT_NATIVE.some((folder) => path.startsWith(folder))
      ? wayTo(path, NATIVE, project).map((way) => way.join(' -> '))
      : [],

  'no import is computed': ({ path, imports }) =>
    imports
      .filter(({ target }) => target === '(computed)')
      .map(({ line }) => `${path}:${line} imports what it computes`),

  'no file imports itself through others': ({ path, imports }, project) =>
    imports
      .filter(({ typeOnly, target }) => !typeOnly && project.has(target))
      .flatMap(({ target }) => wayTo(target, path, project))
      .slice(0, 1)
      .map((way) => [path, ...way].join(' -> ')),

  [`no file has more than ${MAX_LINES} lines`]: ({ path, lines }) =>
    isGenerated(path) || lines <= MAX_LINES ? [] : [`${path} has ${lines} lines`],

  'a file is named by what it holds': ({ path }) => (VAGUE.test(path) && !isGenerated(path) ? [path] : []),
};

function folderOf(path: string): string | undefined {
  return Object.keys(FLOORS)
    .filter((folder) => path.startsWith(folder))
    .sort((a, b) => b.length - a.length)[0];
}

function isPure(path: string): boolean {
  return PURE_FOLDERS.some((folder) => path.startsWith(folder)) && !path.startsWith(DEVICE);
}

const folderImports = new WeakMap<ReadonlyMap<string, SourceFacts>, Set<string>>();

function importsFolder(project: ReadonlyMap<string, SourceFacts>, from: string, to: string): boolean {
  const known =
    folderImports.get(project) ??
    new Set(
      [...project.values()].flatMap(({ path, imports }) =>
        imports.map(({ target }) => `${dirname(path)} ${dirname(target)}`),
      ),
    );
  folderImports.set(project, known);
  return known.has(`${from} ${to}`);
}

function isGenerated(path: string): boolean {
  return path.includes('/gen/');
}

/** The shortest chain of imports that exist at run time: none, or one list of paths. */
function wayTo(from: string, to: string, project: ReadonlyMap<string, SourceFacts>): string[][] {
  const ways = new Map([[from, [from]]]);
  for (const [path, way] of ways) {
    if (path === to) return [way];
    for (const { target, typeOnly } of project.get(path)?.imports ?? []) {
      if (!typeOnly && project.has(target) && !ways.has(target)) ways.set(target, [...way, target]);
    }
  }
  return [];
}

const projects = new WeakMap<object, ReadonlyMap<string, SourceFacts>>();

/** The violations of a rule in a project, given as texts by path. The same object is parsed once. */
export function violations(rule: Rule | undefined, sources: Readonly<Record<string, string>>): string[] {
  const project =
    projects.get(sources) ?? new Map(Object.entries(sources).map(([path, text]) => [path, sourceFacts(path, text)]));
  projects.set(sources, project);
  return [...project.values()].flatMap((file) => rule?.(file, project) ?? ['there is no such rule']);
}
