/** Reads what a TPM reports about itself: manufacturer, firmware, lockout, passwords (TPM2_GetCapability). */

import { handlesIn } from '../agent/endorsement/nv-index.ts';
import { allocatedBanks } from '../agent/wires/pcr-quote.ts';
import type { TpmCommands } from '../tpm/device/commands.ts';
import { hashAlgorithm } from '../tpm/structures/algorithms.ts';
import { tpmsCapabilityData } from '../tpm/structures/capability.ts';
import { decode } from '../tpm/structures/codec.ts';
import { TPM_CAP, TPM_HT_FIRST, TPM_PT, TPMA_PERMANENT } from '../tpm/structures/constants.ts';
import { tpmVendor } from '../x509/ek/vendors.ts';

const PROPERTY_GROUP = 0x100;

export interface TpmFacts {
  /** Vendor ID as in certificates, eight hexadecimal digits. */
  readonly manufacturerId: string;
  readonly manufacturer: string;
  readonly model: string;
  /** `8217.4131.22.13878`: four 16-bit numbers. */
  readonly firmware: string;
  /** Allocated PCR banks by name. */
  readonly banks: readonly string[];
  readonly lockout: {
    readonly active: boolean;
    readonly failures: number;
    readonly maxFailures: number;
    /** Seconds until one failure is forgotten. */
    readonly recoverySeconds: number;
  };
  readonly passwordSet: { readonly owner: boolean; readonly endorsement: boolean };
  readonly transient: { readonly free: number; readonly loaded: number };
  readonly persistentHandles: readonly number[];
}

export async function readTpmFacts(run: TpmCommands): Promise<TpmFacts> {
  const fixed = await properties(run, TPM_PT.FAMILY_INDICATOR);
  const variable = await properties(run, TPM_PT.PERMANENT);
  const id = vendorId(fixed);
  const vendorStrings = [
    TPM_PT.VENDOR_STRING_1,
    TPM_PT.VENDOR_STRING_2,
    TPM_PT.VENDOR_STRING_3,
    TPM_PT.VENDOR_STRING_4,
  ].map((property) => ascii(fixed(property)));
  const permanent = variable(TPM_PT.PERMANENT);
  const [firmware1, firmware2] = [fixed(TPM_PT.FIRMWARE_VERSION_1), fixed(TPM_PT.FIRMWARE_VERSION_2)];
  return {
    manufacturerId: id,
    manufacturer: tpmVendor(id)?.name ?? ascii(fixed(TPM_PT.MANUFACTURER)),
    model: vendorStrings.join('').replace(/\s+/g, ' ').trim(),
    firmware: [firmware1 >>> 16, firmware1 & 0xffff, firmware2 >>> 16, firmware2 & 0xffff].join('.'),
    banks: (await allocatedBanks(run)).map((id) => hashAlgorithm(id)?.name ?? `0x${id.toString(16)}`),
    lockout: {
      active: (permanent & TPMA_PERMANENT.IN_LOCKOUT) !== 0,
      failures: variable(TPM_PT.LOCKOUT_COUNTER),
      maxFailures: variable(TPM_PT.MAX_AUTH_FAIL),
      recoverySeconds: variable(TPM_PT.LOCKOUT_INTERVAL),
    },
    passwordSet: {
      owner: (permanent & TPMA_PERMANENT.OWNER_AUTH_SET) !== 0,
      endorsement: (permanent & TPMA_PERMANENT.ENDORSEMENT_AUTH_SET) !== 0,
    },
    transient: {
      free: variable(TPM_PT.HR_TRANSIENT_AVAIL),
      loaded: (await handlesIn(run, TPM_HT_FIRST.TRANSIENT, TPM_HT_FIRST.TRANSIENT + 0xffffff)).length,
    },
    persistentHandles: await handlesIn(run, TPM_HT_FIRST.PERSISTENT, TPM_HT_FIRST.PERSISTENT + 0xffffff),
  };
}

/** Vendor ID as in certificates, eight upper-case hexadecimal digits. */
export async function readManufacturerId(run: TpmCommands): Promise<string> {
  return vendorId(await properties(run, TPM_PT.FAMILY_INDICATOR));
}

function vendorId(fixed: (property: number) => number): string {
  return fixed(TPM_PT.MANUFACTURER).toString(16).padStart(8, '0').toUpperCase();
}

/** The properties of one group; 0 for a property that the TPM leaves out. */
async function properties(run: TpmCommands, first: number): Promise<(property: number) => number> {
  const values = new Map<number, number>();
  for (let next = first; next < first + PROPERTY_GROUP; ) {
    const query = { capability: TPM_CAP.TPM_PROPERTIES, property: next, propertyCount: PROPERTY_GROUP };
    const { capabilityData, moreData } = await run.getCapability(query);
    const answer = decode(tpmsCapabilityData, capabilityData);
    const list = answer.capability === 'properties' ? answer.data : [];
    for (const { property, value } of list) values.set(property, value);
    const last = list.at(-1)?.property;
    if (!moreData || last === undefined || last < next) break;
    next = last + 1;
  }
  return (property) => values.get(property) ?? 0;
}

/** The printable characters among the four that are packed in a number. */
function ascii(value: number): string {
  const characters = [value >>> 24, value >>> 16, value >>> 8, value].map((code) => String.fromCharCode(code & 0xff));
  return characters.join('').replace(/[^\x20-\x7e]/g, '');
}
