/** What the options of the server plugin say, before any file is read. */
import { expect, test } from 'vitest';
import { readServerSettings, SERVER_OPTIONS, type ServerSettings } from '../../src/policy/server-settings.ts';
import { InvalidConfig } from '../../src/spire/config/invalid-config.ts';
import { TPM_ALG } from '../../src/tpm/structures/constants.ts';

const NATIVE = 'public_key_steps = "native"';
const settings = (hcl: string): ServerSettings => readServerSettings('example.org', hcl);
function problems(hcl: string): readonly string[] {
  try {
    settings(hcl);
  } catch (error) {
    if (error instanceof InvalidConfig) return error.problems;
    throw error;
  }
  return [];
}

const [CAS, LIST, LISTS] = ['ca_path = "cas"', 'hash_path = "list"', 'crl_path = "lists"'];
const ids = Array.from({ length: 8 }, (_, index) => index);

/** Each option: a value, what it becomes, and the nearest value that is none with what is said of it. */
const ROWS: readonly {
  readonly option: keyof typeof SERVER_OPTIONS;
  readonly good: string;
  /** Beside it. */
  readonly with?: string;
  readonly becomes: Partial<Record<keyof ServerSettings, unknown>>;
  readonly bad: readonly (readonly [value: string, problem: string])[];
}[] = [
  {
    option: 'plugin_name',
    good: '"edge_TPM-2.0"',
    becomes: { pluginName: 'edge_TPM-2.0' },
    bad: ['"a/b"', '"a b"', '".."', '"."', '"a%20"'].map(
      (text) => [text, 'must be a SPIFFE path segment: letters, digits, ".", "_" and "-"'] as const,
    ),
  },
  {
    option: 'mode',
    good: '"both"',
    with: LIST,
    becomes: { mode: 'both' },
    bad: [['"BOTH"', 'must be one of "certificate", "hash", "either", "both"']],
  },
  {
    option: 'ca_path',
    good: '"other"',
    becomes: { bundles: [{ caPath: 'other' }] },
    bad: [['""', 'must not be empty']],
  },
  { option: 'hash_path', good: '"x"', becomes: { hashPath: 'x' }, bad: [['" "', 'must not be empty']] },
  {
    option: 'deny_path',
    good: '"x"',
    becomes: { denyPath: 'x' },
    bad: [['["x"]', 'must be a string in quotes, not a list']],
  },
  {
    option: 'crl_path',
    good: '"x"',
    becomes: { crlPath: 'x' },
    bad: [['true', 'must be a string in quotes, not a boolean']],
  },
  {
    option: 'enforce',
    good: 'false',
    becomes: { enforce: false },
    bad: [['"false"', 'must be true or false without quotes, not a string']],
  },
  {
    option: 'pcrs',
    good: '" sha384:0-7  sha256:0-7 "',
    becomes: {
      pcrs: [
        { hash: TPM_ALG.SHA384, bank: 'sha384', indices: ids },
        { hash: TPM_ALG.SHA256, bank: 'sha256', indices: ids },
      ],
    },
    bad: [
      ['"sha256:0-7 sha384"', 'is wrong: "sha384" is not of the form "sha256:0-7" or "sha256:0,2,7"'],
      ['"sha256:0-23"', 'is wrong: PCR 16 and 23 can be reset by any software and proves nothing'],
    ],
  },
  {
    option: 'ek_algorithms',
    good: '["ecc", "rsa"]',
    becomes: { ekTemplates: ['L-2', 'L-1'] },
    bad: ['[]', '["rsa", "dsa"]'].map((list) => [list, 'must list "rsa", "ecc" or both, and nothing else'] as const),
  },
  {
    option: 'ek_templates',
    good: '["L-1", "H-3", "L-1"]',
    becomes: { ekTemplates: ['L-1', 'H-3'] },
    bad: ['[]', '["L-1", "l-2"]', '["H-5"]'].map(
      (list) => [list, 'must list templates of endorsement keys: L-1, L-2, H-1, H-2, H-3, H-4, H-6, H-7'] as const,
    ),
  },
  {
    option: 'allow_software_tpm',
    good: 'true',
    becomes: { bundles: [{ rules: { kinds: ['hardware', 'cloud', 'software'] } }] },
    bad: [['1', 'must be true or false without quotes, not a number']],
  },
  {
    option: 'manufacturers',
    good: '["ifx", "STMicroelectronics", "4e545a00", "id:ABCDEF01"]',
    becomes: { bundles: [{ rules: { manufacturers: ['49465800', '53544D20', '4E545A00', 'ABCDEF01'] } }] },
    bad: [
      ['[]', 'must not be empty, because no TPM would be admitted; leave it out to accept all'],
      [
        '["IFX", "Infinion", "4E545A"]',
        'names "Infinion", "4E545A", which tpm-attestor does not know; give its id of eight hexadecimal digits',
      ],
      ['["swtpm"]', 'names swtpm, whose TPMs are of kind software, which these rules do not accept'],
    ],
  },
  {
    option: 'models',
    good: '["SLB 96*", "NPCT75x"]',
    becomes: { bundles: [{ rules: { models: ['SLB 96*', 'NPCT75x'] } }] },
    bad: [
      ['[]', 'must not be empty, because no TPM would be admitted; leave it out to accept all'],
      ['[""]', 'must not be empty'],
    ],
  },
  {
    option: 'min_firmware',
    good: '"073f"',
    becomes: { bundles: [{ rules: { minFirmware: '073f' } }] },
    bad: ['"7"', '"id:7"', '"id:"', '"123456789"'].map(
      (text) => [text, 'must be two to eight hexadecimal digits'] as const,
    ),
  },
  ...(
    [
      ['allow_expired_ek', 'allowExpiredLeaf'],
      ['allow_not_yet_valid', 'allowNotYetValid'],
      ['allow_sha1_signatures', 'allowSha1'],
      ['allow_tpm12', 'allowTpm12'],
      ['allow_gce_profile', 'allowGceProfile'],
    ] as const
  ).map(([option, rule]) => ({
    option,
    good: 'true',
    becomes: { bundles: [{ rules: { [rule]: true } }] },
    bad: [['"yes"', 'must be true or false without quotes, not a string'] as const],
  })),
  {
    option: 'crl_policy',
    good: '"warn"',
    with: LISTS,
    becomes: { bundles: [{ rules: { crlPolicy: 'warn' } }] },
    bad: [['"closed"', 'must be one of "fail-closed", "warn", "off"']],
  },
  {
    option: 'allow_sha1_bank',
    good: 'true',
    with: 'pcrs = "sha1:0"',
    becomes: { allowSha1Bank: true, pcrs: [{ hash: TPM_ALG.SHA1, bank: 'sha1', indices: [0] }] },
    bad: [['"true"', 'must be true or false without quotes, not a string']],
  },
  {
    option: 'boot_logs',
    good: '["userspace", "firmware"]',
    becomes: { logs: ['userspace', 'firmware'] },
    bad: ['["ima"]', '["firmware", "firmware"]'].map(
      (text) => [text, 'must list "firmware" or "userspace", each once, and nothing else'] as const,
    ),
  },
  {
    option: 'wire',
    good: '"spire-tpm-plugin"',
    becomes: { wire: 'spire-tpm-plugin' },
    bad: [['"spire"', 'must be "tpm-attestor" or "spire-tpm-plugin", not "spire"']],
  },
  {
    option: 'max_concurrent',
    good: '10000',
    becomes: { maxConcurrent: 10_000 },
    bad: ['0', '10001'].map((text) => [text, 'must be 1 to 10000'] as const),
  },
  {
    option: 'attest_timeout',
    good: '"10m"',
    becomes: { attestTimeoutMs: 600_000 },
    bad: ['"999ms"', '"601s"'].map((text) => [text, 'must be 1000 ms to 600000 ms'] as const),
  },
  {
    option: 'max_message_bytes',
    good: '4096',
    becomes: { maxMessageBytes: 4096 },
    bad: ['4095', '4194305'].map((text) => [text, 'must be 4096 to 4194304'] as const),
  },
  {
    option: 'public_key_steps',
    good: '"native"',
    becomes: { stepsAddon: { path: undefined, sha256: undefined } },
    bad: [['"openssl"', 'must be one of "node", "native"']],
  },
  {
    option: 'addon_path',
    good: '"/opt/public_key_steps.node"',
    with: NATIVE,
    becomes: { stepsAddon: { path: '/opt/public_key_steps.node' } },
    bad: [['7', 'must be a string in quotes, not a number']],
  },
  {
    option: 'addon_sha256',
    good: `"${'0a'.repeat(32)}"`,
    with: NATIVE,
    becomes: { stepsAddon: { sha256: '0a'.repeat(32) } },
    bad: [['"0A"', 'must be 64 lower-case hexadecimal digits']],
  },
];

