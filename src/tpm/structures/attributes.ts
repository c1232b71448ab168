/** TPMA_OBJECT (TPM 2.0 Library, Part 2, 8.3). Every other bit is reserved and must be zero. */
export const TPMA_OBJECT = {
  fixedTPM: 0x00000002,
  stClear: 0x00000004,
  fixedParent: 0x00000010,
  sensitiveDataOrigin: 0x00000020,
  userWithAuth: 0x00000040,
  adminWithPolicy: 0x00000080,
  firmwareLimited: 0x00000100,
  svnLimited: 0x00000200,
  noDA: 0x00000400,
  encryptedDuplication: 0x00000800,
  restricted: 0x00010000,
  decrypt: 0x00020000,
  sign: 0x00040000,
  x509sign: 0x00080000,
} as const;

export type ObjectAttribute = keyof typeof TPMA_OBJECT;

const KNOWN: number = Object.values(TPMA_OBJECT).reduce((all, bit) => all | bit, 0);

/** The names of the set bits, in bit order. */
export function objectAttributeNames(attributes: number): readonly ObjectAttribute[] {
  return (Object.keys(TPMA_OBJECT) as ObjectAttribute[]).filter((name) => attributes & TPMA_OBJECT[name]);
}

export function hasReservedBits(attributes: number): boolean {
  return (attributes & ~KNOWN) !== 0;
}

/** TPMA_SESSION (Part 2, 8.4). */
export const TPMA_SESSION = {
  continueSession: 0x00000001,
  audit: 0x00000080,
  decrypt: 0x00000020,
  encrypt: 0x00000040,
} as const;

/** The TPMA_NV bits that this product checks (Part 2, 13.4). */
export const TPMA_NV = {
  PPREAD: 0x00010000,
  OWNERREAD: 0x00020000,
  AUTHREAD: 0x00040000,
  POLICYREAD: 0x00080000,
  NO_DA: 0x02000000,
  READLOCKED: 0x10000000,
  WRITTEN: 0x20000000,
} as const;

/** TPM_NT, the types of NV index that count PIN attempts (Part 2, 13.2). */
export const TPM_NT = { PIN_FAIL: 8, PIN_PASS: 9 } as const;

/** The TPM_NT in a TPMA_NV. */
export function nvIndexType(attributes: number): number {
  return (attributes >>> 4) & 0xf;
}
