/** `bundle "name" { … }` in the server plugin's configuration. */
import { expect, test } from 'vitest';
import { BUNDLE_OPTIONS, RULE_OPTIONS } from '../../src/policy/bundle-options.ts';
import { readServerSettings, SERVER_OPTIONS, type ServerSettings } from '../../src/policy/server-settings.ts';
import { InvalidConfig } from '../../src/spire/config/invalid-config.ts';

const settings = (text: string): ServerSettings => readServerSettings('example.org', text);
function problems(text: string): readonly string[] {
  try {
    settings(text);
  } catch (error) {
    if (error instanceof InvalidConfig) return error.problems;
    throw error;
  }
  return [];
}

const NOTHING = {
  kinds: ['hardware'],
  manufacturers: undefined,
  models: undefined,
  minFirmware: undefined,
  allowExpiredLeaf: false,
  allowNotYetValid: false,
  allowSha1: false,
  allowTpm12: false,
  allowGceProfile: false,
  crlPolicy: 'off',
};

const HCL = `
ca_path = "cas"
bundle "hardware" {
  ca_path       = "vendors"
  manufacturers = ["IFX", "Nuvoton"]
  models        = ["SLB 96*"]
  min_firmware  = "0700"
}
bundle "cloud" {
  ca_path           = "google"
  kind              = "cloud"
  allow_gce_profile = true
}
crl_path = "lists"
bundle "lab" {
  ca_path    = "lab"
  kind       = "software"
  crl_policy = "warn"
}`;

const BUNDLES = [
  { name: 'ca_path', caPath: 'cas', rules: { ...NOTHING, kinds: ['hardware', 'cloud'], crlPolicy: 'fail-closed' } },
  {
    name: 'hardware',
    caPath: 'vendors',
    rules: {
      ...NOTHING,
      manufacturers: ['49465800', '4E544300'],
      models: ['SLB 96*'],
      minFirmware: '0700',
      crlPolicy: 'fail-closed',
    },
  },
  {
    name: 'cloud',
    caPath: 'google',
    rules: { ...NOTHING, kinds: ['cloud'], allowGceProfile: true, crlPolicy: 'fail-closed' },
  },
  { name: 'lab', caPath: 'lab', rules: { ...NOTHING, kinds: ['software'], crlPolicy: 'warn' } },
];

test('bundles are read in their order behind ca_path, each with its own rules', () => {
  expect(settings(HCL).bundles).toEqual(BUNDLES);
});

const JSON_BUNDLES = {
  hardware: { ca_path: 'vendors', manufacturers: ['IFX', 'Nuvoton'], models: ['SLB 96*'], min_firmware: '0700' },
  cloud: { ca_path: 'google', kind: 'cloud', allow_gce_profile: true },
  lab: { ca_path: 'lab', kind: 'software', crl_policy: 'warn' },
};

test.each([
  ['an object by name', JSON_BUNDLES],
  ['a list of such objects', Object.entries(JSON_BUNDLES).map(([name, body]) => ({ [name]: body }))],
])('JSON says the same by %s', (_, bundle) => {
  const text = JSON.stringify({ ca_path: 'cas', crl_path: 'lists', bundle }, null, 2);
  expect(settings(text).bundles).toEqual(BUNDLES);
});

test('a bundle takes each rule that ca_path takes', () => {
  expect(Object.keys(BUNDLE_OPTIONS)).toEqual(['ca_path', 'kind', ...Object.keys(RULE_OPTIONS)]);
  for (const name of Object.keys(RULE_OPTIONS)) expect(SERVER_OPTIONS[name]).toBe(BUNDLE_OPTIONS[name]);
});

test.each([
  ['a', []],
  ['A-1_b.c', []],
  ['x'.repeat(64), []],
  ['x'.repeat(65), [`line 1: bundle "${'x'.repeat(64)}": its name must be letters, digits, ".", "_" and "-"`]],
  ...['a:b', 'a b', '', '-a', '.a', 'a/b', 'ä'].map(
    (name) =>
      [name, [`line 1: bundle ${JSON.stringify(name)}: its name must be letters, digits, ".", "_" and "-"`]] as const,
  ),
  ...['ca_path', 'CA_path'].map(
    (name) =>
      [name, [`line 1: bundle "${name}": its name is reserved for the option ca_path; choose another`]] as const,
  ),
] as const)('the name %j is one that a selector can have, or is refused', (name, said) => {
  expect(problems(`bundle "${name}" { ca_path = "x" }`)).toEqual(said);
});

const one = (name: string, more = ''): string => `bundle "${name}" {\n  ca_path = "x"\n  ${more}\n}\n`;

test.each([
  [
    `${one('a')}${one('b')}${one('a')}`,
    ['line 9: bundle "a": its name is used twice, apart from case; choose another'],
  ],
  [`${one('hw')}${one('HW')}`, ['line 5: bundle "HW": its name is used twice, apart from case; choose another']],
  ['bundle { ca_path = "x" }', ['line 1: bundle "ca_path": must be a block with a name: bundle "hardware" { … }']],
  ['bundle "a" "b" { ca_path = "x" }', ['line 1: bundle "a": must be a block with a name: bundle "hardware" { … }']],
  ['bundle = "a"', ['line 1: bundle "": must be a block with a name: bundle "hardware" { … }']],
  [
    'bundle = []',
    ['"ca_path" is missing, and so are bundles and hash_path: set at least one of them to say which TPMs to admit'],
  ],
  [
    '{ "bundle": { "a": [{ "ca_path": "x" }] } }',
    ['line 1: bundle "a": must be a block with a name: bundle "hardware" { … }'],
  ],
  ['bundle {}', ['line 1: bundle "": must be a block with a name: bundle "hardware" { … }']],
  ['bundle "a" {}', ['line 1: bundle "a": "ca_path" is required']],
  [one('a', 'ca_pth = "y"'), ['line 1: bundle "a": line 3: "ca_pth" is not an option; did you mean "ca_path"?']],
  // Options of the plugin that are none of a bundle.
  [one('a', 'hash_path = "y"'), [expect.stringContaining('line 3: "hash_path" is not an option')]],
  [one('a', 'allow_software_tpm = true'), [expect.stringContaining('"allow_software_tpm" is not an option')]],
  [
    one('a', 'kind = "firmware"'),
    ['line 1: bundle "a": line 3: "kind" must be one of "hardware", "cloud", "software"'],
  ],
  [
    one('a', 'manufacturers = ["IFX", "Google"]'),
    ['line 1: bundle "a": "manufacturers" names Google, whose TPMs are of kind cloud, which these rules do not accept'],
  ],
  [one('a', 'allow_gce_profile = true'), ['line 1: bundle "a": "allow_gce_profile" is for vTPMs; set kind = "cloud"']],
  [
    `${one('a', 'kind = 1')}${one('b', 'models = []')}`,
    [
      'line 1: bundle "a": line 3: "kind" must be a string in quotes, not a number',
      'line 5: bundle "b": line 7: "models" must not be empty, because no TPM would be admitted; leave it out to accept all',
    ],
  ],
])('%j is refused', (hcl, said) => {
  expect(problems(hcl)).toEqual(said);
});

test('sixteen bundles are read, and seventeen are not', () => {
  const many = (count: number): string => Array.from({ length: count }, (_, i) => one(`b${i}`)).join('');
  expect(settings(many(16)).bundles).toHaveLength(16);
  expect(problems(many(17))).toEqual(['there are 17 bundles; the limit is 16']);
});