/** `ca_path` beside it, unless it is what is asked about. */
const beside = (option: string): string => (option === 'ca_path' ? '' : CAS);

test('every option has a row, in the order of the code', () => {
  expect(ROWS.map(({ option }) => option)).toEqual(Object.keys(SERVER_OPTIONS));
});

test.each(ROWS)(
  '$option = $good is accepted, and is not what it is by default',
  ({ option, good, becomes, ...row }) => {
    const others = option === 'crl_path' ? beside(option) : `${beside(option)}\n${row.with ?? ''}`;
    const read = settings(`${others}\n${option} = ${good}`);
    expect(read).toMatchObject(becomes);
    const byDefault = option === 'ca_path' ? LIST : option === 'allow_sha1_bank' ? CAS : others;
    expect(settings(byDefault)).not.toMatchObject(becomes);
  },
);

test.each(ROWS.flatMap(({ option, bad }) => bad.map(([value, problem]) => ({ option, value, problem }))))(
  '$option = $value is refused in one sentence',
  ({ option, value, problem }) => {
    const line = problem.startsWith('names swtpm') ? '' : 'line 2: ';
    expect(problems(`${beside(option)}\n${option} = ${value}`)).toEqual([`${line}"${option}" ${problem}`]);
  },
);

test('without a word all is strict, and what admits follows from what is given', () => {
  expect(settings(CAS)).toEqual({
    trustDomain: 'example.org',
    pluginName: 'tpm',
    mode: 'certificate',
    bundles: [
      {
        name: 'ca_path',
        caPath: 'cas',
        rules: {
          kinds: ['hardware', 'cloud'],
          manufacturers: undefined,
          models: undefined,
          minFirmware: undefined,
          allowExpiredLeaf: false,
          allowNotYetValid: false,
          allowSha1: false,
          allowTpm12: false,
          allowGceProfile: false,
          crlPolicy: 'off',
        },
      },
    ],
    hashPath: undefined,
    denyPath: undefined,
    crlPath: undefined,
    enforce: true,
    pcrs: [{ hash: TPM_ALG.SHA256, bank: 'sha256', indices: ids }],
    ekTemplates: ['L-1'],
    allowSha1Bank: false,
    logs: [],
    wire: 'tpm-attestor',
    maxConcurrent: 256,
    attestTimeoutMs: 60_000,
    maxMessageBytes: 262_144,
    stepsAddon: undefined,
    warnings: [expect.stringMatching(/^the server admits every TPM that the CAs ever certified/)],
  });
});

