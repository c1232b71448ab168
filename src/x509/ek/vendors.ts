/** The table of TPM manufacturers by vendor id, which certificates and TPM_PT_MANUFACTURER carry. */

/** A manufacturer of TPMs. */
export interface TpmVendor {
  readonly name: string;
  readonly kind: TpmKind;
}

/**
 * The kinds of TPM. `cloud`: a virtual TPM of a cloud or hypervisor, which every customer of it gets. `software`: a
 * software TPM or simulator, whose keys are in a file, or an id used only in examples.
 */
export const TPM_KINDS = ['hardware', 'cloud', 'software'] as const;
/** One of `TPM_KINDS`. */
export type TpmKind = (typeof TPM_KINDS)[number];

interface Entry {
  readonly name: string;
  /** Default: hardware. */
  readonly kind?: TpmKind;
}

/** TCG TPM Vendor ID Registry 1.07 revision 0.02, and other ids that certificates in the field have. */
const VENDORS: Readonly<Record<string, Entry>> = {
  '414D4400': { name: 'AMD' },
  '414E5400': { name: 'Ant Group' },
  '41544D4C': { name: 'Atmel' },
  '4252434D': { name: 'Broadcom' },
  '4353434F': { name: 'Cisco' },
  '464C5953': { name: 'Flyslice Technologies' },
  '474F4F47': { name: 'Google', kind: 'cloud' },
  '48495349': { name: 'Huawei' },
  '48504500': { name: 'HPE' },
  '48504900': { name: 'HPI' },
  '49424D00': { name: 'IBM' },
  '49465800': { name: 'Infineon' },
  '494E5443': { name: 'Intel' },
  '4C454E00': { name: 'Lenovo' },
  // Hyper-V and Azure. The only hardware is Pluton, which a certificate names.
  '4D534654': { name: 'Microsoft', kind: 'cloud' },
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
  '564D5700': { name: 'VMware', kind: 'cloud' },
  '00001014': { name: 'swtpm', kind: 'software' },
  '49424D20': { name: 'TPM simulator', kind: 'software' },
  '54434700': { name: 'TCG example', kind: 'software' },
  '54534730': { name: 'TCG example', kind: 'software' },
  FFFFF1D0: { name: 'FIDO conformance tool', kind: 'software' },
};

/** Looks up a vendor id of eight upper-case hex digits. Undefined for an unknown id; callers treat it as hardware. */
export function tpmVendor(id: string): TpmVendor | undefined {
  const entry = Object.hasOwn(VENDORS, id) ? VENDORS[id] : undefined;
  return entry === undefined ? undefined : { name: entry.name, kind: entry.kind ?? 'hardware' };
}

/**
 * The letters of a registered id, without the padding of blanks or zeros: `IFX`. Each id has different letters. Ids of
 * software have none: with padding removed, they could equal the letters of a hardware vendor.
 */
export function vendorLetters(id: string): string | undefined {
  const vendor = tpmVendor(id);
  // tooth A72: an id in no table is spelt out
  if (vendor === undefined || vendor.kind === 'software') return undefined;
  const letters = String.fromCharCode(...(id.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16)));
  return /^[A-Z]{2,4}[\0 ]{0,2}$/.test(letters) ? letters.replace(/[\0 ]+$/, '') : undefined;
}

/** The ids for a vendor's name, its letters (`IFX`) or eight hex digits, in upper or lower case. */
export function vendorIds(text: string): readonly string[] {
  const wanted = text.trim().toUpperCase();
  if (/^(ID:)?[0-9A-F]{8}$/.test(wanted)) return [wanted.replace('ID:', '')];
  return Object.keys(VENDORS).filter(
    (id) => VENDORS[id]?.name.toUpperCase() === wanted || vendorLetters(id) === wanted,
  );
}
