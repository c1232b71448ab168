import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { parseHcl } from '../../src/spire/config/hcl.ts';
import {
  HCL_MAX_CHARS,
  HCL_MAX_DEPTH,
  type HclBody,
  type HclError,
  type HclValue,
} from '../../src/spire/config/hcl-body.ts';

const reference = createRequire(import.meta.url)('js-hcl-parser') as { parse(text: string): string };

/** The shape the reference parser prints: blocks and objects as lists, labels as nested objects. */
function asReference(body: HclBody): Record<string, unknown> {
  const result: Record<string, unknown> = Object.create(null);
  for (const { key, labels, value } of body.entries) {
    let inner = referenceValue(value);
    for (const label of labels.toReversed()) inner = [{ [label]: inner }];
    const before = result[key];
    result[key] = Array.isArray(before) && Array.isArray(inner) ? [...before, ...inner] : inner;
  }
  return result;
}

function referenceValue(value: HclValue): unknown {
  if (value.kind === 'list') return value.items.map(plain);
  if (value.kind === 'object') return [asReference(value.body)];
  return value.value;
}

function plain(value: HclValue): unknown {
  if (value.kind === 'list') return value.items.map(plain);
  if (value.kind === 'object') return asReference(value.body);
  return value.value;
}

/** The same without the reference's lists around objects. */
function simple(text: string): unknown {
  const body = (of: HclBody): unknown => of.entries.map((e) => [e.key, ...e.labels, value(e.value)]);
  const value = (of: HclValue): unknown =>
    of.kind === 'list' ? of.items.map(value) : of.kind === 'object' ? { body: body(of.body) } : of.value;
  return body(parseHcl(text));
}

function failure(text: string): HclError {
  try {
    parseHcl(text);
  } catch (error) {
    return error as HclError;
  }
  throw new Error(`accepted: ${text}`);
}

const INTERPOLATION = ['$', '{foo("x")}'].join('');