const BUNDLE = 'bundle "b" { ca_path = "b" }';

test.each([
  [LIST, 'hash'],
  [CAS, 'certificate'],
  [BUNDLE, 'certificate'],
  [`${CAS}\n${LIST}`, 'either'],
  [`${BUNDLE}\n${LIST}`, 'either'],
  [`${LIST}\nmode = "hash"`, 'hash'],
  [`${CAS}\nmode = "certificate"`, 'certificate'],
  [`${CAS}\n${LIST}\nmode = "either"`, 'either'],
  [`${BUNDLE}\n${LIST}\nmode = "both"`, 'both'],
])('%j is mode %s', (hcl, mode) => {
  expect(settings(hcl).mode).toBe(mode);
});

const asksNone = 'which uses no CA, but ca_path or a bundle is set; remove it, or choose another mode';
const asksNoList = 'which uses no list, but hash_path is set; remove it, or choose another mode';
const needsCas = 'which needs ca_path or a bundle';
const needsList = 'which needs hash_path';

test.each<[string, readonly string[]]>([
  ['', ['"ca_path" is missing, and so are bundles and hash_path: set at least one of them to say which TPMs to admit']],
  [
    'mode = "both"',
    ['"ca_path" is missing, and so are bundles and hash_path: set at least one of them to say which TPMs to admit'],
  ],
  [`${LIST}\nmode = "both"`, [`"mode" is "both", ${needsCas}`]],
  [`${LIST}\nmode = "either"`, [`"mode" is "either", ${needsCas}`]],
  [`${LIST}\nmode = "certificate"`, [`"mode" is "certificate", ${needsCas}`, `"mode" is "certificate", ${asksNoList}`]],
  [`${CAS}\nmode = "both"`, [`"mode" is "both", ${needsList}`]],
  [`${BUNDLE}\nmode = "either"`, [`"mode" is "either", ${needsList}`]],
  [`${CAS}\nmode = "hash"`, [`"mode" is "hash", ${needsList}`, `"mode" is "hash", ${asksNone}`]],
  [`${BUNDLE}\n${LIST}\nmode = "hash"`, [`"mode" is "hash", ${asksNone}`]],
  [`${CAS}\n${LIST}\nmode = "certificate"`, [`"mode" is "certificate", ${asksNoList}`]],
  [`${CAS}\ncrl_policy = "warn"`, ['"crl_policy" needs revocation lists; set crl_path']],
  ['bundle "b" {\nca_path = "b"\ncrl_policy = "warn"\n}', ['"crl_policy" needs revocation lists; set crl_path']],
  [`${LIST}\n${LISTS}`, ['"crl_path" is set, but no crl_policy uses it; remove it, or set crl_policy']],
  [
    `${CAS}\n${LISTS}\ncrl_policy = "off"`,
    ['"crl_path" is set, but no crl_policy uses it; remove it, or set crl_policy'],
  ],
  [
    `${BUNDLE}\nallow_tpm12 = true`,
    ['"allow_tpm12" is a rule for the CAs of ca_path, which is not set; put the rule into a bundle'],
  ],
  [
    `${BUNDLE}\nmanufacturers = ["IFX"]`,
    ['"manufacturers" is a rule for the CAs of ca_path, which is not set; put the rule into a bundle'],
  ],
  [
    `${CAS}\nwire = "spire-tpm-plugin"\nek_algorithms = ["ecc"]`,
    ['"wire" is "spire-tpm-plugin", which needs RSA endorsement keys; add "rsa" to ek_algorithms'],
  ],
  [
    `${CAS}\nwire = "spire-tpm-plugin"\nek_templates = ["H-1"]`,
    ['"wire" is "spire-tpm-plugin", which needs endorsement keys of template L-1; add "L-1" to ek_templates'],
  ],
  [
    `${CAS}\nek_algorithms = ["rsa"]\nek_templates = ["L-1", "H-3"]`,
    ['"ek_templates" names H-3, of kind "ecc", which ek_algorithms does not list'],
  ],
  [
    `${CAS}\nek_algorithms = ["rsa", "ecc"]\nek_templates = ["L-1", "H-1"]`,
    ['"ek_templates" names no template of kind "ecc", which ek_algorithms lists'],
  ],
  [
    `${CAS}\naddon_path = "/x"`,
    ['"addon_path" is set, but no addon is used; remove it, or set public_key_steps = "native"'],
  ],
  [`${CAS}\npcrs = "sha256:0 sha1:0"`, ['"pcrs" names a SHA-1 bank, which needs allow_sha1_bank = true']],
  [
    `${CAS}\nmanufacturers = ["swtpm"]`,
    ['"manufacturers" names swtpm, whose TPMs are of kind software, which these rules do not accept'],
  ],
])('%j does not fit together', (hcl, said) => {
  expect(problems(hcl)).toEqual(said);
});

