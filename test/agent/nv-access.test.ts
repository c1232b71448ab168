import { describe, expect, test } from 'vitest';
import { obstacleOf, waysToRead } from '../../src/agent/endorsement/nv-access.ts';
import { TPM_NT, TPMA_NV } from '../../src/tpm/structures/attributes.ts';

const { PPREAD, OWNERREAD, AUTHREAD, POLICYREAD, NO_DA, READLOCKED, WRITTEN } = TPMA_NV;
const pin = (type: number): number => type << 4;

describe('the ways into an index', () => {
  test.each([
    [
      'owner and own, as by the EK Credential Profile',
      OWNERREAD | AUTHREAD | NO_DA,
      ['owner', 'index'],
      ['index', 'owner'],
    ],
    ['owner', OWNERREAD, ['owner'], ['owner']],
    ['own, where a wrong one does not count', AUTHREAD | NO_DA, ['index'], ['index']],
    ['own, where it counts', AUTHREAD, [], []],
    ['owner, and own where it counts', OWNERREAD | AUTHREAD, ['owner'], ['owner']],
    ['own, of a PIN that counts failures', AUTHREAD | NO_DA | pin(TPM_NT.PIN_FAIL), [], []],
    ['own, of a PIN that counts uses', AUTHREAD | NO_DA | pin(TPM_NT.PIN_PASS), [], []],
    ['owner, of a PIN', OWNERREAD | AUTHREAD | NO_DA | pin(TPM_NT.PIN_FAIL), ['owner'], ['owner']],
    ['platform and policy', PPREAD | POLICYREAD, [], []],
  ] as const)('%s', (_, attributes, ways, waysWithPassword) => {
    expect(waysToRead(attributes, false)).toEqual(ways);
    // It is not sent where none is needed.
    expect(waysToRead(attributes, true)).toEqual(waysWithPassword);
  });
});

test.each([
  [WRITTEN | OWNERREAD, undefined],
  [WRITTEN | AUTHREAD | NO_DA, undefined],
  [OWNERREAD, 'unwritten'],
  [WRITTEN | OWNERREAD | READLOCKED, 'locked'],
  [READLOCKED | OWNERREAD, 'unwritten'],
  [WRITTEN | AUTHREAD, 'counted'],
  [WRITTEN | AUTHREAD | POLICYREAD | PPREAD, 'counted'],
  [WRITTEN | POLICYREAD | PPREAD, 'policy'],
  [WRITTEN | PPREAD, 'platform'],
] as const)('of an index with attributes 0x%x: %s', (attributes, obstacle) => {
  expect(obstacleOf(attributes)).toBe(obstacle);
});