describe('HCL text', () => {
  it.each([
    ['', []],
    [' \n\t# only a comment', []],
    [
      'a = 1 b = "x"',
      [
        ['a', 1],
        ['b', 'x'],
      ],
    ],
    [
      'a = 1, b = 2,',
      [
        ['a', 1],
        ['b', 2],
      ],
    ],
    ['"quoted key" = true', [['quoted key', true]]],
    ['a-b.c_d = false', [['a-b.c_d', false]]],
    ['größe = 1', [['größe', 1]]],
    [
      'a = -3 b = 0x1F c = -0.5e2 d = 010 e = 0',
      [
        ['a', -3],
        ['b', 31],
        ['c', -50],
        ['d', 8],
        ['e', 0],
      ],
    ],
    ['a = ["x", 1, true, ["y"], { b = 2 },]', [['a', ['x', 1, true, ['y'], { body: [['b', 2]] }]]]],
    ['a = []', [['a', []]]],
    ['a {}', [['a', { body: [] }]]],
    ['a = { b = 1 }', [['a', { body: [['b', 1]] }]]],
    ['a "l1" "l2" { b = 1 }', [['a', 'l1', 'l2', { body: [['b', 1]] }]]],
    [
      'r { a = 1 } r { a = 2 }',
      [
        ['r', { body: [['a', 1]] }],
        ['r', { body: [['a', 2]] }],
      ],
    ],
    ['// one\na /* two */ = /* three\n */ 1 # four', [['a', 1]]],
    ['a = "\\n\\t\\"\\\\\\u00e9\\U0001F600\\x41\\101"', [['a', '\n\t"\\é😀AA']]],
    [`a = "${INTERPOLATION}"`, [['a', INTERPOLATION]]],
    [
      'a = <<EOF\none\n two\nEOF\nb = 1',
      [
        ['a', 'one\n two\n'],
        ['b', 1],
      ],
    ],
    ['a = <<EOF\nEOF', [['a', '']]],
    ['a = <<-EOF\n    one\n      two\n    EOF\n', [['a', 'one\n  two\n']]],
    ['a = <<-EOF\n one\n    EOF\n', [['a', ' one\n']]],
    [
      'a = <<X\r\none\r\nX\r\nb = 1\r\n',
      [
        ['a', 'one\n'],
        ['b', 1],
      ],
    ],
    ['a = ["x", <<EOF\nb\nEOF\n, "y"]', [['a', ['x', 'b\n', 'y']]]],
    ['\ufeffa = 1', [['a', 1]]],
    [
      '__proto__ = 1 constructor = 2',
      [
        ['__proto__', 1],
        ['constructor', 2],
      ],
    ],
  ])('reads %j', (text, expected) => {
    expect(simple(text)).toEqual(expected);
  });

  it.each([
    ['ca_path =', 1, 1, /"ca_path" has no value/],
    ['ca_path =\nhash_path = "x"', 2, 1, /"ca_path" has no value/],
    ['ca_path =\n"hash_path" = "x"', 1, 1, /"ca_path" has no value/],
    ['b { ca_path = }', 1, 5, /"ca_path" has no value/],
    ['a = 1\na = 2', 2, 1, /"a" was already given in line 1/],
    ['a = 1\na { }', 2, 1, /"a" was already given in line 1/],
    ['a { }\na = { }', 2, 1, /"a" was already given in line 1/],
    ['a { b = 1\nb = 2 }', 2, 1, /"b" was already given in line 1/],
    ['a = yes', 1, 5, /"a" has no value/],
    ['a', 1, 2, /"a" must be followed by = or {/],
    ['a 1', 1, 3, /"a" must be followed by = or {/],
    ['a "b" = 1', 1, 7, /block/],
    ['a = 1 }', 1, 7, /unexpected "}"/],
    ['a = 1 2', 1, 7, /unexpected the number 2/],
    ['= 1', 1, 1, /unexpected "="/],
    ['a {\nb = 1', 1, 3, /block without closing }/],
    ['a = [1,\n2', 1, 5, /list without closing/],
    ['a = [1 2]', 1, 8, /expected , or \]/],
    ['a = [,]', 1, 6, /no value/],
    ['a = "x', 1, 5, /without closing quote/],
    ['a = "x\n"', 1, 5, /without closing quote/],
    ['a = "${x"', 1, 5, /without closing quote/],
    ['a = "\\q"', 1, 6, /escape/],
    ['a = "\\ud800"', 1, 6, /escape/],
    ['a = "\\xff"', 1, 6, /escape/],
    ['a = 08', 1, 5, /not a number/],
    ['a = 1.', 1, 5, /not a number/],
    ['a = 1x', 1, 5, /not a number/],
    ['a = -', 1, 5, /not a number/],
    ['a = 1e999', 1, 5, /too large/],
    ['a = <<EOF\nx', 1, 5, /here-document/],
    ['a = <<EOF x\nEOF', 1, 5, /here-document/],
    ['a = < 1', 1, 5, /here-document/],
    ['/* x', 1, 1, /comment/],
    ['a / b', 1, 3, /unexpected/],
    ['a = 1;', 1, 6, /not|unexpected/],
    ['a = 1\n  @', 2, 3, /unexpected character "@"/],
  ])('refuses %j and names the place', (text, line, column, message) => {
    const error = failure(text);
    expect(error).toMatchObject({ code: 'ERR_HCL', line, column });
    expect(error.message).toMatch(message);
    expect(error.message).toContain(`line ${line}, column ${column}`);
  });

  it('gives the line of every node', () => {
    const { entries } = parseHcl('# one\na = 1\nb {\n  c = [\n    "x",\n    "y"]\n}\nd = <<E\n\n\nE\ne = 2');
    expect(entries.map((entry) => entry.line)).toEqual([2, 3, 8, 12]);
    const block = entries[1]?.value as HclValue & { kind: 'object' };
    const list = block.body.entries[0]?.value as HclValue & { kind: 'list' };
    expect([block.line, list.line, ...list.items.map((item) => item.line)]).toEqual([3, 4, 5, 6]);
  });

  it('keeps the text of a number', () => {
    expect(parseHcl('a = 0xffffffffffffffff').entries[0]?.value).toMatchObject({ text: '0xffffffffffffffff' });
  });
});

