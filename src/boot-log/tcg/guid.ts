/** EFI_GUID (UEFI 2.10, appendix A) in its text form: the first three fields are little-endian. */
export function guidText(bytes: Uint8Array): string {
  const order = [3, 2, 1, 0, -1, 5, 4, -1, 7, 6, -1, 8, 9, -1, 10, 11, 12, 13, 14, 15];
  return order.map((at) => (at < 0 ? '-' : (bytes[at] ?? 0).toString(16).padStart(2, '0'))).join('');
}

export const GUID_BYTES = 16;

export const GUIDS = {
  /** EFI_GLOBAL_VARIABLE: SecureBoot, PK, KEK and the modes. */
  globalVariable: '8be4df61-93ca-11d2-aa0d-00e098032b8c',
  /** EFI_IMAGE_SECURITY_DATABASE: db, dbx, dbt, dbr. */
  imageSecurityDatabase: 'd719b2cb-3d3a-4596-a3bc-dad00e67656f',
  /** Of shim: SbatLevel, MokList and its companions. */
  shimLock: '605dab50-e046-4300-abb6-3dd810dd8b23',
} as const;