test.each([
  `${CAS}\nmanufacturers = ["swtpm"]\nallow_software_tpm = true`,
  `${CAS}\n${BUNDLE}\nallow_tpm12 = true`,
  // For bundles without a word of their own.
  `${BUNDLE}\n${LISTS}\ncrl_policy = "warn"`,
  `${CAS}\n${LISTS}\ncrl_policy = "off"\nbundle "b" {\nca_path = "b"\ncrl_policy = "warn"\n}`,
  `${CAS}\nwire = "spire-tpm-plugin"\nek_algorithms = ["ecc", "rsa"]`,
  `${CAS}\nek_templates = ["H-3"]`,
  `${CAS}\nek_algorithms = ["ecc"]\nek_templates = ["H-3", "L-2"]`,
  `${LIST}\nenforce = false`,
])('%j fits', (hcl) => {
  expect(problems(hcl)).toEqual([]);
});

test('all that does not fit is told at once, but only of options that are sound each', () => {
  const hcl = `${CAS}\nmode = "both"\npcrs = "sha1:0"\ncrl_policy = "warn"`;
  expect(problems(hcl)).toHaveLength(3);
  expect(problems(`${hcl}\nca_pth = "x"\nbundle "b" {}`)).toEqual([
    'line 5: "ca_pth" is not an option; did you mean "ca_path"?',
    'line 6: bundle "b": "ca_path" is required',
  ]);
  expect(problems(`${CAS}\nbundel "b" { ca_path = "b" }`)).toEqual([
    'line 2: "bundel" is not an option; did you mean "bundle"?',
  ]);
});