describe('JSON text', () => {
  it.each([
    ['{}', []],
    [
      ' \n{"a": "x", "b": [1, -2.5e1, true, false, []], "c": {"d": {}}}\n',
      [
        ['a', 'x'],
        ['b', [1, -25, true, false, []]],
        ['c', { body: [['d', { body: [] }]] }],
      ],
    ],
    ['{"a": "\\u00e9\\n\\"\\/"}', [['a', 'é\n"/']]],
    ['{"__proto__": {"__proto__": 1}}', [['__proto__', { body: [['__proto__', 1]] }]]],
  ])('reads %j', (text, expected) => {
    expect(simple(text)).toEqual(expected);
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });

  it.each([
    ['{"a": 1,\n "a": 2}', 2, 2, /already given in line 1/],
    ['{"a": 1,\n "\\u0061": 2}', 2, 2, /already given in line 1/],
    ['{"a": null}', 1, 7, /null/],
    ['{"a": 1,}', 1, 9, /quoted key/],
    ['{"a": [1,]}', 1, 10, /expected a value/],
    ['{"a" 1}', 1, 6, /expected :/],
    ['{"a": 1} x', 1, 10, /after the closing/],
    ['{"a": 1}\n{}', 2, 1, /after the closing/],
    ['{"a": 01}', 1, 7, /expected a value/],
    ['{"a": 0x1}', 1, 7, /expected a value/],
    ['{"a": 1e999}', 1, 7, /too large/],
    ['{"a": "x', 1, 7, /closing quote/],
    ['{"a": "\\q"}', 1, 7, /escape/],
    ['{"a": "\t"}', 1, 7, /control/],
    ['{"a": tru}', 1, 7, /expected a value/],
    ['{a: 1}', 1, 2, /quoted key/],
    ['{', 1, 2, /quoted key/],
    ['{"a": 1', 1, 8, /expected ,/],
    ['{"a": // c\n1}', 1, 7, /expected a value/],
  ])('refuses %j and names the place', (text, line, column, message) => {
    const error = failure(text);
    expect(error).toMatchObject({ code: 'ERR_HCL', line, column });
    expect(error.message).toMatch(message);
  });

  it('agrees with JSON.parse on what is JSON', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4, noUnicodeString: false } as object)),
        (object) => {
          const text = JSON.stringify(object);
          fc.pre(!text.includes('null'));
          const value = (of: HclValue): unknown =>
            of.kind === 'list'
              ? of.items.map(value)
              : of.kind === 'object'
                ? Object.fromEntries(of.body.entries.map((entry) => [entry.key, value(entry.value)]))
                : of.value;
          const read = Object.fromEntries(parseHcl(text).entries.map((entry) => [entry.key, value(entry.value)]));
          expect(read).toEqual(JSON.parse(text));
        },
      ),
    );
  });
});

describe('limits', () => {
  it('refuses nesting that could exhaust the stack, in blocks, lists and JSON', () => {
    const deep = HCL_MAX_DEPTH + 1;
    for (const text of [
      `${'a {'.repeat(deep)}${'}'.repeat(deep)}`,
      `a = ${'['.repeat(100_000)}`,
      `{"a":${'['.repeat(100_000)}`,
      '{"a":'.repeat(100_000),
    ]) {
      expect(failure(text).message).toMatch(/nested deeper/);
    }
    parseHcl(`${'a {'.repeat(deep - 1)}${'}'.repeat(deep - 1)}`);
  });

  it('refuses a text longer than the limit', () => {
    expect(failure(' '.repeat(HCL_MAX_CHARS + 1)).message).toMatch(/longer/);
    expect(parseHcl(' '.repeat(HCL_MAX_CHARS)).entries).toEqual([]);
  });

  // Twice the text, twice the work: any of these would need minutes if a pass over the text were repeated per token.
  it.each([
    ['keys', (n: number) => Array.from({ length: n / 8 }, (_, i) => `k${i}=1`).join('\n')],
    ['blanks', (n: number) => ' '.repeat(n)],
    ['here-documents', (n: number) => Array.from({ length: n / 24 }, (_, i) => `k${i}=<<E\nE`).join('\n')],
    ['a here-document that never ends', (n: number) => `a = <<E\n${' E x\n'.repeat(n / 6)}`],
    ['escapes', (n: number) => `a = "${'\\n'.repeat(n / 3)}"`],
    ['an open string', (n: number) => `a = "${'x'.repeat(n)}`],
    ['open comments', (n: number) => `/*${'/*'.repeat(n / 3)}`],
    ['JSON lines', (n: number) => `{${Array.from({ length: n / 12 }, (_, i) => `"k${i}":\n1`).join(',\n')}}`],
  ])('reads the longest text of %s without repeated passes', (_name, make) => {
    const text = make(HCL_MAX_CHARS - 64).slice(0, HCL_MAX_CHARS);
    try {
      parseHcl(text);
    } catch (error) {
      expect((error as HclError).code).toBe('ERR_HCL');
    }
  });
});

it('searches a line of JSON for its end no more than once, however many values are on it', () => {
  const search = vi.spyOn(String.prototype, 'indexOf');
  const text = `{"a":[${'1,'.repeat(1000)}1]}`;
  parseHcl(text);
  const searched = search.mock.calls.map(([, from = 0], i) => {
    const { value } = search.mock.results[i] ?? {};
    return (value < 0 ? text.length : value) - from;
  });
  search.mockRestore();
  expect(searched.reduce((sum, chars) => sum + chars, 0)).toBeLessThan(2 * text.length);
});

