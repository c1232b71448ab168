import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MalformedError } from '../../src/bytes/malformed.ts';
import { evidenceFromJson, evidenceToJson } from '../../src/evidence/json.ts';
import { FIELD_LIMITS } from '../../src/evidence/limits.ts';
import type { Evidence } from '../../src/evidence/messages.ts';
import { challenges, payloads, responses } from '../support/evidence.ts';
import { unhex } from '../support/vectors.ts';

const EVIDENCE: Evidence = {
  payload: {
    versions: [1],
    trustDomain: 'example.org',
    ekPublic: unhex('aabb'),
    ekCertificates: [unhex('cc')],
    akPublic: unhex('fbff'),
    pcrBanks: [11, 12],
  },
  challenge: undefined,
  response: { secret: unhex(''), quoted: unhex('01'), signature: unhex('0203'), pcrValues: [] },
};
const TEXT = `{
  "payload": {
    "versions": [
      1
    ],
    "trustDomain": "example.org",
    "ekPublic": "qrs=",
    "ekCertificates": [
      "zA=="
    ],
    "akPublic": "+/8=",
    "pcrBanks": [
      11,
      12
    ]
  },
  "response": {
    "secret": "",
    "quoted": "AQ==",
    "signature": "AgM=",
    "pcrValues": []
  }
}
`;

test('evidence has the text written down here', () => {
  expect(evidenceToJson(EVIDENCE)).toBe(TEXT);
  expect(evidenceFromJson(TEXT)).toEqual(EVIDENCE);
});

test('evidence comes back from its text as it was, with any of its messages', () => {
  const some = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });
  fc.assert(
    fc.property(
      fc.record({ payload: some(payloads), challenge: some(challenges), response: some(responses) }),
      (evidence) => {
        expect(evidenceFromJson(evidenceToJson(evidence))).toEqual(evidence);
      },
    ),
    { numRuns: 50 },
  );
});

test('white space and escapes are free', () => {
  expect(evidenceFromJson(JSON.stringify(JSON.parse(TEXT)))).toEqual(EVIDENCE);
  expect(evidenceFromJson(`\n\t ${TEXT.replaceAll('/', '\\/').replace('example', '\\u0065xample')} `)).toEqual(
    EVIDENCE,
  );
  expect(evidenceFromJson('{}')).toEqual({ payload: undefined, challenge: undefined, response: undefined });
});

test('text in a value that looks like structure is text', () => {
  const trustDomain = '{"a":1,"a":[[[[ \\" \\\\';
  const evidence: Evidence = { ...EVIDENCE, payload: { ...payloadOf(EVIDENCE), trustDomain } };
  expect(evidenceFromJson(evidenceToJson(evidence))).toEqual(evidence);
});

