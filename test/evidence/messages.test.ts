import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat } from '../../src/bytes/bytes.ts';
import { MalformedError } from '../../src/bytes/malformed.ts';
import { FIELD_LIMITS, MESSAGE_BYTES } from '../../src/evidence/limits.ts';
import {
  type Challenge,
  type ChallengeResponse,
  decodeChallenge,
  decodeLogPart,
  decodeLogRequest,
  decodePayload,
  decodeResponse,
  encodeChallenge,
  encodeLogPart,
  encodeLogRequest,
  encodePayload,
  encodeResponse,
  type LogPart,
  type LogRequest,
  type Payload,
} from '../../src/evidence/messages.ts';
import { challengesWithLogs, logParts, logRequests, payloads, responses } from '../support/evidence.ts';
import { unhex } from '../support/vectors.ts';

const PAYLOAD: Payload = {
  versions: [1, 300],
  trustDomain: 'td',
  ekPublic: unhex('aa'),
  ekCertificates: [unhex('bb'), unhex('cc')],
  akPublic: unhex('dd'),
  pcrBanks: [11],
};
/** Field number and wire type, then the value; lists of numbers packed (Protocol Buffers encoding specification). */
const PAYLOAD_BYTES = '0a03 01ac02 | 1202 7464 | 1a01 aa | 2201 bb | 2201 cc | 2a01 dd | 3201 0b';

const CHALLENGE: Challenge = {
  version: 2,
  nonce: unhex('aa'),
  credentialBlob: unhex('bb'),
  encryptedSecret: unhex('cc'),
  pcrSelection: unhex('dd'),
  logs: [1, 2],
};
const CHALLENGE_BYTES = '08 02 | 1201 aa | 1a01 bb | 2201 cc | 2a01 dd | 3202 0102';

const RESPONSE: ChallengeResponse = {
  secret: unhex('aa'),
  quoted: unhex('bb'),
  signature: unhex('cc'),
  pcrValues: [unhex('dd'), unhex('')],
};
const RESPONSE_BYTES = '0a01 aa | 1201 bb | 1a01 cc | 2201 dd | 2200';

const LOG_REQUEST: LogRequest = { log: 1, offset: 300, maxBytes: 131072 };
const LOG_REQUEST_BYTES = '08 01 | 10ac02 | 18808008';

const LOG_PART: LogPart = { log: 1, offset: 1, total: 3, data: unhex('aabb'), missing: 'absent' };
const LOG_PART_BYTES = '08 01 | 1001 | 1803 | 2202 aabb | 2a06 616273656e74';

const wire = (text: string) => unhex(text.replaceAll('|', ''));

interface Form {
  readonly message: keyof typeof MESSAGE_BYTES;
  readonly name: string;
  readonly encode: (message: never) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => unknown;
  readonly values: fc.Arbitrary<unknown>;
  readonly value: unknown;
  readonly bytes: string;
}
const FORMS: readonly Form[] = [
  {
    message: 'payload',
    name: 'Payload',
    encode: encodePayload,
    decode: decodePayload,
    values: payloads,
    value: PAYLOAD,
    bytes: PAYLOAD_BYTES,
  },
  {
    message: 'challenge',
    name: 'Challenge',
    encode: encodeChallenge,
    decode: decodeChallenge,
    values: challengesWithLogs,
    value: CHALLENGE,
    bytes: CHALLENGE_BYTES,
  },
  {
    message: 'response',
    name: 'ChallengeResponse',
    encode: encodeResponse,
    decode: decodeResponse,
    values: responses,
    value: RESPONSE,
    bytes: RESPONSE_BYTES,
  },
  {
    message: 'logRequest',
    name: 'LogRequest',
    encode: encodeLogRequest,
    decode: decodeLogRequest,
    values: logRequests,
    value: LOG_REQUEST,
    bytes: LOG_REQUEST_BYTES,
  },
  {
    message: 'logPart',
    name: 'LogPart',
    encode: encodeLogPart,
    decode: decodeLogPart,
    values: logParts,
    value: LOG_PART,
    bytes: LOG_PART_BYTES,
  },
];