// Printed bodies: what SPIRE's printer and people write.
const key = fc.oneof(
  fc.stringMatching(/^[a-z_][a-z0-9_.-]{0,12}$/).filter((text) => text !== 'true' && text !== 'false'),
  fc.constant('__proto__'),
);
const text = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((value) => !value.includes('${'));
const quote = (value: string): string => `"${value.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')}"`;
const comment = fc.constantFrom('', ' ', '\n', '\t# note\n', ' // note = "x"\n', ' /* a\n b */ ');

interface Printed {
  readonly text: string;
  readonly expected: unknown;
}

const literal: fc.Arbitrary<Printed> = fc.oneof(
  text.filter((value) => !/\p{Cc}/u.test(value)).map((value) => ({ text: quote(value), expected: value })),
  fc.integer({ min: -1_000_000, max: 1_000_000 }).map((value) => ({ text: String(value), expected: value })),
  fc.integer({ min: 0, max: 0xffff }).map((value) => ({ text: `0x${value.toString(16)}`, expected: value })),
  fc.integer({ min: -999, max: 999 }).map((value) => ({ text: `${value}.25`, expected: Number(`${value}.25`) })),
  fc.boolean().map((value) => ({ text: String(value), expected: value })),
  fc
    .array(fc.stringMatching(/^[ a-zA-Z0-9"{}#=\\]{0,10}$/), { maxLength: 3 })
    .map((lines) => lines.filter((line) => line.trim() !== 'EOT'))
    .map((lines) => ({
      text: `<<EOT\n${lines.map((l) => `${l}\n`).join('')}EOT\n`,
      expected: lines.map((l) => `${l}\n`).join(''),
    })),
);

const { body: printedBody } = fc.letrec<{ value: Printed; body: Printed; entry: Printed }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    literal,
    fc.array(literal, { maxLength: 3 }).map((items) => ({
      text: `[${items.map((item) => item.text).join(', ')}]`,
      expected: items.map((item) => item.expected),
    })),
    tie('body').map((inner) => ({ text: `{\n${inner.text}\n}`, expected: { body: inner.expected } })),
  ),
  entry: fc.oneof(
    fc.tuple(key, comment, tie('value'), comment).map(([name, before, value, after]) => ({
      text: `${before}${name} =${before.includes('\n') ? ' ' : before} ${value.text}${after}`,
      expected: [name, value.expected],
    })),
    fc.tuple(key, fc.array(key, { maxLength: 2 }), tie('body')).map(([name, labels, inner]) => ({
      text: `${[name, ...labels.map(quote)].join(' ')} {\n${inner.text}\n}`,
      expected: [name, ...labels, { body: inner.expected }],
    })),
  ),
  body: fc
    .uniqueArray(tie('entry'), { maxLength: 4, selector: (entry) => (entry.expected as string[])[0] })
    .map((entries) => ({
      text: entries.map((entry) => entry.text).join('\n'),
      expected: entries.map((entry) => entry.expected),
    })),
}));

describe('any text', () => {
  it('reads back what was printed', () => {
    fc.assert(
      fc.property(printedBody, (printed) => {
        expect(simple(printed.text)).toEqual(printed.expected);
      }),
    );
  });

  it('agrees with the reference parser on what was printed', () => {
    fc.assert(
      fc.property(printedBody, (printed) => {
        const ours = JSON.parse(JSON.stringify(asReference(parseHcl(printed.text))));
        expect(ours).toEqual(JSON.parse(reference.parse(`${printed.text}\n`)));
      }),
    );
  });

  it('is a body or an HclError with a place inside the text', () => {
    const piece = fc.constantFrom(
      ...[
        'a',
        'b',
        '"c"',
        '=',
        '{',
        '}',
        '[',
        ']',
        ',',
        '1',
        '-',
        '0x',
        '.5',
        '"',
        '\\',
        '${',
        '<<',
        '<<-E\n',
        'E\n',
        '\n',
      ],
      ...[' ', '#', '//', '/*', '*/', 'true', 'null', ':', '\r\n', '\u0000', '😀', '\ud800', '\ufeff', '{"a":', '"}'],
    );
    const soup = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(fc.oneof(soup, fc.string({ unit: 'binary', maxLength: 60 })), (any) => {
        let error: HclError | undefined;
        try {
          parseHcl(any);
        } catch (caught) {
          error = caught as HclError;
        }
        if (error === undefined) return;
        expect(error.code).toBe('ERR_HCL');
        expect(error.line).toBeGreaterThan(0);
        expect(error.line).toBeLessThanOrEqual(any.split('\n').length);
        expect(error.column).toBeGreaterThan(0);
      }),
      { numRuns: 2000 },
    );
  });
});
