/** Who makes the TPM, by the id that certificates and TPM_PT_MANUFACTURER carry. */
export interface TpmVendor {
  readonly name: string;
  /** Software TPMs and simulators keep their keys in a file, and examples are nobody's: no hardware speaks for them. */
  readonly software?: true;
}

/** TCG TPM Vendor ID Registry 1.07 revision 0.02, and ids outside it that certificates have been seen with. */
const VENDORS: Readonly<Record<string, TpmVendor>> = {
  '414D4400': { name: 'AMD' },
  '414E5400': { name: 'Ant Group' },
  '41544D4C': { name: 'Atmel' },
  '4252434D': { name: 'Broadcom' },
  '4353434F': { name: 'Cisco' },
  '464C5953': { name: 'Flyslice Technologies' },
  '474F4F47': { name: 'Google' },
  '48495349': { name: 'Huawei' },
  '48504500': { name: 'HPE' },
  '48504900': { name: 'HPI' },
  '49424D00': { name: 'IBM' },
  '49465800': { name: 'Infineon' },
  '494E5443': { name: 'Intel' },
  '4C454E00': { name: 'Lenovo' },
  '4D534654': { name: 'Microsoft' },
  '4E534700': { name: 'NSING' },
  '4E534D20': { name: 'National Semiconductor' },
  '4E544300': { name: 'Nuvoton' },
  '4E545A00': { name: 'Nationz' },
  '51434F4D': { name: 'Qualcomm' },
  '524F4343': { name: 'Fuzhou Rockchip' },
  '53454345': { name: 'SecEdge' },
  '5345414C': { name: 'Wisekey' },
  '534D5343': { name: 'SMSC' },
  '534D534E': { name: 'Samsung' },
  '534E5300': { name: 'Sinosun' },
  '53544D20': { name: 'STMicroelectronics' },
  '54584E00': { name: 'Texas Instruments' },
  '57454300': { name: 'Winbond' },
  // Not in the registry.
  '00001014': { name: 'swtpm', software: true },
  '49424D20': { name: 'TPM simulator', software: true },
  '54434700': { name: 'TCG example', software: true },
  '54534730': { name: 'TCG example', software: true },
  FFFFF1D0: { name: 'FIDO conformance tool', software: true },
};

/** Looks up a vendor id given as eight upper-case hex digits. */
export function tpmVendor(id: string): TpmVendor | undefined {
  return Object.hasOwn(VENDORS, id) ? VENDORS[id] : undefined;
}
