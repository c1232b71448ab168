import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { TpmError } from '../../src/tpm/device/errors.ts';
import { decodeResponseCode, type ResponseCode } from '../../src/tpm/structures/response-code.ts';

type Row = readonly [rc: number, expected: Partial<ResponseCode>];

const rows: readonly Row[] = [
  [0x000, { layer: 'tpm', name: 'TPM_RC_SUCCESS' }],
  [0x100, { layer: 'tpm', name: 'TPM_RC_INITIALIZE', retryable: false }],
  [0x101, { name: 'TPM_RC_FAILURE' }],
  [0x14a, { name: 'TPM_RC_NV_UNINITIALIZED' }],
  [0x155, { name: 'TPM_RC_SENSITIVE' }],
  [0x01e, { name: 'TPM_RC_BAD_TAG' }],
  // Format 1: handle, parameter, session, unspecified.
  [0x08b, { name: 'TPM_RC_HANDLE' }],
  [0x18b, { name: 'TPM_RC_HANDLE', argument: { kind: 'handle', index: 1 } }],
  [0x28b, { name: 'TPM_RC_HANDLE', argument: { kind: 'handle', index: 2 } }],
  [0x98e, { name: 'TPM_RC_AUTH_FAIL', argument: { kind: 'session', index: 1 } }],
  [0x9a2, { name: 'TPM_RC_BAD_AUTH', argument: { kind: 'session', index: 1 }, retryable: false }],
  [0xa9d, { name: 'TPM_RC_POLICY_FAIL', argument: { kind: 'session', index: 2 } }],
  [0x1c4, { name: 'TPM_RC_VALUE', argument: { kind: 'parameter', index: 1 } }],
  [0x2df, { name: 'TPM_RC_INTEGRITY', argument: { kind: 'parameter', index: 2 } }],
  [0xfc4, { name: 'TPM_RC_VALUE', argument: { kind: 'parameter', index: 15 } }],
  [0x0a7, { name: 'TPM_RC_ECC_POINT' }],
  // Warnings.
  [0x902, { name: 'TPM_RC_OBJECT_MEMORY', retryable: false }],
  [0x908, { name: 'TPM_RC_YIELDED', retryable: true }],
  [0x90a, { name: 'TPM_RC_TESTING', retryable: true }],
  [0x910, { name: 'TPM_RC_REFERENCE_H0' }],
  [0x918, { name: 'TPM_RC_REFERENCE_S0' }],
  [0x91e, { name: 'TPM_RC_REFERENCE_S6' }],
  [0x920, { name: 'TPM_RC_NV_RATE', retryable: true }],
  [0x921, { name: 'TPM_RC_LOCKOUT', retryable: false }],
  [0x922, { name: 'TPM_RC_RETRY', retryable: true }],
  // Other layers.
  [0x00070007, { layer: 'esys', name: 'TSS2_ESYS_RC_BAD_SEQUENCE' }],
  [0x00070018, { layer: 'esys', name: 'TSS2_ESYS_RC_BAD_TR' }],
  [0x0008001b, { layer: 'sys', name: 'TSS2_SYS_RC_RSP_AUTH_FAILED' }],
  [0x0009000b, { layer: 'mu', name: 'TSS2_MU_RC_BAD_VALUE' }],
  [0x000a000a, { layer: 'tcti', name: 'TSS2_TCTI_RC_IO_ERROR', retryable: false }],
  [0x000a0009, { layer: 'tcti', name: 'TSS2_TCTI_RC_TRY_AGAIN', retryable: true }],
  [0x00060020, { layer: 'feature', name: 'TSS2_FAPI_RC_KEY_NOT_FOUND' }],
  // What the kernel's resource manager answers for a command it does not let through.
  [0x000b0143, { layer: 'resource-manager', name: 'TPM_RC_COMMAND_CODE' }],
  [0x000b0001, { layer: 'resource-manager', name: 'TSS2_RESMGR_RC_GENERAL_FAILURE' }],
  [0x000c09a2, { layer: 'resource-manager-tpm', name: 'TPM_RC_BAD_AUTH', argument: { kind: 'session', index: 1 } }],
  // What no table knows keeps its number.
  [0x102, { name: 'TPM_RC_0x102' }],
  [0x086, { name: 'TPM_RC_0x86' }],
  [0x501, { name: 'TPM_RC_0x501' }],
  [0x00070fff, { name: 'TSS2_ESYS_RC_0x70fff' }],
  [0x00ff0001, { layer: 'unknown', name: 'TSS2_RC_GENERAL_FAILURE' }],
];

describe('decodeResponseCode()', () => {
  test.each(rows)('takes 0x%s apart', (rc, expected) => {
    expect(decodeResponseCode(rc)).toMatchObject({ rc, ...expected });
    if (expected.argument === undefined) expect(decodeResponseCode(rc)).not.toHaveProperty('argument');
  });

  test.each([-1, 0x1_0000_0000, 1.5, Number.NaN])('refuses %s, which is no TSS2_RC', (rc) => {
    expect(() => decodeResponseCode(rc)).toThrow(RangeError);
  });

  const header = '/usr/include/tss2/tss2_tpm2_types.h';
  test.skipIf(!existsSync(header))(
    'agrees with every name in the header of tpm2-tss (skipped without libtss2-dev)',
    () => {
      const text = readFileSync(header, 'utf8');
      const base: Record<string, number> = { VER1: 0x100, FMT1: 0x080, WARN: 0x900 };
      const codes = [
        ...text.matchAll(/#define TPM2_RC_(\w+)\s+\(\(TPM2_RC\) \(TPM2_RC_(VER1|FMT1|WARN) \+ (0x\w+)\)\)/g),
      ]
        .filter(([, name]) => !name?.startsWith('MAX_'))
        .map(
          ([, name, kind, offset]) => [`TPM_RC_${name}`, (base[kind ?? ''] ?? Number.NaN) + Number(offset)] as const,
        );
      expect(codes.length).toBeGreaterThan(90);
      for (const [name, rc] of codes) expect(decodeResponseCode(rc).name, `0x${rc.toString(16)}`).toBe(name);
    },
  );
});

describe('TpmError', () => {
  test('reads like a sentence', () => {
    const error = new TpmError({ rc: 0x9a2, command: 'TPM2_Quote' });
    expect(error.message).toBe(
      'TPM2_Quote: TPM_RC_BAD_AUTH on session 1 (authorization failure without DA implications)',
    );
    expect(error).toMatchObject({
      code: 'ERR_TPM',
      name: 'TPM_RC_BAD_AUTH',
      layer: 'tpm',
      command: 'TPM2_Quote',
      argument: { kind: 'session', index: 1 },
      retryable: false,
    });
  });

  test('names the field that was never sent because it could not be unmarshalled', () => {
    const error = new TpmError({ rc: 0x0009000b, command: 'TPM2_Load', field: 'inPublic' });
    expect(error.message).toBe('TPM2_Load: TSS2_MU_RC_BAD_VALUE in inPublic (a value is not valid)');
  });

  test('leaves alone what carries no response code', () => {
    const error = new TypeError('the TPM context is closed');
    expect(TpmError.from(error)).toBe(error);
  });
});
