/**
 * Images that the firmware or shim started, by their Authenticode digests, in the order of PCR 4. The paths beside them are
 * not measured. The list counts as a whole: whoever runs later can append a good digest to a bad one (A44).
 */
import type { BootView } from '../replay/boot-view.ts';
import { EVENT_TYPES } from '../tcg/event-types.ts';
import type { Claim } from './claim.ts';
import { actionText, fromPcr, unexpected } from './prerequisites.ts';

const PCR = 4;
const ACTIONS = [
  'Calling EFI Application from Boot Option',
  'Returning from EFI Application from Boot Option',
  'Returning EFI Application from Boot Option',
];

export function bootApplications(view: BootView): Claim<readonly Uint8Array[]> {
  return fromPcr(view, PCR, ({ firmware }) => {
    const digests: Uint8Array[] = [];
    let isSeparated = false;
    for (const measured of firmware) {
      const { type } = measured.event;
      if (type === EVENT_TYPES.EV_SEPARATOR) isSeparated = true;
      else if (type === EVENT_TYPES.EV_EFI_BOOT_SERVICES_APPLICATION) digests.push(measured.digest);
      else if (type !== EVENT_TYPES.EV_EFI_ACTION || !ACTIONS.includes(actionText(measured) ?? ''))
        return unexpected(PCR, measured);
    }
    if (!isSeparated) return { withheld: 'PCR 4 has no separator' };
    return digests.length === 0 ? { withheld: 'PCR 4 has no application' } : { value: digests };
  });
}
