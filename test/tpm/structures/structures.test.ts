import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat } from '../../../src/bytes/bytes.ts';
import { MalformedError } from '../../../src/bytes/malformed.ts';
import { type Codec, decode, encode } from '../../../src/tpm/structures/codec.ts';
import { STRUCTURES } from '../../support/structures.ts';

/** The value, or the MalformedError; anything else thrown is a bug and comes through. */
function attempt<T>(codec: Codec<T>, bytes: Uint8Array): { value: T } | MalformedError {
  try {
    return { value: decode(codec, bytes) };
  } catch (error) {
    if (error instanceof MalformedError) return error;
    throw error;
  }
}

describe.each(STRUCTURES)('$name', ({ name, codec, values, openEnded }) => {
  test('comes back from its bytes as it was', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(decode(codec, encode(codec, value))).toEqual(value);
      }),
    );
  });

  test('is read from a part of a larger buffer, and does not alias it', () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encode(codec, value);
        const buffer = concat(Uint8Array.of(1, 2, 3), bytes, Uint8Array.of(4));
        const decoded = decode(codec, buffer.subarray(3, 3 + bytes.length));
        buffer.fill(0xee);
        expect(decoded).toEqual(value);
      }),
      { numRuns: 20 },
    );
  });

  const closedTest = openEnded === true ? undefined : test;
  closedTest?.('is malformed when cut at any byte, and the error says where', () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encode(codec, value);
        for (let length = 0; length < bytes.length; length++) {
          const result = attempt(codec, bytes.subarray(0, length));
          if (!(result instanceof MalformedError)) throw new Error(`${length} of ${bytes.length} bytes were accepted`);
          if (!(result.path.startsWith(name) && result.offset >= 0 && result.offset <= length))
            throw new Error(`${length} of ${bytes.length} bytes: ${result.message}`);
        }
      }),
      { numRuns: 10 },
    );
  });

  closedTest?.('is malformed with one byte more', () => {
    fc.assert(
      fc.property(values, fc.integer({ min: 0, max: 255 }), (value, byte) => {
        const bytes = concat(encode(codec, value), Uint8Array.of(byte));
        expect(attempt(codec, bytes)).toMatchObject({ code: 'ERR_MALFORMED', reason: '1 bytes left over' });
      }),
      { numRuns: 30 },
    );
  });

  const bytesAnyhow = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc
      .tuple(values, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }))
      .map(([value, changes]) => {
        const bytes = encode(codec, value);
        for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
        return bytes;
      }),
  );
  test('of any bytes is malformed or the value that those very bytes encode', () => {
    fc.assert(
      fc.property(bytesAnyhow, (bytes) => {
        const result = attempt(codec, bytes);
        if (!(result instanceof MalformedError)) expect(encode(codec, result.value)).toEqual(bytes);
      }),
      { numRuns: 200 },
    );
  });
});