describe('evidence is malformed', () => {
  const rows: readonly { what: string; change: (text: string) => string; error: string }[] = [
    {
      what: 'with an unknown field',
      change: swap('"secret"', '"x": 1, "secret"'),
      error: 'Evidence.response.x at byte 0',
    },
    { what: 'with an unknown message', change: swap('"response"', '"log": {}, "response"'), error: 'Evidence.log' },
    {
      what: 'without a field',
      change: swap('"secret": "",', ''),
      error: 'Evidence.response.secret at byte 0: is missing',
    },
    {
      what: 'with a field twice',
      change: swap('"secret"', '"secret": "AA==", "secret"'),
      error: '"secret" is given twice',
    },
    {
      what: 'with a field twice, once spelled with an escape',
      change: swap('"secret"', '"s\\u0065cret": "AA==", "secret"'),
      error: '"secret" is given twice',
    },
    {
      what: 'with a message twice, once spelled with an escape',
      change: swap('"response"', '"p\\u0061yload": {}, "response"'),
      error: '"payload" is given twice',
    },
    { what: 'with a field named as in the schema file', change: swap('ekPublic', 'ek_public'), error: 'ek_public' },
    {
      what: 'with __proto__ as a message',
      change: swap('"response"', '"__proto__": {}, "response"'),
      error: '__proto__',
    },
    { what: 'with __proto__ as a field', change: swap('"secret"', '"__proto__": {}, "secret"'), error: '__proto__' },
    {
      what: 'with constructor as a message',
      change: swap('"response"', '"constructor": {}, "response"'),
      error: 'constr',
    },
    {
      what: 'with null for a message',
      change: () => '{"payload": null}',
      error: 'Evidence.payload at byte 0: is not an object',
    },
    { what: 'with a list for a message', change: () => '{"payload": []}', error: 'is not an object' },
    { what: 'as a list', change: (text) => `[${text}]`, error: 'nested deeper than 3' },
    { what: 'as an empty list', change: () => '[]', error: 'Evidence at byte 0: is not an object' },
    { what: 'as null', change: () => 'null', error: 'is not an object' },
    { what: 'as nothing', change: () => '', error: 'Evidence at byte 0' },
    { what: 'with a byte order mark', change: (text) => `\ufeff${text}`, error: 'Evidence at byte 0' },
    { what: 'with a comment', change: (text) => `// quote\n${text}`, error: 'Evidence at byte 0' },
    { what: 'with something behind it', change: (text) => `${text}{}`, error: 'Evidence at byte 0' },
    {
      what: 'with a number as text',
      change: swap('11', '"11"'),
      error: 'Evidence.payload.pcrBanks[0] at byte 0: is not an',
    },
    { what: 'with a number below zero', change: swap('11', '-1'), error: 'is not an unsigned 32-bit number' },
    { what: 'with a negative zero', change: swap('11', '-0'), error: 'is not an unsigned 32-bit number' },
    { what: 'with a number of 33 bits', change: swap('11', '4294967296'), error: 'is not an unsigned 32-bit number' },
    { what: 'with a fraction', change: swap('11', '1.5'), error: 'is not an unsigned 32-bit number' },
    { what: 'with a single value for a list', change: swap('[\n      1\n    ]', '1'), error: 'is not a list' },
    { what: 'with a list in a list', change: swap('11,', '[11],'), error: 'nested deeper than 3' },
    {
      what: 'with half a character',
      change: swap('example', '\\ud800'),
      error: 'trustDomain at byte 0: is not Unicode text',
    },
    {
      what: 'with numbers for bytes',
      change: swap('"qrs="', '[170, 187]'),
      error: 'ekPublic at byte 0: is not a string',
    },
    { what: 'with null for bytes', change: swap('"qrs="', 'null'), error: 'is not a string' },
  ];
  test.each(rows)('$what', ({ change, error }) => {
    const changed = change(TEXT);
    expect(changed).not.toBe(TEXT);
    expect(() => evidenceFromJson(changed)).toThrow(MalformedError);
    expect(() => evidenceFromJson(changed)).toThrow(error);
  });

  test.each([
    { what: 'without padding', text: 'qrs' },
    { what: 'with padding too many', text: 'qrs==' },
    { what: 'with bits beyond the last byte', text: 'qrt=' },
    { what: 'in the alphabet of URLs', text: '-_8=' },
    { what: 'with a space', text: 'qr s=' },
    { what: 'with a line end', text: 'qrs=\\n' },
    { what: 'with something behind the padding', text: 'qrs=AA==' },
    { what: 'that is hexadecimal', text: 'aab' },
  ])('with base64 $what', ({ text }) => {
    expect(() => evidenceFromJson(TEXT.replace('qrs=', text))).toThrow('is not canonical base64');
  });

  test.each(
    Object.entries(FIELD_LIMITS).filter(([path, { bytes }]) => bytes !== undefined && !path.startsWith('LogPart.')),
  )('with %s beyond its limit, as in the message', (path, { bytes = 0 }) => {
    const [message = '', field = ''] = path.split('.');
    const key = message === 'ChallengeResponse' ? 'response' : message.toLowerCase();
    const whole = JSON.parse(evidenceToJson({ ...EVIDENCE, challenge: CHALLENGE }));
    const sized = (size: number) => {
      const value = field === 'trustDomain' ? 'x'.repeat(size) : Buffer.alloc(size).toString('base64');
      const old = whole[key][field];
      return JSON.stringify({ ...whole, [key]: { ...whole[key], [field]: Array.isArray(old) ? [value] : value } });
    };
    expect(evidenceFromJson(sized(bytes))).toBeDefined();
    expect(() => evidenceFromJson(sized(bytes + 1))).toThrow(`${path} at byte 0: ${bytes + 1} bytes are over ${bytes}`);
  });
});

const CHALLENGE = {
  version: 1,
  nonce: unhex(''),
  credentialBlob: unhex(''),
  encryptedSecret: unhex(''),
  pcrSelection: unhex(''),
  logs: [],
};

describe('a hostile file is refused in little time', () => {
  const LIMIT = 512 * 1024;
  // Each took minutes, or all memory, in a reader that backtracks, recurses, or parses before it measures.
  test.each([
    { what: '4 MiB of "["', text: '['.repeat(4 * 1024 * 1024) },
    { what: 'as many "[" as a file may have characters', text: '['.repeat(LIMIT) },
    { what: 'brackets that close again', text: '['.repeat(LIMIT / 2) + ']'.repeat(LIMIT / 2) },
    { what: 'objects in objects', text: `${'{"a":'.repeat(LIMIT / 6)}1${'}'.repeat(LIMIT / 6)}` },
    { what: 'a string of escaped quotes that never ends', text: `"${'\\"'.repeat(LIMIT / 2 - 1)}` },
    { what: 'a string of escaped quotes that ends', text: `"${'\\"'.repeat(LIMIT / 2 - 1)}"` },
    { what: 'quotes only', text: '"'.repeat(LIMIT) },
    { what: 'a string and then spaces', text: `["a"${' '.repeat(LIMIT - 6)}]` },
    { what: 'many different names', text: `{${Array.from({ length: 50_000 }, (_, i) => `"${i}":0`).join()}}` },
    { what: 'a number of half a million digits', text: `{"payload":${'9'.repeat(LIMIT - 12)}}` },
  ])('$what', ({ text }) => {
    expect(() => evidenceFromJson(text)).toThrow(MalformedError);
  });

  test('a file of 524288 characters is read and of one more is not', () => {
    const pad = (length: number) => TEXT + ' '.repeat(length - TEXT.length);
    expect(evidenceFromJson(pad(LIMIT))).toEqual(EVIDENCE);
    expect(() => evidenceFromJson(pad(LIMIT + 1))).toThrow('over 524288 characters');
  });
});

function swap(from: string, to: string): (text: string) => string {
  return (text) => text.replace(from, () => to);
}

function payloadOf(evidence: Evidence) {
  if (evidence.payload === undefined) throw new Error('no payload');
  return evidence.payload;
}