const EVERY_TPM = /^the server admits every TPM/;

test.each<[string, readonly RegExp[]]>([
  [LIST, []],
  [CAS, [EVERY_TPM]],
  [`${CAS}\n${LIST}`, [EVERY_TPM]],
  [`${CAS}\n${LIST}\nmode = "both"`, []],
  [
    `${CAS}\nenforce = false`,
    [
      /^enforce is false: findings about an endorsement key are only logged, and every TPM that proves its key is admitted$/,
    ],
  ],
  [
    `${CAS}\nallow_software_tpm = true`,
    [/^allow_software_tpm: software TPMs, which anybody can copy, are admitted/, EVERY_TPM],
  ],
  [`${CAS}\nallow_expired_ek = true`, [/^allow_expired_ek: expired endorsement certificates are admitted$/, EVERY_TPM]],
  [
    `${CAS}\nallow_not_yet_valid = true`,
    [/^allow_not_yet_valid: certificates are admitted before they are valid$/, EVERY_TPM],
  ],
  [`${CAS}\nallow_sha1_signatures = true`, [/^allow_sha1_signatures: .* can be forged, are admitted$/, EVERY_TPM]],
  [`${CAS}\nallow_tpm12 = true`, [/^allow_tpm12: certificates for TPM 1\.2 are admitted$/, EVERY_TPM]],
  [
    `${CAS}\nallow_gce_profile = true`,
    [/^allow_gce_profile: .* name a Google machine instead of a TPM are admitted$/, EVERY_TPM],
  ],
  [`${LIST}\nallow_sha1_bank = true`, [/^allow_sha1_bank: SHA-1 PCR banks may be quoted$/]],
  [`${LIST}\nwire = "spire-tpm-plugin"`, [/^wire: the server accepts agents of spire-tpm-plugin without a quote/]],
  [
    `${CAS}\nbundle "lab" {\nca_path = "b"\nkind = "software"\nallow_tpm12 = true\n}`,
    [
      /^bundle "lab": kind: software TPMs, which anybody can copy, are admitted/,
      /^bundle "lab": allow_tpm12: /,
      EVERY_TPM,
    ],
  ],
])('%j is warned of as it admits more than the rule', (hcl, warnings) => {
  const found = settings(hcl).warnings;
  expect(found).toHaveLength(warnings.length);
  for (const [i, warning] of warnings.entries()) expect(found[i]).toMatch(warning);
});