describe.each(FORMS)('$name', ({ message, name, encode, decode, values, value, bytes }) => {
  test('has the encoding written down here', () => {
    expect(encode(value as never)).toEqual(wire(bytes));
    expect(decode(wire(bytes))).toEqual(value);
  });

  test('comes back from its bytes as it was', () => {
    fc.assert(
      fc.property(values, (message) => {
        expect(decode(encode(message as never))).toEqual(message);
      }),
    );
  });

  test('of any bytes is malformed or the message that those very bytes encode', () => {
    const anyhow = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.tuple(values, fc.nat(), fc.nat(255)).map(([message, at, byte]) => {
        const encoded = encode(message as never);
        if (encoded.length > 0) encoded[at % encoded.length] = byte;
        return encoded;
      }),
    );
    fc.assert(
      fc.property(anyhow, (given) => {
        const decoded = attempt(decode, given);
        if (!(decoded instanceof MalformedError)) expect(encode(decoded as never)).toEqual(given);
      }),
      { numRuns: 300 },
    );
  });

  test('is malformed when cut at any byte that is not between two fields', () => {
    const boundaries = new Set<number>([0]);
    for (const field of bytes.split('|')) boundaries.add(Math.max(...boundaries) + wire(field).length);
    const whole = wire(bytes);
    for (let length = 0; length < whole.length; length++) {
      const decoded = attempt(decode, whole.subarray(0, length));
      expect(decoded instanceof MalformedError, `${length} bytes`).toBe(!boundaries.has(length));
    }
  });

  const fields = bytes.split('|');
  const [first = '', second = ''] = fields;
  test.each([
    { what: 'a field nobody knows', given: `${bytes} 7a01 00` },
    { what: 'a field of the highest number there is', given: `${bytes} faffffff0f 00` },
    { what: 'an unknown group', given: `${bytes} 7b 7c` },
    { what: 'the end of a group that never began', given: `${bytes} 7c` },
    { what: 'field number zero', given: `${bytes} 0200` },
    { what: 'a field number zero in the place of the end', given: `${bytes} 00 ${second}` },
    { what: 'its fields in another order', given: [second, first, ...fields.slice(2)].join('') },
    { what: 'a field twice', given: [first, second, second, ...fields.slice(2)].join('') },
    { what: 'its first field again at the end', given: `${bytes} ${first}` },
    { what: 'a default written out', given: [first, '1200', ...fields.slice(2)].join('') },
    { what: 'a length in more bytes than it needs', given: `${first} 1281 00 aa` },
    { what: 'a tag in more bytes than it needs', given: `${first} 9200 01 aa` },
    { what: 'a length past its end', given: `${first} 127f aa` },
    { what: 'a length of 4 GiB', given: `${first} 12ffffffff0f aa` },
    { what: 'a known field of another wire type', given: `${first} 15 01000000` },
    { what: 'a wire type that does not exist', given: `${bytes} 16` },
    { what: 'a varint that never ends', given: `${bytes} ${'ff'.repeat(11)}` },
  ])('is malformed with $what', ({ given }) => {
    expect(attempt(decode, wire(bytes))).toEqual(value);
    expect(() => decode(wire(given))).toThrow(MalformedError);
  });

  test('is malformed with groups nested as deep as the message may be long', () => {
    const most = new Uint8Array(MESSAGE_BYTES[message]).fill(0x7b);
    expect(() => decode(most)).toThrow(MalformedError);
  });

  test(`is not looked into beyond its ${MESSAGE_BYTES[message]} bytes`, () => {
    const limit = MESSAGE_BYTES[message];
    // An unknown field that reaches to the end: at the limit it is read and refused for what it is.
    const unknown = (length: number) => {
      const given = new Uint8Array(length);
      given.set([0x7a, ((length - 4) & 0x7f) | 0x80, (((length - 4) >> 7) & 0x7f) | 0x80, (length - 4) >> 14]);
      return given;
    };
    expect(() => decode(unknown(limit).subarray(0))).toThrow('not in its one accepted encoding');
    expect(() => decode(unknown(limit + 1))).toThrow(`${name} at byte ${limit}: ${limit + 1} bytes are over ${limit}`);
  });
});

