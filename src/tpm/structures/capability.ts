/** TPMS_CAPABILITY_DATA: the answers of TPM2_GetCapability that this product reads (TPM 2.0 Library Part 2, 10.10). */
import { type Codec, selector, struct, tpml, u32 } from './codec.ts';
import { TPM_CAP } from './constants.ts';
import { type TpmlPcrSelection, tpmlPcrSelection } from './pcr.ts';

export interface TaggedProperty {
  readonly property: number;
  readonly value: number;
}

interface DataByCapability {
  readonly handles: readonly number[];
  readonly properties: readonly TaggedProperty[];
  readonly pcrs: TpmlPcrSelection;
}

export type TpmsCapabilityData = {
  readonly [C in keyof DataByCapability]: { readonly capability: C; readonly data: DataByCapability[C] };
}[keyof DataByCapability];

const bodies: { readonly [C in keyof DataByCapability]: Codec<DataByCapability[C]> } = {
  handles: tpml('TPML_HANDLE', u32, 254),
  properties: tpml(
    'TPML_TAGGED_TPM_PROPERTY',
    struct<TaggedProperty>('TPMS_TAGGED_PROPERTY', { property: u32, value: u32 }),
    127,
  ),
  pcrs: tpmlPcrSelection,
};

/** The lower 16 bits of TPM_CAP, which has 32; the upper half is zero for these values. */
const capability = selector('TPM_CAP', {
  handles: TPM_CAP.HANDLES,
  properties: TPM_CAP.TPM_PROPERTIES,
  pcrs: TPM_CAP.PCRS,
} as const);

export const tpmsCapabilityData: Codec<TpmsCapabilityData> = {
  name: 'TPMS_CAPABILITY_DATA',
  read: (r) => {
    if (r.u16() !== 0) throw r.malformed('not a capability that this product asks for');
    const key = r.within('capability', capability.read);
    return { capability: key, data: r.within(key, bodies[key].read as Codec<unknown>['read']) } as TpmsCapabilityData;
  },
  write: (w, value) => {
    w.u16(0);
    capability.write(w, value.capability);
    (bodies[value.capability] as Codec<unknown>).write(w, value.data);
  },
};
