import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ESYS_TR } from '../../src/tpm/device/handles.ts';
import { nativeAddon } from '../../src/tpm/device/native.ts';
import type { NativeContext, PolicySecretInput } from '../../src/tpm/device/native-context.ts';
import { encode } from '../../src/tpm/structures/codec.ts';
import { TPM_ALG, TPM_SE } from '../../src/tpm/structures/constants.ts';
import { pcrSelection, tpmlPcrSelection } from '../../src/tpm/structures/pcr.ts';
import { startSwtpm } from '../support/swtpm.ts';

const PCRS = encode(tpmlPcrSelection, [pcrSelection(TPM_ALG.SHA256, [0])]);
const AUTH_BYTES_MAX = 64;

let context: NativeContext;
beforeAll(async () => {
  context = await nativeAddon().open((await startSwtpm()).tcti, true);
});
afterAll(() => context.close());

/** Passes what the types forbid. */
function forced(value: unknown): never {
  return value as never;
}

function detached(): Uint8Array {
  const bytes = new Uint8Array(8);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  return bytes;
}

describe('a buffer', () => {
  const setAuth = (authValue: Uint8Array): void => context.trSetAuth({ object: ESYS_TR.RH_PLATFORM, authValue });

  test('may be empty, or exactly as long as its TPM2B holds', () => {
    setAuth(new Uint8Array());
    setAuth(new Uint8Array(AUTH_BYTES_MAX));
  });

  test('one byte too long is refused before it is copied', () => {
    expect(() => setAuth(new Uint8Array(AUTH_BYTES_MAX + 1))).toThrow(
      new RangeError('Esys_TR_SetAuth: authValue has 65 bytes, over 64'),
    );
    expect(() => setAuth(new Uint8Array(1 << 20))).toThrow(RangeError);
  });

  test('that is detached is refused, not taken for an empty one', () => {
    expect(() => setAuth(detached())).toThrow(
      new TypeError('Esys_TR_SetAuth: authValue must be a Uint8Array that is not detached'),
    );
  });

  test('over shared memory is refused: it could change while it is read', () => {
    expect(() => setAuth(new Uint8Array(new SharedArrayBuffer(8)))).toThrow(TypeError);
  });

  test.each([
    ['undefined', undefined],
    ['null', null],
    ['a string', 'secret'],
    ['an ArrayBuffer', new ArrayBuffer(8)],
    ['an array', [1, 2, 3]],
    ['other integers', new Uint16Array(4)],
    ['a clamped array', new Uint8ClampedArray(4)],
    ['a DataView', new DataView(new ArrayBuffer(8))],
  ])('is a Uint8Array, not %s', (_, value) => {
    expect(() => setAuth(forced(value))).toThrow(new TypeError('Esys_TR_SetAuth: authValue must be a Uint8Array'));
  });

  test('may be a subarray: its offset is respected', async () => {
    const surrounded = new Uint8Array([0xff, 0xff, 0xff, ...PCRS, 0xff]);
    const part = surrounded.subarray(3, 3 + PCRS.length);
    const { pcrSelectionOut } = await context.pcrRead({ sessions: [], pcrSelectionIn: part });
    expect(pcrSelectionOut).toEqual(PCRS);
    expect(() => context.pcrRead({ sessions: [], pcrSelectionIn: surrounded })).toThrow('TPM2_PCR_Read');
  });

  test('may be a Buffer from the pool', async () => {
    const { pcrSelectionOut } = await context.pcrRead({ sessions: [], pcrSelectionIn: Buffer.from(PCRS) });
    expect(pcrSelectionOut).toEqual(PCRS);
  });

  test('may be changed or transferred after the call: it was copied', async () => {
    const bytes = Uint8Array.from(PCRS);
    const reading = context.pcrRead({ sessions: [], pcrSelectionIn: bytes });
    bytes.fill(0xff);
    structuredClone(bytes, { transfer: [bytes.buffer] });
    expect((await reading).pcrSelectionOut).toEqual(PCRS);
  });

  test('that comes back is a plain Uint8Array with memory of its own', async () => {
    const { randomBytes } = await context.getRandom({ sessions: [], bytesRequested: 8 });
    expect(Object.getPrototypeOf(randomBytes)).toBe(Uint8Array.prototype);
    expect(randomBytes.buffer.byteLength).toBe(8);
  });
});

describe('a structure', () => {
  test.each([
    ['empty', new Uint8Array(), 0x00090006],
    ['cut short', PCRS.subarray(0, -1), 0x00090006],
    ['with a byte left over', new Uint8Array([...PCRS, 0]), 0x00090010],
    ['with a count over its maximum', new Uint8Array([0xff, 0xff, 0xff, 0xff]), 0x00080011],
  ])('%s is refused with the code of tpm2-tss and the field', (_, pcrSelectionIn, rc) => {
    expect(() => context.pcrRead({ sessions: [], pcrSelectionIn })).toThrow(
      expect.objectContaining({ rc, command: 'TPM2_PCR_Read', field: 'pcrSelectionIn' }),
    );
  });
});

