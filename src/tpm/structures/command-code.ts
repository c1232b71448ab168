/** TPM_CC (TPM 2.0 Library, Part 2, 6.5.2): the names of the commands that this product sends. */
const TPM_CC = {
  PolicySecret: 0x151,
  CreatePrimary: 0x131,
  ActivateCredential: 0x147,
  CertifyCreation: 0x14a,
  NV_Read: 0x14e,
  Create: 0x153,
  Load: 0x157,
  Quote: 0x158,
  ContextLoad: 0x161,
  ContextSave: 0x162,
  FlushContext: 0x165,
  LoadExternal: 0x167,
  NV_ReadPublic: 0x169,
  PolicyOR: 0x171,
  ReadPublic: 0x173,
  StartAuthSession: 0x176,
  GetCapability: 0x17a,
  GetRandom: 0x17b,
  PCR_Read: 0x17e,
  PolicyGetDigest: 0x189,
} as const;

const nameByCode: ReadonlyMap<number, string> = new Map(
  Object.entries(TPM_CC).map(([name, code]) => [code, `TPM2_${name}`]),
);

/** `TPM2_Quote` for 0x158; the number itself for a command not listed here. */
export function commandName(code: number): string {
  return nameByCode.get(code) ?? `TPM_CC 0x${code.toString(16).padStart(8, '0')}`;
}
