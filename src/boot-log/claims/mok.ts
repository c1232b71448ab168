/** Keys and settings of the machine owner, which shim measures into PCR 14 by digest alone. */
import type { BootView } from '../replay/boot-view.ts';
import { EVENT_TYPES } from '../tcg/event-types.ts';
import type { Claim } from './claim.ts';
import { fromPcr, unexpected } from './prerequisites.ts';

/**
 * Digests in the order of shim: MokList, MokListX, MokSBState, MokListTrusted, each where there is something. The names
 * beside them are not measured, so the list is compared as a whole.
 */
export function mokDigests(view: BootView): Claim<readonly Uint8Array[]> {
  return fromPcr(view, 14, ({ firmware }) => {
    const other = firmware.find(({ event }) => event.type !== EVENT_TYPES.EV_IPL);
    if (other !== undefined) return unexpected(14, other);
    return firmware.length === 0
      ? { withheld: 'PCR 14 has no event of the firmware log' }
      : { value: firmware.map(({ digest }) => digest) };
  });
}