describe('a number', () => {
  test.each([-1, 0.5, 65536, Number.NaN, Number.POSITIVE_INFINITY, '8', 8n, undefined, null, {}])(
    '%s is not a size',
    (bytesRequested) => {
      expect(() => context.getRandom({ sessions: [], bytesRequested: forced(bytesRequested) })).toThrow(
        new TypeError('TPM2_GetRandom: bytesRequested must be an integer from 0 to 65535'),
      );
    },
  );

  test.each([-(2 ** 31) - 1, 2 ** 31, 1.5])('%s is not an expiration', async (expiration) => {
    const { sessionHandle } = await context.startAuthSession({
      sessions: [],
      tpmKey: ESYS_TR.NONE,
      bind: ESYS_TR.NONE,
      sessionType: TPM_SE.TRIAL,
      symmetric: new Uint8Array([0, TPM_ALG.NULL]),
      authHash: TPM_ALG.SHA256,
    });
    const input: PolicySecretInput = {
      sessions: [ESYS_TR.PASSWORD],
      authHandle: ESYS_TR.RH_ENDORSEMENT,
      policySession: sessionHandle,
      nonceTPM: new Uint8Array(),
      cpHashA: new Uint8Array(),
      policyRef: new Uint8Array(),
      expiration,
    };
    expect(() => context.policySecret(input)).toThrow(TypeError);
    await context.policySecret({ ...input, expiration: -1 });
    await context.flushContext({ flushHandle: sessionHandle });
  });

  test.each([[[1, 2, 3, 4]], [[-1]], [['1']], ['none'], [undefined], [{ length: 1 }]])(
    'sessions %j are refused',
    (sessions) => {
      expect(() => context.getRandom({ sessions: forced(sessions), bytesRequested: 8 })).toThrow(
        new TypeError('TPM2_GetRandom: sessions must be an array of at most three handles'),
      );
    },
  );
});

describe('a call', () => {
  test('takes one record', () => {
    for (const args of [[], [1], [null], [{}, {}]]) {
      expect(() => Reflect.apply(context.getRandom, context, args)).toThrow('TPM2_GetRandom takes one record');
    }
  });

  test('on an object of another class is refused', async () => {
    const lookalike = Object.create(Object.getPrototypeOf(context));
    for (const receiver of [{}, lookalike, undefined, 1, new (class {})(), await nativeAddon().open]) {
      for (const method of [context.getRandom, context.close, context.commandCounts, context.trClose]) {
        expect(() => Reflect.apply(method, receiver, [{}])).toThrow(
          new TypeError('called on an object that is not a NativeContext'),
        );
      }
    }
  });

  test('of the constructor is refused', () => {
    expect(() => Reflect.construct(context.constructor, [])).toThrow('a NativeContext comes from open()');
  });

  test('passes on what a getter of the record throws', () => {
    const input = {
      sessions: [],
      get bytesRequested(): number {
        throw new Error('from the getter');
      },
    };
    expect(() => context.getRandom(input)).toThrow('from the getter');
  });

  test('notices a context that a getter of the record closes', async () => {
    const closing = await nativeAddon().open((await startSwtpm()).tcti, true);
    const input = {
      sessions: [],
      get bytesRequested(): number {
        closing.close();
        return 8;
      },
    };
    expect(() => closing.getRandom(input)).toThrow(expect.objectContaining({ code: 'ERR_TPM_CLOSED' }));
  });

  test('while a command is in flight is refused, also a local one', async () => {
    const running = context.getRandom({ sessions: [], bytesRequested: 8 });
    const busy = expect.objectContaining({ code: 'ERR_TPM_BUSY' });
    expect(() => context.getRandom({ sessions: [], bytesRequested: 8 })).toThrow(busy);
    expect(() => context.trGetName({ object: ESYS_TR.RH_OWNER })).toThrow(busy);
    await running;
    await context.getRandom({ sessions: [], bytesRequested: 8 });
  });

  test('with a handle that is none answers bad TR, at once or as a rejection', async () => {
    const nothing = forced(0x40ffffff);
    expect(() => context.trGetName({ object: nothing })).toThrow(expect.objectContaining({ rc: 0x00070018 }));
    await expect(context.readPublic({ sessions: [], objectHandle: nothing })).rejects.toMatchObject({
      rc: 0x00070018,
      command: 'TPM2_ReadPublic',
    });
    await expect(context.flushContext({ flushHandle: nothing })).rejects.toMatchObject({
      command: 'TPM2_FlushContext',
    });
  });

  test.each([
    ['nothing', new Uint8Array()],
    ['noise', new Uint8Array(200).fill(0xa5)],
    ['lengths that lie', new Uint8Array([0x80, 0, 0, 0, 0xff, 0xff, 1, 2, 3])],
  ])('that deserializes %s is refused', (_, serialized) => {
    expect(() => context.trDeserialize({ serialized })).toThrow(
      expect.objectContaining({ command: 'Esys_TR_Deserialize' }),
    );
  });
});

describe('a closed context', () => {
  test('refuses every call with a TypeError, but a second close', async () => {
    const closed = await nativeAddon().open((await startSwtpm()).tcti, true);
    closed.close();
    closed.close();
    const refused = expect.objectContaining({ name: 'TypeError', code: 'ERR_TPM_CLOSED' });
    expect(() => closed.getRandom({ sessions: [], bytesRequested: 8 })).toThrow(refused);
    expect(() => closed.trGetName({ object: ESYS_TR.RH_OWNER })).toThrow(refused);
    expect(() => closed.commandCounts()).toThrow(refused);
  });

  test('still answers the command that was in flight', async () => {
    const closed = await nativeAddon().open((await startSwtpm()).tcti, true);
    const answer = closed.getRandom({ sessions: [], bytesRequested: 8 });
    closed.close();
    expect((await answer).randomBytes).toHaveLength(8);
  });
});

describe('open', () => {
  test.each([[undefined], [1], [null]])('takes a string, not %s', (tcti) => {
    expect(() => nativeAddon().open(forced(tcti), true)).toThrow(
      new TypeError('open takes a TCTI string and a boolean (kept)'),
    );
  });

  test('refuses a string with NUL, after which tpm2-tss would read no further', () => {
    expect(() => nativeAddon().open('device\0:x', true)).toThrow(TypeError);
  });
});
