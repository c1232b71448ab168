import { describe, expect, expectTypeOf, it } from 'vitest';
import { parseHcl } from '../../src/spire/config/hcl.ts';
import { describeProblem, optionTable, readOptions } from '../../src/spire/config/options.ts';

const table = optionTable({
  plugin_name: { type: 'string', default: 'tpm', check: (name) => (/^[a-z]+$/.test(name) ? undefined : 'is odd') },
  ca_path: { type: 'string' },
  key_file: { type: 'string', required: true },
  ek_algorithms: { type: 'string list', default: ['rsa'] },
  allow_expired_ek: { type: 'boolean', default: false },
  max_concurrent: { type: 'integer', default: 64, check: (n) => (n > 0 ? undefined : 'must be above 0') },
  attest_timeout: { type: 'duration', default: 60_000 },
  token_age: { type: 'duration', secret: true },
});

function read(text: string): ReturnType<typeof readOptions<typeof table>> {
  return readOptions(table, parseHcl(text));
}

function problems(text: string): string[] {
  const result = read(`key_file = "k"\n${text}`);
  return result.ok ? [] : result.problems.map(describeProblem);
}

describe('options', () => {
  it('fills in the defaults and leaves the rest undefined', () => {
    expect(read('key_file = "k"')).toEqual({
      ok: true,
      options: {
        plugin_name: 'tpm',
        ca_path: undefined,
        key_file: 'k',
        ek_algorithms: ['rsa'],
        allow_expired_ek: false,
        max_concurrent: 64,
        attest_timeout: 60_000,
        token_age: undefined,
      },
    });
  });

  it('takes values from HCL and from JSON alike', () => {
    const hcl = read(
      'key_file = "k" ek_algorithms = ["rsa", "ecc"] allow_expired_ek = true max_concurrent = 0x10 attest_timeout = "1m30s"',
    );
    const json = read(
      '{"key_file": "k", "ek_algorithms": ["rsa", "ecc"], "allow_expired_ek": true, "max_concurrent": 16, "attest_timeout": "90s"}',
    );
    expect(hcl).toEqual(json);
    expect(hcl).toMatchObject({ ok: true, options: { max_concurrent: 16, attest_timeout: 90_000 } });
  });

  it('has the types the table says', () => {
    const result = read('key_file = "k"');
    if (!result.ok) throw new Error('refused');
    expectTypeOf(result.options.plugin_name).toEqualTypeOf<string>();
    expectTypeOf(result.options.ca_path).toEqualTypeOf<string | undefined>();
    expectTypeOf(result.options.key_file).toEqualTypeOf<string>();
    expectTypeOf(result.options.ek_algorithms).toEqualTypeOf<readonly string[]>();
    expectTypeOf(result.options.allow_expired_ek).toEqualTypeOf<boolean>();
    expectTypeOf(result.options.token_age).toEqualTypeOf<number | undefined>();
  });

  it.each([
    ['ca_pth = "x"', 'line 2: "ca_pth" is not an option; did you mean "ca_path"?'],
    ['CA_PATH = "x"', 'line 2: "CA_PATH" is not an option; did you mean "ca_path"?'],
    [
      'plugin_data { ca_path = "x" }',
      /^line 2: "plugin_data" belongs to SPIRE's own configuration: a plugin_data_file has only the contents of/,
    ],
    ['zzzzzzzz = 1', /^line 2: "zzzzzzzz" is not an option; the options are plugin_name, ca_path/],
    ['__proto__ = 1', /^line 2: "__proto__" is not an option/],
    ['constructor = 1', /^line 2: "constructor" is not an option/],
    ['ca_path {}\nca_path {}', /line 3: "ca_path" was already given in line 2/],
    ['ca_path = ["x"]', 'line 2: "ca_path" must be a string in quotes, not a list'],
    ['ca_path = ""', 'line 2: "ca_path" must not be empty'],
    ['ca_path = " "', 'line 2: "ca_path" must not be empty'],
    ['ca_path = "a\\x00"', 'line 2: "ca_path" must not contain a NUL character'],
    ['ek_algorithms = "rsa"', /must be a list such as/],
    ['ek_algorithms = ["rsa", 1]', 'line 2: "ek_algorithms" must be a list of strings, but holds a number'],
    ['ek_algorithms = [""]', 'line 2: "ek_algorithms" must not be empty'],
    ['allow_expired_ek = "true"', /must be true or false without quotes, not a string/],
    ['allow_expired_ek = 1', /not a number/],
    ['max_concurrent = "1"', /must be a whole number without quotes, not a string/],
    ['max_concurrent = 1.5', /must be a whole number/],
    ['max_concurrent = 9007199254740993', /must be a whole number/],
    ['max_concurrent = 0', 'line 2: "max_concurrent" must be above 0'],
    ['attest_timeout = 60', /must be a duration such as "90s", not a number/],
    ['attest_timeout = "60"', /not "60"/],
    ['attest_timeout = "1s1m"', /duration/],
    ['attest_timeout = "-1s"', /duration/],
    ['plugin_name = "A"', 'line 2: "plugin_name" is odd'],
  ])('refuses %j', (text, message) => {
    expect(problems(text).join('\n')).toMatch(message);
  });

  it('reports every problem at once, and the missing option without a line', () => {
    const result = read('ca_pth = "x"\nmax_concurrent = "x"');
    expect(result.ok ? [] : result.problems.map((problem) => [problem.line, problem.option])).toEqual([
      [1, 'ca_pth'],
      [2, 'max_concurrent'],
      [0, 'key_file'],
    ]);
  });

  it('does not repeat the value of a secret', () => {
    expect(problems('token_age = "hunter2"').join()).not.toContain('hunter2');
    expect(problems('attest_timeout = "hunter2"').join()).toContain('hunter2');
  });
});
