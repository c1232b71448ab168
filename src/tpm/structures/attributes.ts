/** TPMA_OBJECT (TPM 2.0 Library, Part 2, 8.3); bits absent here are reserved and must be zero. */
export const TPMA_OBJECT = {
  fixedTPM: 1 << 1,
  stClear: 1 << 2,
  fixedParent: 1 << 4,
  sensitiveDataOrigin: 1 << 5,
  userWithAuth: 1 << 6,
  adminWithPolicy: 1 << 7,
  firmwareLimited: 1 << 8,
  svnLimited: 1 << 9,
  noDA: 1 << 10,
  encryptedDuplication: 1 << 11,
  restricted: 1 << 16,
  decrypt: 1 << 17,
  sign: 1 << 18,
  x509sign: 1 << 19,
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
export const TPMA_SESSION = { continueSession: 1 << 0, audit: 1 << 7, decrypt: 1 << 5, encrypt: 1 << 6 } as const;

/** TPMA_NV bits this product looks at (Part 2, 13.4). */
export const TPMA_NV = { OWNERREAD: 1 << 17, AUTHREAD: 1 << 18, PPREAD: 1 << 16, WRITTEN: 1 << 29 } as const;