describe('Payload is malformed with', () => {
  const [, ...rest] = PAYLOAD_BYTES.split('|');
  const withVersions = (versions: string) => wire(`${versions} ${rest.join('')}`);
  test.each([
    { what: 'numbers that are not packed', versions: '0801 08ac02' },
    { what: 'numbers packed in two pieces', versions: '0a01 01 0a02 ac02' },
    { what: 'a number in more bytes than it needs', versions: '0a04 01 ac8200' },
    { what: 'a number of 33 bits', versions: '0a06 01 8080808010' },
    { what: 'a packed list that ends within a number', versions: '0a02 01ac 02' },
    { what: 'an empty packed list', versions: '0a00' },
  ])('$what', ({ versions }) => {
    expect(decodePayload(withVersions('0a03 01ac02'))).toEqual(PAYLOAD);
    expect(() => decodePayload(withVersions(versions))).toThrow(MalformedError);
  });

  test.each([
    { what: 'is cut in a character', text: '7ae2' },
    { what: 'has an overlong form', text: 'c0af' },
    { what: 'has half a surrogate pair', text: 'eda080' },
    { what: 'is not UTF-8 at all', text: 'ff' },
  ])('a trust domain that $what', ({ text }) => {
    const length = (text.length / 2).toString(16).padStart(2, '0');
    expect(() => decodePayload(wire(`12${length} ${text}`))).toThrow(MalformedError);
    expect(decodePayload(wire('1203 c3a961')).trustDomain).toBe('éa');
  });
});

/** Each limit, at it and one beyond, in a message that is right otherwise. */
const LIMIT_ROWS = Object.entries(FIELD_LIMITS).flatMap(([path, { bytes, count }]) => [
  ...(bytes === undefined ? [] : [{ path, kind: 'bytes' as const, limit: bytes }]),
  ...(count === undefined ? [] : [{ path, kind: 'elements' as const, limit: count }]),
]);

test.each(LIMIT_ROWS)('$path holds $limit $kind and not one more', ({ path, kind, limit }) => {
  const [name = '', field = ''] = path.split('.');
  const form = FORMS.find((each) => each.name === name);
  if (form === undefined) throw new Error(name);
  const model = form.value as Readonly<Record<string, unknown>>;
  const sized = (size: number): unknown => {
    const old = model[field];
    if (kind === 'elements') return Array.from({ length: size }, () => (old as unknown[])[0]);
    if (typeof old === 'string') return 'x'.repeat(size);
    return Array.isArray(old) ? [new Uint8Array(size).fill(1)] : new Uint8Array(size).fill(1);
  };
  const encoded = (size: number) => form.encode({ ...model, [field]: sized(size) } as never);
  expect((form.decode(encoded(limit)) as Record<string, unknown>)[field]).toEqual(sized(limit));
  expect(() => form.decode(encoded(limit + 1))).toThrow(`${path} at byte 0: ${limit + 1} ${kind} are over ${limit}`);
});

test('every field that can grow has a limit', () => {
  const growing = FORMS.flatMap(({ name, value }) =>
    Object.entries(value as object)
      .filter(([, field]) => typeof field !== 'number')
      .map(([field]) => `${name}.${field}`),
  );
  expect(Object.keys(FIELD_LIMITS).sort()).toEqual(growing.sort());
});

test('a challenge of version 1 names no boot logs', () => {
  const challenge = { ...CHALLENGE, version: 1 };
  expect(decodeChallenge(encodeChallenge({ ...challenge, logs: [] })).version).toBe(1);
  expect(() => decodeChallenge(encodeChallenge(challenge))).toThrow(
    'Challenge.logs at byte 0: version 1 has no boot logs',
  );
});

test('a trust domain is measured in bytes, not in characters', () => {
  const of = (trustDomain: string) => encodePayload({ ...PAYLOAD, trustDomain });
  expect(decodePayload(of('é'.repeat(127))).trustDomain).toHaveLength(127);
  expect(() => decodePayload(of('é'.repeat(128)))).toThrow('256 bytes are over 255');
});

test('the largest message that every limit allows fits into its own', () => {
  const certificate = new Uint8Array(16 * 1024);
  const payload = encodePayload({ ...PAYLOAD, ekCertificates: Array.from({ length: 10 }, () => certificate) });
  expect(decodePayload(concat(payload)).ekCertificates).toHaveLength(10);
});

function attempt<T>(decode: (bytes: Uint8Array) => T, bytes: Uint8Array): T | MalformedError {
  try {
    return decode(bytes);
  } catch (error) {
    if (error instanceof MalformedError) return error;
    throw error;
  }
}
